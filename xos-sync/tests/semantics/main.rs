//! What a synchronizer does, through its public face: one test for each row of the table in the design.
//!
//! Time is virtual: a test that waits for five minutes takes none.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod core_away;
mod deletion_policies;
mod failures;
mod finding;
#[path = "../support/log.rs"]
mod log;
mod mutual;
mod once;
mod order;
mod policies;
mod polling;
mod steps;
mod success;
mod support;
mod troubles;
mod waiting;
