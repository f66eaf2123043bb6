//! Who goes first.

use super::*;

/// Finishes what runs, wave by wave; the ids of each wave, sorted.
fn waves(lab: &mut Lab) -> Vec<Vec<i64>> {
    let mut waves = Vec::new();
    loop {
        let mut wave = lab.started();
        if wave.is_empty() {
            return waves;
        }
        wave.sort_unstable();
        for id in &wave {
            lab.succeed(id.unsigned_abs() as u32);
        }
        waves.push(wave);
    }
}

#[test]
fn an_object_waits_only_for_the_dirty_objects_it_depends_on() {
    let check = |dirty_ones: &[(u32, &[u32])], expected: &[&[i64]]| {
        for reversed in [false, true] {
            let mut lab = Lab::new();
            let mut all: Vec<(u32, &[u32])> = dirty_ones.to_vec();
            if reversed {
                all.reverse();
            }
            lab.give(Event::Pause(Scope::All));
            for (id, links) in &all {
                lab.dirty(*id, 1, links);
            }
            lab.give(Event::Resume(Scope::All));
            assert_eq!(waves(&mut lab), expected, "{dirty_ones:?} reversed {reversed}");
            assert_eq!(lab.engine.counts(), Counts::default());
        }
    };
    check(&[(1, &[]), (101, &[]), (102, &[])], &[&[1, 101, 102]]);
    check(&[(1, &[]), (101, &[1]), (201, &[101])], &[&[1], &[101], &[201]]);
    // 3 is clean: nobody waits for it.
    check(&[(101, &[3]), (201, &[3, 101])], &[&[101], &[201]]);
    check(&[(201, &[1, 2, 101]), (2, &[]), (101, &[2]), (202, &[1])], &[&[2, 202], &[101], &[201]]);
    // Links to itself and twice to the same one.
    check(&[(101, &[101, 1, 1]), (1, &[1])], &[&[1], &[101]]);
}

#[test]
fn a_target_that_becomes_dirty_later_pulls_a_waiting_dependant_back() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    lab.dirty(5, 1, &[]);
    lab.dirty(101, 1, &[1]);
    assert_eq!(lab.started(), [5]);
    assert_eq!(lab.explain(101), "Slice 101: ready for sync_record, but 1 at once are running already");
    lab.dirty(1, 1, &[]);
    lab.succeed(5);
    assert_eq!(lab.started(), [1]);
    assert_eq!(lab.explain(101), "Slice 101: waits for Site 1: sync_record is running for 0 s");
    lab.succeed(1);
    assert_eq!(lab.started(), [101]);
}

#[test]
fn a_running_dependant_is_not_disturbed() {
    let mut lab = Lab::new();
    lab.dirty(101, 1, &[1]);
    lab.dirty(1, 1, &[]);
    assert_eq!(lab.started(), [101, 1]);
    assert_eq!(lab.said(), []);
}

#[test]
fn an_error_blocks_waiters_only_while_the_target_stays_dirty() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    lab.dirty(101, 1, &[1]);
    lab.dirty(201, 1, &[101]);
    lab.dirty(202, 1, &[2]);
    assert_eq!(lab.started(), [1, 202]);
    lab.fail(1, "no");
    assert_eq!(lab.notes(), [Note::Blocking { key: key(1), waiters: 1 }]);
    assert_eq!(lab.started(), [] as [i64; 0]);
    let told = lab.explain(201);
    assert!(
        told.starts_with("Node 201: waits for Slice 101: waits for Site 1: failed 1 time, next try in "),
        "{told}"
    );
    // Somebody else repairs it.
    lab.tell(&[Fact { why: Why::Change, ..Fact::clean(key(1), ModelId(0), ReadId(0)) }]);
    assert_eq!(lab.started(), [101]);
}

#[test]
fn deletion_goes_in_reverse() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    lab.doomed(1, &[]);
    lab.doomed(101, &[1]);
    lab.doomed(201, &[101, 1]);
    // A dirty object that links to a doomed one goes before it, and does not wait for it.
    lab.dirty(202, 1, &[101]);
    lab.give(Event::Resume(Scope::All));
    assert_eq!(waves(&mut lab), [vec![-201, 202], vec![-101], vec![-1]]);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_doomed_object_waits_no_longer_when_a_link_to_it_is_gone() {
    let mut lab = Lab::new();
    lab.dirty(201, 1, &[101]);
    lab.fail(201, "no");
    lab.doomed(101, &[]);
    assert_eq!(lab.started(), [201]);
    assert!(lab.explain(101).starts_with("Slice 101: waits for Node 201: failed 1 time"));
    lab.tell(&[Fact { why: Why::Scan, ..dirty(201, 1, &keys(&[102])) }]);
    assert_eq!(lab.started(), [-101]);
}

#[test]
fn a_dirty_object_that_becomes_doomed_frees_its_waiters() {
    let mut lab = Lab::new();
    lab.dirty(1, 1, &[]);
    lab.fail(1, "no");
    lab.dirty(101, 1, &[1]);
    assert_eq!(lab.started(), [1]);
    lab.doomed(1, &[]);
    // Its deletion is due at once, whatever failed before, but after what links to it.
    assert_eq!(waves(&mut lab), [vec![101], vec![-1]]);
}

#[test]
fn deletions_yield_to_ready_syncs_and_are_not_starved() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    lab.give(Event::Pause(Scope::All));
    for id in 1..=40 {
        lab.doomed(id + 40, &[]);
        lab.dirty(id, 1, &[]);
    }
    lab.give(Event::Resume(Scope::All));
    let order: Vec<i64> = waves(&mut lab).concat();
    assert_eq!(order[..32].iter().filter(|&&id| id < 0).count(), 2);
    assert_eq!(order.len(), 80);
}

#[test]
fn a_circle_is_reported_once_and_broken_at_the_newest() {
    let check = |dirty_ones: &[(u32, &[u32])], newest: u32, waves_expected: &[&[i64]]| {
        let mut lab = Lab::with(Config { concurrency: 8, ..config() });
        for version in [1, 2] {
            lab.give(Event::Pause(Scope::All));
            for (id, links) in dirty_ones {
                lab.dirty(*id, version, links);
            }
            lab.give(Event::Resume(Scope::All));
            let notes = lab.notes();
            if version == 1 {
                let [Note::Cycle { broken_at, keys }] = &notes[..] else { panic!("{notes:?}") };
                assert_eq!(*broken_at, key(newest));
                assert!(keys.contains(&key(newest)));
            } else {
                assert_eq!(notes, []);
            }
            assert_eq!(waves(&mut lab), waves_expected, "version {version}");
        }
        assert_eq!(lab.engine.counts(), Counts::default());
    };
    check(&[(1, &[2]), (2, &[1])], 2, &[&[2], &[1]]);
    check(&[(1, &[101]), (101, &[201]), (201, &[1])], 201, &[&[201], &[101], &[1]]);
    // What only hangs on the circle, and what the newest waits for besides.
    check(&[(1, &[2]), (2, &[1, 3]), (3, &[]), (101, &[1])], 2, &[&[3], &[2], &[1], &[101]]);
}

#[test]
fn a_circle_of_doomed_objects_is_broken_too() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    lab.doomed(1, &[2]);
    lab.doomed(2, &[1]);
    lab.give(Event::Resume(Scope::All));
    assert_eq!(lab.notes().len(), 1);
    assert_eq!(waves(&mut lab), [vec![-2], vec![-1]]);
}

#[test]
fn a_long_chain_comes_in_order_and_no_search_is_long() {
    let mut lab = Lab::with(Config { concurrency: 4, ..config() });
    lab.give(Event::Pause(Scope::All));
    for id in (0..99).rev() {
        lab.dirty(id, 1, &[id + 1]);
    }
    lab.give(Event::Resume(Scope::All));
    assert_eq!(waves(&mut lab).concat(), (0..99).rev().collect::<Vec<i64>>());
}

#[test]
fn no_model_starves_another() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    lab.give(Event::Pause(Scope::All));
    for id in 1..=50 {
        lab.dirty(id, 1, &[]);
    }
    lab.dirty(101, 1, &[]);
    lab.dirty(201, 1, &[]);
    lab.give(Event::Resume(Scope::All));
    let order = waves(&mut lab).concat();
    assert!(order[..6].contains(&101) && order[..6].contains(&201), "{order:?}");
}

#[test]
fn a_change_does_not_stand_behind_the_backlog_of_a_scan() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    for id in 1..=50 {
        lab.tell(&[Fact { why: Why::Scan, ..dirty(id, 1, &[]) }]);
    }
    lab.dirty(60, 1, &[]);
    let order = waves(&mut lab).concat();
    assert!(order[..4].contains(&60), "{order:?}");
}

#[test]
fn the_limits_hold() {
    let limits = vec![
        Limit { models: vec![ModelId(0), ModelId(1)], lane: Lane::Sync, at_most: 2 },
        Limit { models: vec![ModelId(1)], lane: Lane::Sync, at_most: 1 },
    ];
    let mut lab = Lab::with(Config { concurrency: 4, limits, ..config() });
    for id in [101, 102, 1, 2, 201, 202, 203] {
        lab.dirty(id, 1, &[]);
    }
    assert_eq!(lab.started(), [101, 1, 201, 202]);
    assert_eq!(
        lab.explain(102),
        "Slice 102: ready for sync_record, but 4 at once are running already and 2 at once are running already and 1 \
         at once are running already"
    );
    lab.succeed(201);
    assert_eq!(lab.started(), [203]);
    lab.succeed(101);
    let next = lab.started();
    assert!(next == [2] || next == [102], "{next:?}");
}

#[test]
fn nothing_starts_while_too_many_results_wait() {
    let mut lab = Lab::with(Config { unstored: 2, ..config() });
    for id in 1..=3 {
        lab.dirty(id, 1, &[]);
    }
    lab.finish(1, Outcome::DONE);
    lab.finish(2, Outcome::DONE);
    assert_eq!(lab.started(), [1, 2, 3]);
    lab.dirty(4, 1, &[]);
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.stored(1);
    assert_eq!(lab.started(), [4]);
}

#[test]
fn many_waiters_are_woken_in_several_steps() {
    let mut lab = Lab::with(Config { concurrency: 10_000, ..config() });
    lab.dirty(1, 1, &[]);
    let links = keys(&[1]);
    let facts: Vec<Fact<'_>> = (0..5000)
        .map(|id| Fact { key: ObjectKey::new(ModelId(1), id), leaf: ModelId(1), ..dirty(101, 1, &links) })
        .collect();
    lab.tell(&facts);
    assert_eq!(lab.started(), [1]);
    assert_eq!(lab.engine.counts().waiting, 5000);
    lab.succeed(1);
    let first = lab.started().len();
    assert!((1..5000).contains(&first) && !lab.engine.is_quiet());
    assert!(lab.engine.counts().waiting > 0, "some are not even woken");
    assert!(lab.log.contains(&Action::Wake(lab.now)));
    let mut all = first;
    for _ in 0..20 {
        lab.after(0);
        all += lab.started().len();
    }
    assert_eq!(all, 5000);
}

#[test]
fn who_goes_on_waiting_is_woken_when_the_target_changes_again_meanwhile() {
    let mut lab = Lab::with(Config { concurrency: 10_000, ..config() });
    lab.dirty(101, 1, &[1]);
    lab.fail(101, "no");
    lab.doomed(1, &[]);
    let links = keys(&[101]);
    let waiters: Vec<Fact<'_>> = (0..5000)
        .map(|id| Fact { key: ObjectKey::new(ModelId(2), id), leaf: ModelId(2), ..dirty(201, 1, &links) })
        .collect();
    lab.tell(&waiters);
    assert_eq!((lab.started(), lab.engine.counts().waiting), (vec![101], 5001));
    // The first waiter is the doomed target of the link, which waits for the deletion as well.
    lab.doomed(101, &[1]);
    assert!(lab.started().len() < 5000);
    let read = lab.begin_read(&[]);
    lab.give(Event::Vanished(key(101), read));
    for _ in 0..12 {
        lab.after(0);
    }
    assert!(lab.started().contains(&-1));
}

#[test]
fn policies_come_first_and_never_together_with_the_step() {
    let mut lab = Lab::new();
    let both = Fact { policy: Due::At(Version(7)), ..dirty(1, 5, &[]) };
    lab.tell(&[both]);
    assert_eq!(lab.start(), (Verb::HandleChange, true, 1, Why::Change));
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(7) }]);
    lab.give(Event::Stored(lab.run(1), Ok(Version(7))));
    assert_eq!(lab.start(), (Verb::SyncRecord, true, 1, Why::Change));
    lab.succeed(1);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_failing_policy_does_not_keep_a_live_object_from_its_step() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { policy: Due::At(Version(7)), ..dirty(1, 5, &[]) }]);
    lab.fail(1, "no");
    assert_eq!(lab.started(), [1, 1]);
    lab.succeed(1);
    assert_eq!(lab.engine.counts().resting, 1);
    lab.after(10_000);
    assert_eq!(lab.start(), (Verb::HandleChange, true, 2, Why::Retry));
}

#[test]
fn the_delete_policy_comes_before_delete_record_also_when_it_fails() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { policy: Due::At(Version(7)), sync: Due::No, doomed: true, ..dirty(1, 5, &[]) }]);
    assert_eq!(lab.start().0, Verb::HandleDelete);
    lab.fail(1, "no");
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.after(10_000);
    assert_eq!(lab.start().0, Verb::HandleDelete);
    lab.succeed(1);
    assert_eq!(lab.start().0, Verb::DeleteRecord);
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Reap]);
}

#[test]
fn what_a_policy_had_seen_does_not_stand_for_its_delete_policy() {
    let mut lab = Lab::new();
    let change = Fact { policy: Due::At(Version(7)), sync: Due::No, ..dirty(1, 5, &[]) };
    lab.tell(&[change]);
    assert_eq!(lab.start().0, Verb::HandleChange);
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(7) }]);
    // Deleted while that is being stored: the version stays as it was.
    lab.tell(&[Fact { doomed: true, ..change }]);
    let run = lab.run(1);
    lab.give(Event::Stored(run, Ok(Version(7))));
    assert_eq!(lab.start().0, Verb::HandleDelete);
}

#[test]
fn without_a_step_the_delete_policy_gives_the_object_to_the_reaper() {
    let mut lab = Lab::new();
    let deleted = Fact {
        policy: Due::At(Version(7)),
        sync: Due::No,
        doomed: true,
        policy_only: true,
        ..dirty(1, 5, &[])
    };
    lab.tell(&[deleted]);
    lab.finish(1, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Reap]);
    let run = lab.run(1);
    lab.give(Event::Stored(run, Ok(Version(0))));
    assert_eq!(lab.engine.counts(), Counts::default());
    // Claimed by a step of another program, it is only marked.
    lab.tell(&[Fact { claimed: true, ..Fact { key: key(2), ..deleted } }]);
    lab.finish(2, Outcome::DONE);
    assert_eq!(lab.stores(), [Store::Success { as_fetched: Version(7) }]);
    let run = lab.run(2);
    lab.give(Event::Stored(run, Ok(Version(7))));
    assert_eq!(lab.engine.counts(), Counts::default());
}
