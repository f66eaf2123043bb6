//! Start and end of everything, and the time between.

use super::*;

#[test]
fn nothing_starts_before_leadership() {
    let mut lab = Lab::bare(config());
    lab.read_all();
    lab.dirty(1, 1, &[]);
    assert_eq!(lab.said(), []);
    assert_eq!(lab.explain(1), "Site 1: ready for sync_record, but this replica does not lead");
    lab.give(Event::Leader(Term(1)));
    assert_eq!(lab.started(), [1]);
    assert_eq!(lab.said(), [Action::Scan([0, 1, 2].map(ModelId).into())]);
    // A new term of the same leader is nothing new.
    lab.give(Event::Leader(Term(2)));
    assert_eq!(lab.said(), []);
}

#[test]
fn while_the_core_is_away_nothing_starts_and_results_wait() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    lab.give(Event::CoreDown);
    lab.dirty(2, 1, &[]);
    lab.finish(1, Outcome::DONE);
    assert_eq!((lab.started(), lab.stores()), (vec![1], vec![]));
    assert_eq!(lab.explain(1), "Site 1: has run, its result is being stored");
    assert_eq!(lab.explain(2), "Site 2: ready for sync_record, but the core is away");
    lab.give(Event::CoreUp);
    assert_eq!(lab.started(), [2]);
    lab.stored(1);
    assert_eq!(lab.said(), [Action::Scan([0, 1, 2].map(ModelId).into())]);
}

#[test]
fn a_passed_deadline_cancels_and_the_step_keeps_its_slot_until_it_stops() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    lab.dirty(1, 1, &[]);
    lab.dirty(2, 1, &[]);
    lab.after(599_999);
    assert_eq!((lab.started(), lab.said()), (vec![1], vec![]));
    lab.after(1);
    let run = lab.run(1);
    assert_eq!(lab.said(), [Action::Cancel { run, why: Cancel::TimedOut }]);
    lab.after(10_000);
    let note = Note::WillNotStop { run, key: key(1), since: Moment(lab.now.0 - 610_000) };
    assert_eq!(lab.said(), [Action::Note(note)]);
    assert_eq!(lab.explain(1), "Site 1: sync_record is running for 610 s, was cancelled and has not stopped");
    lab.after(1_000_000);
    assert_eq!(lab.said(), []);
    lab.finish(1, Outcome::TimedOut);
    assert_eq!(lab.started(), [2]);
}

#[test]
fn without_a_deadline_a_step_runs_as_long_as_it_likes() {
    let mut lab = Lab::with(Config { deadline: None, ..config() });
    lab.dirty(1, 1, &[]);
    assert!(matches!(lab.log[..], [Action::Start { deadline: Moment::NEVER, .. }]));
    lab.started();
    lab.after(u64::from(u32::MAX));
    assert_eq!(lab.said(), []);
}

#[test]
fn answers_of_an_earlier_life_are_dropped() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    let old = lab.run(1);
    lab.fail(1, "no");
    lab.dirty(1, 2, &[]);
    lab.started();
    lab.give(Event::Finished(old, Outcome::DONE));
    lab.give(Event::Stored(old, Ok(Version(2))));
    lab.give(Event::Stored(lab.run(1), Ok(Version(2))));
    lab.give(Event::Finished(Run { slot: 99, life: 1 }, Outcome::Gone));
    assert_eq!(lab.said(), []);
    assert_eq!(lab.engine.counts(), Counts { running: 1, ..Counts::default() });
}

#[test]
fn when_leadership_is_lost_all_is_cancelled_and_dropped() {
    let mut lab = Lab::with(Config { concurrency: 3, ..config() });
    let scan = lab.begin_read(&[0]);
    for id in [1, 2, 3, 4] {
        lab.dirty(id, 1, &[]);
    }
    lab.finish(3, Outcome::DONE);
    lab.log.clear();
    lab.give(Event::LeaderLost);
    let mut said = lab.said();
    said.sort_by_key(|action| match action {
        Action::Cancel { run, why: Cancel::LeaderLost } => run.slot,
        other => panic!("{other:?}"),
    });
    assert_eq!(said.len(), 3);
    assert_eq!(lab.engine.counts(), Counts { running: 3, ..Counts::default() });
    // Nothing is stored any more, and what the old reads say is not heard.
    lab.give(Event::Stored(lab.run(3), Ok(Version(1))));
    lab.finish(1, Outcome::DONE);
    lab.tell_from(scan, &[dirty(7, 1, &[])]);
    assert_eq!(lab.said(), []);
    lab.give(Event::Leader(Term(2)));
    lab.read_all();
    lab.log.clear();
    // The old step is still at work on this object.
    lab.dirty(2, 1, &[]);
    lab.dirty(1, 1, &[]);
    assert_eq!(lab.started(), [1]);
    assert_eq!(
        lab.explain(2),
        "Site 2: ready for sync_record, but a cancelled run of it has not stopped and 3 at once are running already"
    );
    let old = lab.run(2);
    lab.give(Event::Finished(old, Outcome::Interrupted));
    assert_eq!(lab.started(), [2]);
}

#[test]
fn what_is_paused_does_not_start() {
    for scope in [Scope::All, Scope::Model(ModelId(0)), Scope::Object(key(1))] {
        let mut lab = Lab::new();
        lab.give(Event::Pause(scope));
        lab.dirty(1, 1, &[]);
        lab.dirty(101, 1, &[1]);
        assert_eq!(lab.started(), [] as [i64; 0], "{scope:?}");
        assert_eq!(lab.explain(1), "Site 1: ready for sync_record, but it is paused");
        lab.give(Event::Resume(scope));
        assert_eq!(lab.started(), [1], "{scope:?}");
    }
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::Object(key(1))));
    lab.dirty(2, 1, &[]);
    assert_eq!(lab.started(), [2]);
}

#[test]
fn shutdown_waits_for_what_runs_and_what_is_to_be_stored_and_for_nothing_else() {
    let mut lab = Lab::with(Config { concurrency: 2, ..config() });
    lab.dirty(1, 1, &[]);
    lab.dirty(101, 1, &[1]);
    lab.dirty(2, 1, &[]);
    lab.dirty(3, 1, &[]);
    assert_eq!(lab.started(), [1, 2]);
    lab.give(Event::Shutdown);
    lab.give(Event::Shutdown);
    lab.finish(1, Outcome::failed("no"));
    lab.finish(2, Outcome::Interrupted);
    lab.log.retain(|action| !matches!(action, Action::Wake(_) | Action::Note(_)));
    assert!(matches!(lab.log[..], [Action::Store { .. }]));
    lab.stored(1);
    assert_eq!(lab.said(), [Action::Drained]);
    lab.after(1_000_000);
    assert_eq!(lab.said(), []);
    assert_eq!(lab.explain(3), "Site 3: ready for sync_record, but the program stops");
    let mut idle = Lab::new();
    idle.give(Event::Shutdown);
    assert_eq!(idle.said(), [Action::Drained]);
}

#[test]
fn a_wake_is_asked_for_only_when_it_is_earlier_or_the_last_has_come() {
    let mut lab = Lab::new();
    let wakes = |lab: &mut Lab| -> Vec<u64> {
        let now = lab.now.0;
        lab.log
            .drain(..)
            .filter_map(|a| if let Action::Wake(at) = a { Some(at.0 - now) } else { None })
            .collect()
    };
    lab.dirty(1, 1, &[]);
    assert_eq!(wakes(&mut lab), [600_000]);
    lab.now = Moment(lab.now.0 + 100);
    lab.dirty(2, 1, &[]);
    assert!(wakes(&mut lab).is_empty());
    lab.finish(1, Outcome::DONE);
    lab.stored(1);
    lab.finish(2, Outcome::DONE);
    lab.stored(2);
    assert!(wakes(&mut lab).is_empty());
    lab.dirty(3, 1, &[]);
    lab.fail(3, "no");
    let [retry] = wakes(&mut lab)[..] else { panic!() };
    assert!((5_000..=6_250).contains(&retry));
    lab.after(retry - 1);
    assert!(wakes(&mut lab).is_empty());
    lab.after(1);
    assert_eq!(wakes(&mut lab), [600_000]);
}

#[test]
fn questions_are_answered() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.started();
    lab.log.clear();
    lab.give(Event::Ask(key(1)));
    lab.give(Event::Ask(key(299)));
    let [Action::Answer(one), Action::Answer(other)] = &lab.log[..] else { panic!("{:?}", lab.log) };
    assert_eq!((one.sync, one.last, one.name.as_str()), (Due::At(Version(7)), Some(Why::Change), "Site 1"));
    assert_eq!(other.to_string(), "Node 299: nothing is due, as far as is known");
}

#[test]
fn it_is_quiet_when_all_was_read_and_nothing_can_start() {
    let mut lab = Lab::bare(config());
    assert!(!lab.engine.is_quiet());
    lab.give(Event::Leader(Term(1)));
    assert!(!lab.engine.is_quiet());
    lab.read_all();
    assert!(lab.engine.is_quiet());
    lab.dirty(1, 1, &[]);
    assert!(!lab.engine.is_quiet());
    lab.finish(1, Outcome::failed("no"));
    assert!(!lab.engine.is_quiet());
    lab.stored(1);
    assert!(lab.engine.is_quiet());
}

#[test]
fn what_is_undone_is_counted() {
    let mut lab = Lab::new();
    let again = Outcome::Done { recheck: Some(std::time::Duration::ZERO) };
    lab.dirty(1, 1, &[]);
    lab.fail(1, "no");
    lab.dirty(101, 1, &[1]);
    lab.tell(&[Fact { policy: Due::At(Version(1)), ..Fact::clean(key(2), ModelId(0), ReadId(0)) }]);
    lab.doomed(3, &[]);
    lab.dirty(4, 1, &[]);
    lab.finish(4, again);
    lab.stored(4);
    assert_eq!(lab.engine.undone(), 4);
    // A clean object that fails a re-check is not as it should be either.
    lab.fail(4, "broken");
    lab.succeed(3);
    assert_eq!(lab.engine.undone(), 4);
    assert_eq!(Lab::new().engine.undone(), 0);
}
