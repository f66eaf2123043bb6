//! What event steps promise, in virtual time, over the bus in process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod delivery;
mod ending;
mod failures;
mod starting;
mod support;
