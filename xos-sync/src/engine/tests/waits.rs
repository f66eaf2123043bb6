//! Waiting for a condition on another object.

use super::*;
use std::time::Duration;

fn wait_until(id: u32, show: bool) -> Outcome {
    Outcome::WaitUntil { key: key(id), at_most: Duration::from_secs(60), show }
}

#[test]
fn a_condition_wakes_when_the_shell_says_so_and_not_when_its_object_changes() {
    let mut lab = Lab::new();
    lab.dirty(101, 1, &[]);
    assert_eq!(lab.started(), [101]);
    lab.finish(101, wait_until(1, true));
    assert!(lab.log.contains(&Action::Watch(key(1))));
    assert_eq!(lab.stores(), [Store::Waiting]);
    let run = lab.run(101);
    lab.give(Event::Stored(run, Ok(Version(0))));
    lab.tell(&[Fact { why: Why::Change, ..Fact::clean(key(1), ModelId(0), ReadId(0)) }]);
    lab.after(1000);
    assert_eq!(lab.started(), [] as [i64; 0]);
    assert_eq!(lab.explain(101), "Slice 101: its step waits for Site 1, looks again in 59 s");
    lab.give(Event::Met(key(101), Lane::Policy));
    assert_eq!(lab.started(), [] as [i64; 0], "the other lane");
    lab.give(Event::Met(key(101), Lane::Sync));
    assert_eq!(lab.start().3, Why::Awaited);
    assert!(lab.log.contains(&Action::Unwatch(key(1))));
    lab.finish(101, wait_until(1, false));
    assert_eq!(lab.stores(), [], "it is shown already");
    lab.after(60_000);
    assert_eq!(lab.start().3, Why::Awaited, "the limit");
}

#[test]
fn both_lanes_wait_for_different_objects() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { policy: Due::At(Version(7)), ..dirty(101, 5, &[]) }]);
    lab.finish(101, wait_until(1, false));
    lab.finish(101, wait_until(101, false));
    assert_eq!(lab.started(), [101, 101], "each lane once");
    lab.give(Event::Met(key(101), Lane::Policy));
    assert_eq!(lab.start().0, Verb::HandleChange);
    lab.finish(101, Outcome::DONE);
    let run = lab.run(101);
    lab.give(Event::Stored(run, Ok(Version(7))));
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.give(Event::Met(key(101), Lane::Sync));
    assert_eq!(lab.start().0, Verb::SyncRecord);
    lab.succeed(101);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn two_that_wait_for_each_other_name_each_other() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    lab.dirty(101, 1, &[]);
    lab.finish(1, wait_until(101, false));
    assert_eq!(lab.engine.circle(key(1)), [] as [&str; 0]);
    lab.finish(101, wait_until(1, false));
    assert_eq!(lab.engine.circle(key(1)), ["Site 1", "Slice 101", "Site 1"]);
    let both = "these wait for each other: Slice 101 -> Site 1 -> Slice 101";
    assert_eq!(
        lab.explain(101),
        format!("Slice 101: its step waits for Site 1, looks again in 60 s; {both}")
    );
}

#[test]
fn a_recheck_that_waits_sleeps_and_its_success_is_stored() {
    let mut lab = Lab::new();
    lab.dirty(101, 1, &[]);
    lab.finish(101, Outcome::Done { recheck: Some(Duration::from_secs(10)) });
    let run = lab.run(101);
    lab.give(Event::Stored(run, Ok(Version(1))));
    lab.started();
    lab.after(10_000);
    assert_eq!(lab.start().3, Why::Recheck);
    lab.finish(101, wait_until(1, true));
    lab.stores();
    let run = lab.run(101);
    lab.give(Event::Stored(run, Ok(Version(0))));
    lab.after(1000);
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.give(Event::Met(key(101), Lane::Sync));
    assert_eq!(lab.started(), [101]);
    lab.stores();
    lab.finish(101, Outcome::DONE);
    assert!(matches!(lab.stores()[..], [Store::Success { .. }]), "the core shows that it waits");
}
