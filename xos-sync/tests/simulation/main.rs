//! The SDK's own synchronizer in the simulator: steps and policies that succeed, fail, wait, hang and panic, two steps on
//! one object, steps that read and write the core, objects that link to each other.
//!
//! One seed again, with its log: `SEED=17 cargo test -p xos-sync --test simulation whatever -- --nocapture`
//! Many seeds: `SEEDS=100000 cargo test --release -p xos-sync --test simulation whatever -- --nocapture`
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod models;
mod policies;
mod steps;

use policies::{PoliceBadge, PoliceService};
use steps::{SyncBase, SyncInstance, SyncService};
use xos_sync::prelude::*;
use xos_sync::testing::{Backend, simulate};

/// Each kind of handler, and each way in which one can end.
fn everything(backend: Backend) -> Synchronizer {
    Synchronizer::new("sim")
        .sync_step(SyncInstance(backend.clone()))
        .sync_step(SyncService(backend.clone()))
        .sync_step(SyncBase(backend.clone()))
        .policy(PoliceService(backend.clone()))
        .policy(PoliceBadge(backend))
}

#[test]
fn whatever_happens_it_comes_to_rest() {
    simulate(everything).test();
}

#[test]
fn a_seed_repeats() {
    let run = |threads| simulate(everything).seeds(40..56).threads(threads).run();
    let (one, other) = (run(1), run(2));
    assert!(one.is_ok(), "{:?}", one.violations());
    assert_eq!(one.fingerprint(), other.fingerprint());
}
