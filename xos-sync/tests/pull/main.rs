//! What pull steps promise, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod reconcile;
mod schedule;
mod support;
mod watch;
