//! A synchronizer against a core on the network: the stand-in, which has the wire and the defects of a core 4.0.4.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chaos;
mod client;
mod created;
mod life;
mod onboarding;
mod restarts;
mod scale;
mod sharing;
mod support;
