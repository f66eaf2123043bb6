//! Signals during work: what runs ends, what ended is stored, nothing is done twice.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::driver::{Model, Wanted};
use crate::inside::Inside;
use crate::oracle::{self, When, assert_none};
use crate::outside::Outside;
use crate::scene::{PATIENCE, Scene};

const OBJECTS: usize = 2_000;

struct Work {
    scene: Scene,
    model: Model,
    outside: Outside,
}

impl Work {
    /// Objects that nobody has greeted yet.
    async fn new() -> Self {
        let scene = Scene::with(OBJECTS).await;
        let model = (0..OBJECTS).map(|serial| (serial, Wanted::first(serial))).collect();
        let outside = Outside::new(scene.log());
        Work { scene, model, outside }
    }

    /// What must hold when the program has ended.
    fn look(&mut self, when: &str) -> Inside {
        let inside = Inside::of(self.scene.database());
        self.outside.read();
        let mut wrong = oracle::promises(&mut self.model, &inside);
        wrong.extend(oracle::inside_and_outside(&inside, &self.outside, When::Dead));
        assert_none(&wrong, when);
        self.outside.assert_no_panic();
        inside
    }

    /// The rest is done after a restart, and each object was greeted once.
    fn rest_is_done(&mut self) {
        let (status, log) = self.scene.start_with(&["--once"], &[]).end();
        assert!(status.success(), "{log}");
        let inside = self.look("after the restart");
        assert_none(&oracle::converged(&self.model, &inside, &self.outside), "after the restart");
    }
}

/// Another program that has the database for itself, from between two writes of the first on.
fn hold(scene: &Scene) -> Connection {
    let holder = Connection::open(scene.database()).unwrap();
    holder.busy_timeout(Duration::ZERO).unwrap();
    let start = Instant::now();
    while let Err(error) = holder.execute_batch("BEGIN IMMEDIATE") {
        assert!(start.elapsed() < PATIENCE, "{error}");
    }
    let inside = Inside::of(scene.database());
    assert!(inside.dirty() > 0, "there is still something to do");
    holder
}

/// Neither the signal nor how often it comes at once matters.
#[tokio::test]
async fn a_signal_during_work_leaves_nothing_by_half() {
    for signals in [&[Signal::TERM][..], &[Signal::INT], &[Signal::TERM, Signal::TERM, Signal::INT]] {
        let mut work = Work::new().await;
        let mut program = work.scene.start();
        program.wait_for("is saying hello to o", 50);
        for signal in signals {
            program.signal(*signal);
        }
        let (status, log) = program.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("stopping: no new work") && log.contains("\"stopped\""), "{log}");
        let inside = work.look("after the signal");
        let greeted = work.outside.shown.keys().filter(|name| name.starts_with('o')).count();
        assert!((50..OBJECTS).contains(&greeted), "it was stopped during work: {greeted} were greeted");
        // What was done is stored, all of it: that is more than `kill -9` leaves.
        let stored = inside.rows.values().filter(|row| row.name.starts_with('o') && row.is_clean()).count();
        assert_eq!(stored, greeted);
        work.rest_is_done();
        assert_eq!(work.outside.repeated(), 0, "nobody was greeted twice");
    }
}

/// Another program holds the database, so that results cannot be stored: a second signal does not wait for that.
#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut work = Work::new().await;
    let mut program = work.scene.start();
    program.wait_for("is saying hello to o", 50);
    let holder = hold(&work.scene);
    program.signal(Signal::TERM);
    program.wait_for("stopping: no new work", 1);
    // Within half a second they are one wish.
    tokio::time::sleep(Duration::from_millis(700)).await;
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(log.contains("stopped by a second signal; steps that ran will run again"), "{log}");
    drop(holder);
    work.look("after the second signal");
    work.rest_is_done();
}

/// The grace period ends while the database cannot be written.
#[tokio::test]
async fn the_grace_period_ends_the_waiting() {
    let mut work = Work::new().await;
    work.scene.configure("engine: {grace_period: 1 s}\n");
    let mut program = work.scene.start();
    program.wait_for("is saying hello to o", 50);
    let holder = hold(&work.scene);
    program.signal(Signal::TERM);
    // It ends though the database is held all the time.
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("\"at_most_seconds\":1.0"), "{log}");
    drop(holder);
    work.look("after the grace period");
    work.rest_is_done();
}
