//! The stand-in of a core: what it serves, and each oddity of the real one that a client has to survive.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "stand_in/client.rs"]
mod client;
#[path = "stand_in/defects.rs"]
mod defects;
#[path = "stand_in/failures.rs"]
mod failures;
#[path = "stand_in/models.rs"]
mod models;
#[path = "stand_in/onboarding.rs"]
mod onboarding;
#[path = "stand_in/recorded.rs"]
mod recorded;
#[path = "stand_in/schema.rs"]
mod schema;
#[path = "stand_in/session.rs"]
mod session;
