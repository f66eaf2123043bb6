//! What pull steps promise, in virtual time.
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/log.rs"]
mod log;
mod reconcile;
mod schedule;
mod support;
mod watch;
