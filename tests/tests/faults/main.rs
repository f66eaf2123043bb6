//! A client and a whole synchronizer behind a proxy that does what networks do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod client;
mod dropped;
mod flapping;
mod half_open;
mod support;
mod synchronizer;
