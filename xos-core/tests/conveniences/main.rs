//! The conveniences of the client, on an embedded core.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod acquire;
mod addresses;
mod graph;
mod lab;
mod tags;
