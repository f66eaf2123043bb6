//! Our server beside a recorded core 4.0.4.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod compressed;
mod lockstep;
mod malformed;
mod recorded;
