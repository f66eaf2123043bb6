//! The SDK's own synchronizer in the simulator: steps and policies that succeed, fail, wait, hang and panic, two steps on
//! one object, steps that read and write the core, objects that link to each other.
//!
//! One seed again, with its log: `SEED=17 cargo test -p xos-sync --test simulation whatever -- --nocapture`
//! Many seeds: `SEEDS=100000 cargo test --release -p xos-sync --test simulation whatever -- --nocapture`
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod broken;
mod models;
mod policies;
mod steps;

use policies::{PoliceBadge, PoliceService};
use steps::{SyncBase, SyncInstance, SyncService};
use xos_sync::prelude::*;
use xos_sync::testing::{Backend, Oracle, Trouble, simulate};

/// Each kind of handler, and each way in which one can end.
fn everything(backend: Backend) -> Synchronizer {
    Synchronizer::new("sim")
        .sync_step(SyncInstance(backend.clone()))
        .sync_step(SyncService(backend.clone()))
        .sync_step(SyncBase(backend.clone()))
        .policy(PoliceService(backend.clone()))
        .policy(PoliceBadge(backend))
}

#[xos_sync::simulation(seeds = 100)]
fn whatever_happens_it_comes_to_rest(backend: Backend) -> Synchronizer {
    everything(backend)
}

#[test]
fn a_seed_repeats_and_all_is_exercised() {
    let run = |threads| simulate(everything).seeds(1000..1032).threads(threads).run();
    let (one, other) = (run(1), run(2));
    assert!(one.is_ok(), "{:?}", one.violations());
    assert_eq!(one.fingerprint(), other.fingerprint());
    for kind in Trouble::ALL {
        assert!(one.troubles(*kind) > 0, "never: {kind}\n{one}");
    }
    for oracle in Oracle::ALL {
        assert!(one.checked(*oracle) > 0, "never looked at: {oracle}\n{one}");
    }
}
