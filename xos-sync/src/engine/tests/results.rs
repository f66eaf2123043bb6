//! What becomes of a run.

use std::time::Duration;

use super::*;

fn rest_of(lab: &Lab, id: u32) -> u64 {
    match lab.engine.explain(key(id), lab.now).state {
        State::Rests { until, .. } => until.0 - lab.now.0,
        state => panic!("{state:?}"),
    }
}

#[test]
fn a_dirty_object_is_claimed_run_and_stored_as_fetched() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Change));
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(7) }]);
    // Only now is the run over and the object free.
    assert_eq!(lab.engine.counts().storing, 1);
    lab.give(Event::Stored(lab.run(1), Ok(Version(7))));
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_claimed_object_is_not_claimed_again() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { claimed: true, ..dirty(1, 7, &[]) }]);
    assert!(!lab.start().1);
    lab.doomed(2, &[]);
    assert!(!lab.start().1);
    lab.dirty(3, 1, &[]);
    lab.fail(3, "the claim may not be stored");
    lab.dirty(3, 2, &[]);
    assert_eq!(lab.log.iter().filter(|a| matches!(a, Action::Start { claim: true, .. })).count(), 2);
}

#[test]
fn a_change_made_while_a_step_runs_is_not_lost() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.dirty(1, 8, &[]);
    lab.dirty(1, 9, &[]);
    assert_eq!(lab.started(), [1]);
    // The step is told once.
    assert_eq!(lab.said(), [Action::Superseded(lab.run(1))]);
    lab.finish(1, Outcome::DONE);
    lab.stored(1);
    assert_eq!(lab.start(), (Verb::SyncRecord, false, 1, Why::Change));
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(9) }]);
}

#[test]
fn a_success_enacts_what_was_read_at_the_start() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    let read = lab.begin_read(&[]);
    let fact = Fact { read, ..dirty(1, 8, &[]) };
    lab.give(Event::Fetched(lab.run(1), &fact));
    lab.end_read(read, Complete::Partial);
    lab.succeed(1);
    assert_eq!(lab.started(), [1]);
    assert_eq!(lab.said(), []);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn failures_back_off_and_another_version_is_due_at_once() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    for (attempt, least) in (1..).zip([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 225_000, 225_000]) {
        let why = if attempt == 1 { Why::Change } else { Why::Retry };
        assert_eq!(lab.start(), (Verb::SyncRecord, true, attempt, why));
        lab.finish(1, Outcome::failed(&attempt.to_string()));
        let [Store::Failure { kind, attempts, delay, next_run, version, part }] = lab.stores()[..] else {
            panic!()
        };
        assert_eq!((kind, attempts, version, part), (FailureKind::Failed, attempt, Version(7), Part::Whole));
        assert_eq!(next_run, lab.now + delay);
        lab.give(Event::Stored(lab.run(1), Ok(Version(0))));
        let rest = rest_of(&lab, 1);
        assert!(rest >= least && rest <= 300_000 && rest <= least + least / 3, "{attempt}: {rest}");
        lab.after(rest - 1);
        assert_eq!(lab.started(), [] as [i64; 0]);
        lab.after(1);
    }
    lab.started();
    lab.fail(1, "again");
    lab.dirty(1, 8, &[]);
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Change));
}

#[test]
fn a_deferral_has_its_own_cap_and_a_wish_is_exact() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    for _ in 0..6 {
        lab.finish(1, Outcome::deferred("later"));
        lab.log.clear();
        lab.give(Event::Stored(lab.run(1), Ok(Version(0))));
        lab.after(60_000);
    }
    assert_eq!(lab.started(), [1]);
    let wish = Outcome::Failed {
        kind: FailureKind::Innocuous,
        retry_after: Some(Duration::from_millis(1234)),
        text: TextHash(1),
    };
    lab.finish(1, wish);
    lab.stored(1);
    assert_eq!(rest_of(&lab, 1), 1234);
}

#[test]
fn a_retry_stores_only_the_register_and_only_while_the_delay_grows() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    let mut parts = Vec::new();
    for text in ["a", "a", "a", "b", "b", "b", "b", "b", "b", "b"] {
        lab.finish(1, Outcome::failed(text));
        parts.push(match lab.stores()[..] {
            [Store::Failure { part: Part::Whole, .. }] => 'w',
            [Store::Failure { part: Part::Register, .. }] => 'r',
            _ => '-',
        });
        lab.give(Event::Stored(lab.run(1), Ok(Version(0))));
        lab.after(300_000);
    }
    // The seventh reaches the cap.
    assert_eq!(parts.iter().collect::<String>(), "wrrwrrr---");
}

#[test]
fn a_persisted_backoff_is_honoured_for_its_version_only() {
    let mut lab = Lab::new();
    let retry = Retry {
        version: Version(7),
        attempts: 3,
        next_run: lab.now + Duration::from_secs(15),
        kind: FailureKind::Failed,
        text: TextHash::of("no"),
    };
    lab.tell(&[
        Fact { retry: Some(retry), ..dirty(1, 7, &[]) },
        Fact { retry: Some(retry), ..dirty(2, 8, &[]) },
        Fact { retry: Some(retry), sync: Due::No, doomed: true, ..dirty(3, 7, &[]) },
    ]);
    assert_eq!(lab.started(), [2]);
    assert_eq!(lab.explain(1), "Site 1: failed 3 times, next try in 15 s");
    lab.after(15_000);
    assert_eq!(lab.started(), [1, -3]);
    lab.finish(1, Outcome::failed("no"));
    let [Store::Failure { attempts: 4, part: Part::Register, .. }] = lab.stores()[..] else { panic!() };
}

#[test]
fn a_nonsense_clock_in_a_register_does_not_silence_an_object_for_ever() {
    let mut lab = Lab::new();
    let retry = Retry {
        version: Version(7),
        attempts: 1,
        next_run: Moment(u64::MAX - 1),
        kind: FailureKind::Failed,
        text: TextHash(0),
    };
    lab.tell(&[Fact { retry: Some(retry), ..dirty(1, 7, &[]) }]);
    lab.after(24 * 3_600_000);
    assert_eq!(lab.started(), [1]);
}

#[test]
fn a_recheck_without_effect_stores_nothing() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.finish(1, Outcome::Done { recheck: Some(Duration::from_secs(30)) });
    lab.stored(1);
    assert_eq!(lab.started(), [1]);
    assert_eq!(lab.explain(1), "Site 1: looked at again in 30 s");
    lab.after(30_000);
    assert_eq!(lab.start(), (Verb::SyncRecord, false, 1, Why::Recheck));
    lab.finish(1, Outcome::Done { recheck: Some(Duration::from_secs(9)) });
    assert_eq!(lab.stores(), []);
    lab.after(9_000);
    assert_eq!(lab.start().3, Why::Recheck);
    lab.finish(1, Outcome::DONE);
    assert_eq!((lab.stores(), lab.engine.counts()), (vec![], Counts::default()));
}

#[test]
fn a_clean_object_is_looked_at_when_a_fact_says_so_unless_its_step_asked_for_another_moment() {
    let mut lab = Lab::new();
    let start = lab.now;
    let later =
        |id, ms| Fact { recheck: Some(Moment(start.0 + ms)), ..Fact::clean(key(id), ModelId(0), ReadId(0)) };
    lab.tell(&[later(1, 30_000), Fact { recheck: Some(Moment(0)), ..dirty(2, 7, &[]) }]);
    assert_eq!(lab.started(), [2]);
    lab.finish(2, Outcome::Done { recheck: Some(Duration::from_secs(60)) });
    lab.stored(2);
    lab.tell(&[later(1, 90_000), later(2, 90_000)]);
    assert_eq!(lab.explain(1), "Site 1: looked at again in 30 s");
    assert_eq!(lab.explain(2), "Site 2: looked at again in 60 s");
    lab.after(30_000);
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Recheck));
    lab.finish(1, Outcome::DONE);
    lab.tell(&[Fact::clean(key(2), ModelId(0), ReadId(0))]);
    assert_eq!((lab.stores(), lab.engine.counts()), (vec![], Counts { resting: 1, ..Counts::default() }));
}

#[test]
fn a_start_says_which_records_are_out_of_date() {
    let fresh_from = |lab: &mut Lab| {
        let found = lab.log.iter().find_map(|action| match action {
            Action::Start { fresh_from, .. } => Some(*fresh_from),
            _ => None,
        });
        lab.log.clear();
        found.unwrap()
    };
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    let first = fresh_from(&mut lab);
    let older = lab.begin_read(&[]);
    assert!(first < older, "its own fact's read is fresh, and later ones are");
    lab.fail(1, "no");
    lab.after(10_000);
    let second = fresh_from(&mut lab);
    assert!(second > older, "a read before the failure was stored may have looked before it");
    assert!(second <= lab.begin_read(&[]));
}

#[test]
fn a_recheck_that_fails_is_stored_retried_and_its_success_clears_the_status() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.finish(1, Outcome::Done { recheck: Some(Duration::ZERO) });
    lab.stored(1);
    lab.fail(1, "gone wrong");
    lab.started();
    lab.after(10_000);
    assert_eq!(lab.start(), (Verb::SyncRecord, false, 2, Why::Recheck));
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(7) }]);
    lab.give(Event::Stored(lab.run(1), Ok(Version(7))));
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_recheck_that_finds_a_change_enacts_it() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.finish(1, Outcome::Done { recheck: Some(Duration::ZERO) });
    lab.stored(1);
    let read = lab.begin_read(&[]);
    let fact = Fact { read, ..dirty(1, 8, &[]) };
    lab.give(Event::Fetched(lab.run(1), &fact));
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(8) }]);
}

#[test]
fn wait_for_wakes_when_that_object_changes_without_counting_a_failure() {
    let wait = |id| Outcome::WaitFor { key: key(id), at_most: Duration::from_secs(60) };
    let mut lab = Lab::new();
    lab.dirty(101, 7, &[]);
    lab.finish(101, wait(1));
    assert_eq!(lab.started(), [101]);
    assert_eq!(lab.said(), [Action::Watch(key(1))]);
    assert_eq!(lab.explain(101), "Slice 101: its step waits for a change of Site 1, looks again in 60 s");
    // A scan that finds it as it was is no change.
    lab.tell(&[Fact::clean(key(1), ModelId(0), ReadId(0))]);
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.give(Event::Changed(key(1)));
    assert!(lab.log.contains(&Action::Unwatch(key(1))));
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Awaited));
    // As facts, by a change of its own, or because the engine itself made it clean.
    lab.finish(101, wait(1));
    lab.dirty(1, 1, &[]);
    assert_eq!(lab.started(), [1, 101]);
    lab.finish(101, wait(1));
    lab.succeed(1);
    assert_eq!(lab.started(), [101]);
    // Or when the time is over.
    lab.finish(101, wait(1));
    lab.after(60_000);
    assert_eq!(lab.start().3, Why::Awaited);
    // Its own change ends the sleep too.
    lab.finish(101, wait(1));
    lab.dirty(101, 8, &[]);
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Change));
    lab.succeed(101);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_change_just_before_wait_for_is_not_missed() {
    let mut lab = Lab::new();
    lab.dirty(101, 7, &[]);
    lab.started();
    lab.give(Event::Changed(key(1)));
    lab.finish(101, Outcome::WaitFor { key: key(1), at_most: Duration::from_secs(60) });
    assert_eq!(lab.start().3, Why::Awaited);
    lab.finish(101, Outcome::WaitFor { key: key(1), at_most: Duration::from_secs(60) });
    assert_eq!(lab.started(), [] as [i64; 0]);
    // Waiting for itself is a pause.
    lab.dirty(102, 7, &[]);
    lab.finish(102, Outcome::WaitFor { key: key(102), at_most: Duration::from_secs(60) });
    lab.started();
    lab.after(60_000);
    assert_eq!(lab.started(), [101, 102]);
}

#[test]
fn an_interruption_counts_nothing_and_stores_nothing() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.fail(1, "no");
    lab.after(10_000);
    lab.finish(1, Outcome::Interrupted);
    assert_eq!((lab.stores(), lab.started()), (vec![], vec![1, 1]));
    lab.after(1_000);
    assert_eq!(lab.start().2, 2);
}

#[test]
fn a_panic_and_a_passed_deadline_are_failures() {
    for outcome in [Outcome::Panicked { text: TextHash(3) }, Outcome::TimedOut] {
        let mut lab = Lab::new();
        lab.dirty(1, 7, &[]);
        lab.finish(1, outcome);
        let [Store::Failure { kind: FailureKind::Failed, attempts: 1, .. }] = lab.stores()[..] else {
            panic!()
        };
    }
}

#[test]
fn what_is_gone_is_forgotten() {
    let mut lab = Lab::new();
    for id in [1, 2, 3] {
        lab.dirty(id, 7, &[]);
    }
    lab.dirty(101, 1, &[1, 2, 3]);
    lab.finish(1, Outcome::Gone);
    lab.finish(2, Outcome::DONE);
    lab.give(Event::Stored(lab.run(2), Err(StoreFault::Gone)));
    lab.fail(3, "no");
    assert_eq!(lab.started(), [1, 2, 3]);
    let read = lab.begin_read(&[]);
    lab.give(Event::Vanished(key(3), read));
    lab.end_read(read, Complete::Partial);
    assert_eq!(lab.started(), [101]);
    lab.succeed(101);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_deletion_does_not_wait_for_the_result_of_the_step_before() {
    for outcome in [Outcome::DONE, Outcome::failed("no"), Outcome::Interrupted] {
        let mut lab = Lab::new();
        lab.dirty(1, 7, &[]);
        lab.doomed(1, &[]);
        assert!(lab.log.contains(&Action::Superseded(lab.run(1))));
        lab.finish(1, outcome);
        if outcome == Outcome::Interrupted {
            lab.after(1_000);
        }
        assert_eq!((lab.started(), lab.stores()), (vec![1, -1], vec![]), "{outcome:?}");
        lab.finish(1, Outcome::DONE);
        assert_eq!(lab.stores(), [Store::Reap]);
        lab.give(Event::Stored(lab.run(1), Ok(Version(0))));
        assert_eq!(lab.engine.counts(), Counts::default());
    }
}

#[test]
fn what_the_core_does_not_store_is_not_lost() {
    let text = TextHash(9);
    let check = |fault: StoreFault, starts_after: Option<u64>, attempt: u16| {
        let mut lab = Lab::new();
        lab.dirty(1, 7, &[]);
        lab.finish(1, Outcome::DONE);
        lab.log.clear();
        lab.give(Event::Stored(lab.run(1), Err(fault)));
        if let StoreFault::Rejected { .. } = fault {
            // A failure that the core refuses as well still rests.
            assert!(matches!(lab.stores()[..], [Store::Failure { part: Part::Whole, .. }]));
            lab.give(Event::Stored(lab.run(1), Err(fault)));
        }
        assert_eq!(lab.started(), [] as [i64; 0]);
        if let Some(ms) = starts_after {
            lab.after(ms);
            assert_eq!(lab.start().2, attempt, "{fault:?}");
        } else {
            assert_eq!(lab.engine.counts(), Counts::default());
        }
    };
    check(StoreFault::Conflict, Some(1_000), 1);
    check(StoreFault::Rejected { text }, Some(7_000), 2);
    check(StoreFault::Gone, None, 0);
}

#[test]
fn a_conflict_with_a_newer_fact_runs_again_at_once() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.finish(1, Outcome::DONE);
    lab.dirty(1, 8, &[]);
    lab.give(Event::Stored(lab.run(1), Err(StoreFault::Conflict)));
    assert_eq!(lab.started(), [1, 1]);
}

#[test]
fn a_result_the_core_could_not_take_is_stored_again() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.finish(1, Outcome::DONE);
    lab.log.clear();
    lab.give(Event::Stored(lab.run(1), Err(StoreFault::Away)));
    assert_eq!(lab.stores(), []);
    lab.after(1_000);
    assert_eq!(lab.stores().len(), 1);
    lab.give(Event::CoreDown);
    lab.give(Event::Stored(lab.run(1), Err(StoreFault::Away)));
    lab.after(100_000);
    assert_eq!(lab.stores(), []);
    lab.give(Event::CoreUp);
    lab.stored(1);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn what_somebody_else_enacted_meanwhile_is_not_written_back() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { policy: Due::At(Version(7)), ..dirty(1, 7, &[]) }]);
    for outcome in [Outcome::DONE, Outcome::Done { recheck: Some(Duration::from_secs(1)) }] {
        lab.tell(&[Fact { policy: Due::No, why: Why::Change, ..Fact::clean(key(1), ModelId(0), ReadId(0)) }]);
        lab.finish(1, outcome);
        assert_eq!((lab.started(), lab.stores()), (vec![1], vec![]));
        lab.dirty(1, 8, &[]);
    }
}

#[test]
fn what_was_skipped_at_the_start_follows_the_facts() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.tell(&[Fact { why: Why::Change, ..Fact::clean(key(1), ModelId(0), ReadId(0)) }]);
    lab.finish(1, Outcome::Skipped);
    assert_eq!((lab.started(), lab.stores(), lab.engine.counts()), (vec![1], vec![], Counts::default()));
    lab.dirty(2, 7, &[]);
    lab.doomed(2, &[]);
    lab.finish(2, Outcome::Skipped);
    assert_eq!(lab.started(), [2, -2]);
    // Without newer facts it is not skipped in circles.
    lab.dirty(3, 7, &[]);
    lab.finish(3, Outcome::Skipped);
    assert_eq!(lab.started(), [3]);
    lab.after(1_000);
    assert_eq!(lab.started(), [3]);
}
