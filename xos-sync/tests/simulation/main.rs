//! A whole synchronizer against a core in memory, from a seed and in virtual time: clients that create, change and
//! delete, steps and policies that succeed, fail, wait, hang and panic, a core that loses answers, changes and itself, a program that
//! is stopped and killed.
//!
//! Checked: never two handlers at once on one object; when the troubles end, every live object is OK as it is and every
//! deleted one is purged; what a step had ever been started for reached `delete_record` before it was purged, and what a
//! policy had been called for `handle_delete`.
//!
//! One seed again: `SEED=17 cargo test -p xos-sync --test simulation one_seed -- --nocapture`
#![cfg(feature = "embedded")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod models;
mod policies;
mod random;
mod steps;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use world::World;

/// Seeds in one test; there are four tests, so that they use the processors there are.
const SEEDS: u64 = 50;

/// One life; what was asked of the core in it, as a number.
fn run(seed: u64) -> Result<u64, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let end = catch_unwind(AssertUnwindSafe(|| runtime.block_on(World::live(seed))));
    end.unwrap_or_else(|_| Err("it panicked".into()))
}

fn run_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(problem) = run(seed) {
            panic!(
                "seed {seed}: {problem}\nagain: SEED={seed} cargo test -p xos-sync --test simulation one_seed -- --nocapture"
            );
        }
    }
}

#[test]
fn whatever_happens_it_comes_to_rest_1() {
    run_all(0..SEEDS);
}

#[test]
fn whatever_happens_it_comes_to_rest_2() {
    run_all(SEEDS..2 * SEEDS);
}

#[test]
fn whatever_happens_it_comes_to_rest_3() {
    run_all(2 * SEEDS..3 * SEEDS);
}

#[test]
fn whatever_happens_it_comes_to_rest_4() {
    run_all(3 * SEEDS..4 * SEEDS);
}

/// The seed of the variable `SEED`, with its log; without the variable, that of no other test.
#[test]
fn one_seed() {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    if given.is_some() {
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_test_writer().init();
    }
    let seed = given.unwrap_or(u64::MAX);
    run_all(seed..seed.saturating_add(1));
}

#[test]
fn a_seed_repeats() {
    assert_eq!(run(4711), run(4711));
}
