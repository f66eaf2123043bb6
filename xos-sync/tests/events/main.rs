//! What event steps promise, in virtual time, over the bus in process.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod ending;
mod failures;
#[path = "../support/log.rs"]
mod log;
mod starting;
mod support;
