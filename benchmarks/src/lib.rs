//! The SDK beside its peers, in one run on this machine. See the README beside this package.
#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot run has failed")]

pub mod args;
pub mod cold;
pub mod cores;
pub mod drain;
pub mod end_to_end;
pub mod fairness;
pub mod hung;
pub mod instant;
pub mod kube;
pub mod latency;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod ours;
pub mod planner;
pub mod planning;
pub mod python;
pub mod report;
pub mod serving;
pub mod shutdown;
pub mod sqlite;
pub mod storm;
pub mod switch;
pub mod writes;
