//! Rules at their edges: each was broken by a mutant of the code that no other test noticed.

use std::time::Duration;

use super::*;

/// A fact that this version is due in the policy lane alone.
fn policy(id: u32, version: u64) -> Fact<'static> {
    Fact { sync: Due::No, policy: Due::At(Version(version)), ..dirty(id, 0, &[]) }
}

fn many(count: u32, model: u16, links: &[ObjectKey]) -> Vec<Fact<'_>> {
    (0..count)
        .map(|id| Fact {
            key: ObjectKey::new(ModelId(model), id),
            leaf: ModelId(model),
            ..dirty(u32::from(model) * 100, 1, links)
        })
        .collect()
}

/// All runs that can start, in as many steps as that takes.
fn start_all(lab: &mut Lab) -> Vec<Run> {
    let mut runs = Vec::new();
    loop {
        let before = runs.len();
        runs.extend(lab.said().iter().filter_map(|action| match action {
            Action::Start { run, .. } => Some(*run),
            _ => None,
        }));
        if runs.len() == before {
            return runs;
        }
        lab.after(0);
    }
}

#[test]
fn it_tells_who_leads_what_is_due_and_when() {
    let mut lab = Lab::new();
    assert_eq!(lab.engine.leading(), Some(Term(1)));
    assert!(!lab.engine.is_due(key(1)));
    assert_eq!(lab.engine.explain(key(1), lab.now).next_due(), None);
    lab.dirty(1, 7, &[]);
    lab.dirty(101, 7, &[1]);
    assert!(lab.engine.is_due(key(1)) && !lab.engine.is_due(key(2)));
    lab.fail(1, "no");
    let explained = lab.engine.explain(key(1), lab.now);
    let State::Rests { until, .. } = explained.state else { panic!("{explained}") };
    assert_eq!(explained.next_due(), Some(until));
    assert_eq!(lab.engine.explain(key(101), lab.now).next_due(), Some(until), "it waits for that one");
    lab.give(Event::LeaderLost);
    assert_eq!(lab.engine.leading(), None);
}

#[test]
fn what_nothing_was_said_about_is_unknown_and_what_is_clean_is_clean() {
    let mut lab = Lab::new();
    lab.dirty(201, 1, &[1, 2]);
    lab.tell(&[Fact::clean(key(2), ModelId(0), ReadId(0))]);
    let state = |id| lab.engine.explain(key(id), lab.now).state;
    assert_eq!((state(1), state(2), state(3)), (State::Unknown, State::Clean, State::Unknown));
}

#[test]
fn what_failed_is_tried_again_at_once_when_asked_to_in_both_lanes() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { policy: Due::At(Version(7)), ..dirty(1, 7, &[]) }]);
    lab.fail(1, "the policy");
    lab.fail(1, "the step");
    assert_eq!(lab.started(), [1, 1]);
    lab.after(1);
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.give(Event::Retry(key(1)));
    lab.finish(1, Outcome::failed("the policy"));
    assert_eq!(lab.started(), [1, 1]);
    lab.give(Event::Retry(key(2)));
    assert_eq!(lab.started(), [] as [i64; 0]);
}

#[test]
fn a_delay_of_a_millisecond_or_none_has_no_jitter() {
    for first_retry in [Duration::ZERO, Duration::from_millis(1)] {
        let mut lab = Lab::with(Config { first_retry, ..config() });
        lab.dirty(1, 7, &[]);
        lab.finish(1, Outcome::failed("no"));
        let [Store::Failure { delay, .. }] = lab.stores()[..] else { panic!() };
        assert_eq!(delay, first_retry);
    }
}

#[test]
fn an_older_read_does_not_say_that_an_object_is_gone() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    let (older, newer) = (lab.begin_read(&[]), lab.begin_read(&[]));
    lab.tell_from(newer, &[dirty(1, 7, &[]), dirty(2, 7, &[])]);
    lab.give(Event::Vanished(key(1), older));
    lab.give(Event::Vanished(key(2), newer));
    lab.give(Event::Resume(Scope::All));
    assert_eq!(lab.started(), [1]);
}

#[test]
fn a_policy_that_waits_is_asked_again_about_another_version() {
    let mut lab = Lab::new();
    lab.tell(&[policy(1, 7)]);
    lab.finish(1, Outcome::WaitFor { key: key(101), at_most: Duration::from_secs(60) });
    lab.tell(&[policy(1, 7)]);
    assert_eq!(lab.started(), [1], "the same version waits on");
    lab.tell(&[policy(1, 8)]);
    assert_eq!(lab.start().0, Verb::HandleChange);
}

#[test]
fn a_policy_at_work_is_told_of_another_version_only() {
    let mut lab = Lab::new();
    lab.tell(&[policy(1, 7)]);
    lab.tell(&[policy(1, 7)]);
    assert_eq!(lab.said().len(), 1, "it started, and nothing else");
    lab.tell(&[policy(1, 8)]);
    assert_eq!(lab.said(), [Action::Superseded(lab.run(1))]);
}

#[test]
fn a_policy_that_has_claimed_does_not_claim_again() {
    let mut lab = Lab::new();
    lab.tell(&[policy(1, 7)]);
    assert!(lab.start().1);
    lab.tell(&[Fact { policy_claimed: true, ..policy(2, 7) }]);
    assert!(!lab.start().1);
}

#[test]
fn a_policy_that_ends_while_its_object_is_deleted_stores_nothing() {
    let mut lab = Lab::new();
    lab.tell(&[policy(1, 7)]);
    assert_eq!(lab.start().0, Verb::HandleChange);
    lab.tell(&[Fact { doomed: true, ..policy(1, 7) }]);
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [], "that it is policed would say that its delete policy has run");
    assert_eq!(lab.start().0, Verb::HandleDelete);
}

#[test]
fn a_delete_policy_that_was_skipped_follows_newer_facts_at_once() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { doomed: true, ..policy(1, 7) }]);
    lab.tell(&[Fact { doomed: true, ..policy(1, 8) }]);
    lab.finish(1, Outcome::Skipped);
    assert_eq!(lab.started(), [-1, -1]);
    lab.finish(1, Outcome::Skipped);
    assert_eq!(lab.started(), [] as [i64; 0], "there is nothing newer");
}

#[test]
fn a_register_says_nothing_about_what_this_program_saw_fail_or_has_at_work() {
    let retry = Retry {
        version: Version(7),
        attempts: 6,
        next_run: Moment(0),
        kind: FailureKind::Failed,
        text: TextHash::of("long ago"),
    };
    let remembered = Fact { retry: Some(retry), ..dirty(1, 7, &[]) };
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.tell(&[remembered]);
    lab.fail(1, "the first");
    lab.tell(&[remembered]);
    assert_eq!(lab.engine.explain(key(1), lab.now).attempts, 1);
    lab.after(10_000);
    lab.fail(1, "the second");
    assert_eq!(lab.engine.explain(key(1), lab.now).attempts, 2);
}

#[test]
fn many_that_are_done_are_forgotten_in_several_steps_without_waiting_for_an_event() {
    let mut lab = Lab::with(Config { concurrency: 10_000, unstored: 10_000, ..config() });
    let scan = lab.begin_read(&[0]);
    lab.tell(&many(3_000, 0, &[]));
    let runs = start_all(&mut lab);
    assert_eq!(runs.len(), 3_000);
    for run in runs {
        lab.give(Event::Finished(run, Outcome::DONE));
        lab.give(Event::Stored(run, Ok(Version(1))));
    }
    // Until the scan has ended it may tell of them what was true before.
    assert_eq!(lab.engine.counts().idle, 3_000);
    lab.log.clear();
    lab.end_read(scan, Complete::Partial);
    let mut steps = 1;
    while lab.log.contains(&Action::Wake(lab.now)) {
        assert!(!lab.engine.is_quiet());
        lab.log.clear();
        lab.after(0);
        steps += 1;
    }
    assert_eq!(lab.engine.counts(), Counts::default());
    assert!((3..10).contains(&steps), "{steps} steps");
}

#[test]
fn looking_through_many_for_what_a_read_did_not_contain_takes_several_steps() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    for part in many(20_000, 1, &[]).chunks(1_000) {
        lab.tell(part);
    }
    lab.log.clear();
    let read = lab.begin_read(&[0]);
    lab.end_read(read, Complete::Whole);
    assert!(!lab.engine.is_quiet() && lab.log.contains(&Action::Wake(lab.now)));
    for _ in 0..5 {
        lab.after(0);
    }
    assert!(!lab.log.is_empty());
    lab.log.clear();
    lab.after(0);
    assert_eq!(lab.said(), []);
    assert_eq!(lab.engine.counts().ready, 20_000);
}

#[test]
fn many_that_watch_one_object_are_woken_in_several_steps() {
    let mut lab = Lab::with(Config { concurrency: 10_000, unstored: 10_000, ..config() });
    lab.tell(&many(3_000, 1, &[]));
    let runs = start_all(&mut lab);
    assert_eq!(runs.len(), 3_000);
    for run in runs {
        let outcome = Outcome::WaitFor { key: key(1), at_most: Duration::from_secs(60) };
        lab.give(Event::Finished(run, outcome));
    }
    lab.log.clear();
    lab.give(Event::Changed(key(1)));
    let first = lab.started().len();
    assert!((1..3_000).contains(&first) && lab.log.contains(&Action::Wake(lab.now)), "{first}");
    assert!(lab.engine.counts().resting > 1_000, "some are not even woken: {:?}", lab.engine.counts());
    let mut all = first;
    for _ in 0..10 {
        lab.after(0);
        all += lab.started().len();
    }
    assert_eq!(all, 3_000);
}

#[test]
fn who_waits_for_another_object_now_does_not_go_on_waiting_for_the_first() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    lab.dirty(2, 1, &[]);
    lab.dirty(201, 1, &[1]);
    lab.dirty(201, 1, &[2]);
    assert_eq!(lab.started(), [1, 2]);
    lab.succeed(2);
    assert_eq!(lab.started(), [201], "1 still runs");
}

#[test]
fn a_change_of_a_clean_object_just_before_wait_for_is_not_missed() {
    let mut lab = Lab::new();
    lab.dirty(101, 1, &[]);
    lab.tell(&[Fact { why: Why::Change, ..Fact::clean(key(1), ModelId(0), ReadId(0)) }]);
    lab.tell(&[Fact { why: Why::Scan, ..Fact::clean(key(2), ModelId(0), ReadId(0)) }]);
    let wait = |id| Outcome::WaitFor { key: key(id), at_most: Duration::from_secs(60) };
    lab.finish(101, wait(2));
    assert_eq!(lab.started(), [101], "that one was only found");
    lab.dirty(102, 1, &[]);
    lab.tell(&[Fact { why: Why::Change, ..Fact::clean(key(3), ModelId(0), ReadId(0)) }]);
    lab.finish(102, wait(3));
    assert_eq!(lab.started(), [102, 102]);
}

#[test]
fn whatever_holds_an_object_is_told() {
    let held = |lab: &Lab, id: u32| match lab.engine.explain(key(id), lab.now).state {
        State::Ready { held, .. } => held,
        state => panic!("{state:?}"),
    };
    let mut lab = Lab::bare(config());
    lab.dirty(101, 1, &[]);
    let reading = Hold::Reading("Site".to_owned());
    assert_eq!(held(&lab, 101), [Hold::NotLeading, reading], "a Slice depends on its Site");
    for scope in [Scope::All, Scope::Model(ModelId(0)), Scope::Object(key(1))] {
        let mut lab = Lab::new();
        lab.give(Event::Pause(scope));
        lab.dirty(1, 1, &[]);
        assert_eq!(held(&lab, 1), [Hold::Paused], "{scope:?}");
        lab.give(Event::Resume(scope));
        assert_eq!(lab.started(), [1]);
    }
    for (event, hold) in [(Event::CoreDown, Hold::CoreDown), (Event::Shutdown, Hold::Stopping)] {
        let mut lab = Lab::new();
        lab.give(event);
        lab.dirty(1, 1, &[]);
        assert_eq!(held(&lab, 1), [hold]);
    }
    let limits = vec![Limit { models: vec![ModelId(1)], lane: Lane::Sync, at_most: 1 }];
    let mut lab = Lab::with(Config { concurrency: 2, unstored: 1, limits, ..config() });
    lab.dirty(101, 1, &[]);
    lab.dirty(102, 1, &[]);
    assert_eq!(held(&lab, 102), [Hold::Limit(1)]);
    lab.dirty(1, 1, &[]);
    lab.dirty(2, 1, &[]);
    assert_eq!(held(&lab, 2), [Hold::Limit(2)]);
    lab.finish(1, Outcome::DONE);
    assert_eq!(held(&lab, 2), [Hold::Unstored]);
}

#[test]
fn who_waits_for_a_circle_is_not_in_it() {
    let mut lab = Lab::with(Config { models: vec![Model::default(); 3], ..config() });
    lab.tell(&[1, 2, 3].map(|id| dirty(id, 1, &[])));
    for (id, target) in [(1, 2), (2, 3), (3, 2)] {
        lab.finish(id, Outcome::WaitFor { key: key(target), at_most: Duration::from_secs(60) });
    }
    let circle = |id| lab.engine.circle(key(id));
    assert_eq!(circle(1), [] as [&str; 0]);
    assert_eq!(
        circle(2),
        ["model 0 2", "model 0 3", "model 0 2"],
        "models without a name are told by number"
    );
}
