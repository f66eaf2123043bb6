//! Which facts are news.

use super::*;

#[test]
fn a_slow_scan_does_not_run_finished_objects_again() {
    let mut lab = Lab::new();
    let scan = lab.begin_read(&[0]);
    lab.dirty(1, 7, &[]);
    lab.succeed(1);
    assert_eq!(lab.started(), [1]);
    // Seen before the write, told after it.
    lab.tell_from(scan, &[dirty(1, 7, &[]), dirty(1, 6, &[])]);
    assert_eq!(lab.started(), [] as [i64; 0]);
    assert_eq!(lab.engine.counts().idle, 1);
    lab.end_read(scan, Complete::Whole);
    assert_eq!(lab.engine.counts(), Counts::default());
    // Whoever makes it dirty at the same version on purpose is heard by the next read.
    lab.dirty(1, 7, &[]);
    assert_eq!(lab.started(), [1]);
}

#[test]
fn a_read_between_the_write_and_its_answer_tells_no_old_news() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    let read = lab.begin_read(&[]);
    lab.succeed(1);
    lab.started();
    lab.tell_from(read, &[dirty(1, 7, &[])]);
    assert_eq!(lab.started(), [] as [i64; 0]);
}

#[test]
fn a_change_just_after_the_write_is_news_though_its_read_began_before_the_answer() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    let read = lab.begin_read(&[]);
    lab.succeed(1);
    lab.started();
    lab.tell_from(read, &[dirty(1, 8, &[])]);
    assert_eq!(lab.started(), [1]);
}

#[test]
fn of_two_reads_the_one_that_began_later_counts() {
    let mut lab = Lab::with(Config { concurrency: 1, ..config() });
    lab.dirty(9, 1, &[]);
    let (early, late) = (lab.begin_read(&[]), lab.begin_read(&[]));
    lab.tell_from(late, &[dirty(1, 8, &[]), Fact::clean(key(2), ModelId(0), late)]);
    lab.tell_from(early, &[dirty(1, 7, &[]), dirty(2, 7, &[])]);
    assert_eq!(lab.engine.explain(key(1), lab.now).sync, Due::At(Version(8)));
    assert_eq!(lab.engine.explain(key(2), lab.now).sync, Due::No);
    lab.end_read(early, Complete::Partial);
    // Later words of one read replace its earlier ones.
    lab.tell_from(late, &[dirty(1, 9, &[])]);
    assert_eq!(lab.engine.explain(key(1), lab.now).sync, Due::At(Version(9)));
    lab.end_read(late, Complete::Partial);
    assert_eq!(lab.engine.counts().idle, 0);
}

#[test]
fn a_reaped_object_is_not_deleted_again() {
    let mut lab = Lab::new();
    let scan = lab.begin_read(&[0]);
    lab.doomed(1, &[]);
    lab.succeed(1);
    let doomed = Fact { sync: Due::No, doomed: true, ..dirty(1, 7, &[]) };
    lab.tell_from(scan, &[doomed, dirty(1, 5, &[])]);
    lab.doomed(2, &[]);
    let between = lab.begin_read(&[]);
    lab.succeed(2);
    lab.tell_from(between, &[Fact { key: key(2), ..doomed }]);
    assert_eq!(lab.started(), [-1, -2]);
    lab.end_read(scan, Complete::Whole);
    lab.end_read(between, Complete::Partial);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_whole_read_drops_what_it_should_have_contained() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    for id in [1, 2, 101] {
        lab.dirty(id, 7, &[]);
    }
    lab.doomed(3, &[]);
    let scan = lab.begin_read(&[0]);
    lab.tell_from(scan, &[Fact { why: Why::Scan, ..dirty(1, 7, &[]) }]);
    // Found by another read meanwhile: the scan began too early to deny it.
    lab.dirty(4, 7, &[]);
    lab.end_read(scan, Complete::Whole);
    assert_eq!(lab.engine.counts().ready, 3);
    for (id, known) in [(1, true), (2, false), (3, false), (4, true), (101, true)] {
        assert_eq!(lab.engine.explain(key(id), lab.now).state != State::Unknown, known, "{id}");
    }
}

#[test]
fn a_failed_read_drops_nothing() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    lab.dirty(1, 7, &[]);
    let scan = lab.begin_read(&[0]);
    lab.end_read(scan, Complete::Partial);
    assert_eq!(lab.engine.counts().ready, 1);
}

#[test]
fn a_whole_read_is_not_the_end_of_a_run_or_of_a_recheck() {
    let mut lab = Lab::new();
    lab.dirty(1, 7, &[]);
    lab.dirty(2, 7, &[]);
    lab.finish(2, Outcome::Done { recheck: Some(std::time::Duration::from_secs(5)) });
    lab.stored(2);
    lab.read_all();
    assert_eq!(lab.engine.counts(), Counts { running: 1, resting: 1, ..Counts::default() });
}

#[test]
fn dropping_many_takes_several_steps() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    let all: Vec<Fact<'_>> =
        (0..5000).map(|id| Fact { key: ObjectKey::new(ModelId(0), id), ..dirty(1, 7, &[]) }).collect();
    lab.tell(&all);
    lab.read_all();
    assert!((1..5000).contains(&lab.engine.counts().ready));
    for _ in 0..10 {
        lab.after(0);
    }
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn an_object_starts_when_the_models_it_links_to_have_been_read() {
    let mut lab = Lab::bare(config());
    lab.give(Event::Leader(Term(1)));
    assert_eq!(lab.said(), [Action::Scan([0, 1, 2].map(ModelId).into())]);
    let [sites, slices, nodes] = [0, 1, 2].map(|model| lab.begin_read(&[model]));
    lab.tell_from(nodes, &[dirty(201, 1, &[])]);
    lab.tell_from(slices, &[dirty(101, 1, &[])]);
    lab.tell_from(sites, &[dirty(1, 1, &[]), Fact { sync: Due::No, doomed: true, ..dirty(2, 1, &[]) }]);
    assert_eq!(lab.started(), [1]);
    assert_eq!(
        lab.explain(201),
        "Node 201: ready for sync_record, but Site has not been read and Slice has not been read"
    );
    assert!(!lab.engine.is_quiet());
    lab.end_read(nodes, Complete::Whole);
    lab.end_read(slices, Complete::Partial);
    lab.end_read(sites, Complete::Whole);
    assert_eq!(lab.started(), [101]);
    // Whoever may link to a doomed object has to be read before it is deleted.
    let slices = lab.begin_read(&[1]);
    lab.tell_from(slices, &[dirty(101, 1, &[])]);
    lab.end_read(slices, Complete::Whole);
    assert_eq!(lab.started(), [201, -2]);
}

#[test]
fn after_a_gap_everything_is_read_again_before_what_depends_on_it_starts() {
    let mut lab = Lab::new();
    let old = lab.begin_read(&[0]);
    lab.give(Event::Gap);
    assert_eq!(lab.said(), [Action::Scan([0, 1, 2].map(ModelId).into())]);
    lab.dirty(101, 1, &[]);
    // A read that started before the gap proves nothing.
    lab.end_read(old, Complete::Whole);
    assert_eq!(lab.started(), [] as [i64; 0]);
    let sites = lab.begin_read(&[0]);
    lab.end_read(sites, Complete::Whole);
    assert_eq!(lab.started(), [101]);
}

#[test]
fn facts_of_unknown_models_are_ignored() {
    let mut lab = Lab::new();
    lab.tell(&[Fact { leaf: ModelId(77), ..dirty(1, 1, &[]) }]);
    assert_eq!(lab.engine.counts(), Counts::default());
}

#[test]
fn a_slow_scan_does_not_run_finished_policies_again() {
    let mut lab = Lab::new();
    let policed = Fact { sync: Due::No, policy: Due::At(Version(7)), ..dirty(1, 0, &[]) };
    lab.tell(&[policed]);
    let scan = lab.begin_read(&[0]);
    lab.succeed(1);
    assert_eq!(lab.started(), [1]);
    lab.tell_from(scan, &[policed]);
    assert_eq!(lab.started(), [] as [i64; 0]);
    lab.tell_from(scan, &[Fact { policy: Due::At(Version(8)), ..policed }]);
    assert_eq!(lab.started(), [1]);
}

#[test]
fn an_object_may_turn_out_to_be_of_a_more_special_model() {
    let mut lab = Lab::new();
    lab.give(Event::Pause(Scope::All));
    for id in [1, 2, 3] {
        lab.dirty(id, 7, &[]);
    }
    lab.tell(&[Fact { leaf: ModelId(1), ..dirty(2, 7, &[]) }]);
    lab.give(Event::Pause(Scope::Model(ModelId(0))));
    lab.give(Event::Resume(Scope::All));
    assert_eq!(lab.started(), [2]);
    assert_eq!(lab.explain(2), "Slice 2: sync_record is running for 0 s");
    lab.give(Event::Resume(Scope::Model(ModelId(0))));
    assert_eq!(lab.started(), [1, 3]);
}
