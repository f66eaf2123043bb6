//! The embedded core through its public face.
// A test that fails may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod basics;
mod common;
mod deletion;
mod feed;
mod files;
mod gui_events;
mod links;
mod models;
mod onboarding;
#[path = "../support/postgres.rs"]
mod postgres;
mod properties;
mod queries;
mod queries_naive;
mod saving;
mod threads;
mod validation;

/// These tests run on SQLite; those in `tests/postgres` are the same on PostgreSQL, and some more.
const ON: common::On = common::On::Sqlite;
/// How many cases a property is checked with.
const CASES: u32 = 48;
