//! The embedded core on PostgreSQL: the tests of `tests/core`, and what only several servers on one database do.
// A test that fails may panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../core/basics.rs"]
mod basics;
#[path = "../core/common.rs"]
mod common;
#[path = "../core/deletion.rs"]
mod deletion;
#[path = "../core/feed.rs"]
mod feed;
#[path = "../core/gui_events.rs"]
mod gui_events;
#[path = "../core/links.rs"]
mod links;
#[path = "../core/models.rs"]
mod models;
#[path = "../core/onboarding.rs"]
mod onboarding;
mod outages;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../core/properties.rs"]
mod properties;
#[path = "../core/queries.rs"]
mod queries;
#[path = "../core/queries_naive.rs"]
mod queries_naive;
#[path = "../core/saving.rs"]
mod saving;
mod servers;
#[path = "../core/threads.rs"]
mod threads;
mod tls;
#[path = "../core/validation.rs"]
mod validation;
mod words;

/// What all tests run on.
const ON: common::On = common::On::Postgres;
/// How many cases a property is checked with.
const CASES: u32 = 8;
