//! The server of the embedded core.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod doors;
mod lab;
mod random;
mod raw;
mod reads;
mod reflected;
mod writes;
