//! A canary: the value of a secret field is in the record and in the answers of the core, and nowhere else.
//!
//! One process, one subscriber for all of it at the level "trace": whatever is logged anywhere is looked at.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod lab;
mod outputs;
mod recipes;
mod runs;
mod served;
