//! The embedded core through its public face.
// A test that fails may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod basics;
mod common;
mod deletion;
mod feed;
mod files;
mod links;
mod models;
mod onboarding;
mod properties;
mod queries;
mod queries_naive;
mod saving;
mod threads;
mod validation;
