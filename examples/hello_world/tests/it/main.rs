//! The program as its user sees it, run as a program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod doors;
mod program;
mod python;
mod remote;
mod support;
mod terminals;
mod verbs;
