//! Objects that change each other again and again: noticed by who wrote the change that a run starts for, and parked.
//!
//! A step that writes another object, whose step writes the first one, and so on, would go on for ever. The accessor of
//! each run ([`Noting`](super::noting::Noting)) notes what the run changed, and to which version; a run that starts for
//! that version was caused by it. Ten such starts of two objects that cause each other (or of the policy and the step of
//! one object), within a minute, are enough: both are parked for `engine.retry_cap`, or until somebody else changes one
//! of them.
//!
//! What is remembered is bounded: when there is too much, the older half is forgotten, and a circle is noticed later.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use xos_model_client::Record;

use super::causes::{By, Causes, Writer};
use super::halves::Halves;
use super::runs::what_runs;
use crate::engine::{Lane, Moment, ObjectKey, Version};
use crate::step::title;

/// How many starts that two objects cause each other are too many.
const TOO_MANY: usize = 10;

/// Within which time.
const WINDOW: Duration = Duration::from_secs(60);

/// How many of them each side has to have: who only follows does not cause.
const EACH: usize = TOO_MANY / 2 - 1;

/// How many causes of its starts are remembered of an object that is in a pair.
const CAUSES: usize = 4;

/// What is known of objects that change each other.
#[derive(Default)]
pub(super) struct Mutual {
    pub(super) causes: Causes,
    pairs: Halves<Pair, VecDeque<Start>>,
    /// Of objects that are in a pair: who caused their starts last, at most some, with the numbers of these starts.
    starts: Halves<ObjectKey, Vec<(Option<ObjectKey>, u64)>>,
    parked: HashMap<ObjectKey, Parked>,
    count: u64,
}

/// Two objects, or the lanes of one, or a lane that changes its own object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Pair {
    /// The smaller key first.
    keys: (ObjectKey, ObjectKey),
    /// Of one object: a lane that causes itself.
    itself: Option<Lane>,
}

/// A start that one of a pair caused.
#[derive(Clone, Copy)]
struct Start {
    when: Moment,
    number: u64,
    /// Which of the two started.
    side: bool,
}

#[derive(Clone)]
struct Parked {
    partner: ObjectKey,
    until: Moment,
    text: String,
}

/// What becomes of a run that is about to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// It has to rest for this long first.
    Park {
        after: Duration,
        text: String,
    },
    /// It goes, and is parked at its end if it changed the other one once more.
    Last(Last),
}

/// A run that began when there had been too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    key: ObjectKey,
    partner: ObjectKey,
    until: Moment,
    text: String,
    /// How many changes had been noted.
    noted: u64,
}

/// A run that is about to begin.
pub(super) struct Beginning<'a> {
    pub(super) key: ObjectKey,
    pub(super) lane: Lane,
    pub(super) version: Version,
    /// It starts because somebody changed the object, and this version was not tried before.
    pub(super) first: bool,
    pub(super) record: &'a Record,
    pub(super) now: Moment,
    /// For how long objects are parked.
    pub(super) cap: Duration,
}

impl Mutual {
    /// A run is about to begin. Objects in `freed` are not parked any more, and are to be tried again.
    pub(super) fn begins(&mut self, run: &Beginning<'_>, freed: &mut Vec<ObjectKey>) -> Verdict {
        let &Beginning { key, lane, version, first, now, .. } = run;
        match self.causes.of(key, lane, version) {
            By::Run { writer, again: false } => {
                self.started(key, Some(writer.key), freed);
                if let Some(last) = self.count(run, &writer) {
                    return Verdict::Last(last);
                }
            }
            By::Others if first => self.started(key, None, freed),
            By::Run { .. } | By::Others | By::Unknown => {}
        }
        match self.parked.get(&key) {
            Some(parked) if parked.until > now => {
                Verdict::Park { after: parked.until.since(now), text: parked.text.clone() }
            }
            Some(_) => {
                self.parked.remove(&key);
                Verdict::Go
            }
            None => Verdict::Go,
        }
    }

    /// A run that was to be the last one has ended: for how long it is parked, and why, if it changed the other one.
    /// Otherwise the two have found their peace.
    pub(super) fn last_has_ended(&mut self, last: &Last, now: Moment) -> Option<(Duration, String)> {
        if self.causes.has_changed(last.key, last.partner, last.noted) {
            return Some((last.until.since(now), last.text.clone()));
        }
        for key in [last.key, last.partner] {
            self.parked.remove(&key);
        }
        None
    }

    /// An object starts, because of this other one. What is caused from outside a pair ends that it is counted.
    fn started(&mut self, key: ObjectKey, because_of: Option<ObjectKey>, freed: &mut Vec<ObjectKey>) {
        self.count += 1;
        if let Some(starts) = self.starts.get(&key) {
            match starts.iter_mut().find(|(cause, _)| *cause == because_of) {
                Some((_, number)) => *number = self.count,
                None => {
                    if starts.len() >= CAUSES {
                        starts.sort_unstable_by_key(|(_, number)| *number);
                        starts.remove(0);
                    }
                    starts.push((because_of, self.count));
                }
            }
        }
        let Some(parked) = self.parked.get(&key) else { return };
        if because_of != Some(key) && because_of != Some(parked.partner) {
            let partner = parked.partner;
            for one in [key, partner] {
                if self.parked.remove(&one).is_some() && one != key {
                    freed.push(one);
                }
            }
        }
    }

    /// Counts a start that a run caused; whether there have been too many.
    fn count(&mut self, run: &Beginning<'_>, writer: &Writer) -> Option<Last> {
        let (one, other) = (run.key, writer.key);
        let pair = Pair {
            keys: (one.min(other), one.max(other)),
            itself: (one == other && run.lane == writer.lane).then_some(run.lane),
        };
        let side = if one == other { run.lane == Lane::Sync } else { one < other };
        let foreign = self.foreign(one, other).max(self.foreign(other, one));
        let since = run.now - WINDOW;
        if self.pairs.get(&pair).is_none() {
            self.pairs.put(pair, VecDeque::new());
        }
        let starts = self.pairs.get(&pair)?;
        starts.push_back(Start { when: run.now, number: self.count, side });
        starts.retain(|start| start.number > foreign && start.when >= since);
        if starts.len() > TOO_MANY {
            starts.pop_front();
        }
        let of_side = starts.iter().filter(|start| start.side == side).count();
        let fewer = of_side.min(starts.len() - of_side);
        if starts.len() < TOO_MANY
            || (pair.itself.is_none() && fewer < EACH)
            || self.parked.contains_key(&one)
        {
            return None;
        }
        starts.clear();
        let until = run.now + run.cap;
        let text = text(run, writer, pair.itself);
        self.parked.retain(|_, parked| parked.until > run.now);
        for (key, partner) in [(one, other), (other, one)] {
            self.parked.insert(key, Parked { partner, until, text: text.clone() });
        }
        Some(Last { key: one, partner: other, until, text, noted: self.causes.count() })
    }

    /// The latest start of an object that neither itself nor this other one caused.
    fn foreign(&mut self, key: ObjectKey, other: ObjectKey) -> u64 {
        if self.starts.get(&key).is_none() {
            self.starts.put(key, Vec::new());
            return 0;
        }
        let starts = self.starts.get(&key).map(|starts| starts.as_slice()).unwrap_or_default();
        let foreign = starts.iter().filter(|(cause, _)| *cause != Some(key) && *cause != Some(other));
        foreign.map(|(_, number)| *number).max().unwrap_or(0)
    }
}

/// What people read in the status of both.
fn text(run: &Beginning<'_>, writer: &Writer, itself: Option<Lane>) -> String {
    let name = |record: &Record| title(record, record.shape().model());
    let (one, other) = (name(run.record), name(&writer.record));
    let time = match run.cap.as_secs() {
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{} s", run.cap.as_secs_f64()),
    };
    let alone = format!("parked until somebody else changes it, or for {time}");
    match itself {
        Some(lane) => format!("the {} of {one} changes it again and again: {alone}", what_runs(lane)),
        None if run.key == writer.key => {
            format!("the policy and the step of {one} change it again and again: {alone}")
        }
        None => format!(
            "{other} and {one} change each other again and again: parked until one of them is changed by somebody \
             else, or for {time}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use xos_model_client::Model as _;
    use xos_model_client::models::Site;

    use super::super::causes::Changed;
    use super::*;
    use crate::engine::ModelId;

    /// A lane of an object.
    type One = (u32, Lane);

    const CAP: Duration = Duration::from_secs(300);

    fn key(id: u32) -> ObjectKey {
        ObjectKey::new(ModelId(0), id)
    }

    fn record(id: u32) -> Record {
        let site = Site { name: format!("site {id}"), ..Default::default() };
        Record::new(Site::shape().clone(), site.values())
    }

    /// Objects that start because of each other, one second after the other.
    #[derive(Default)]
    struct Lab {
        mutual: Mutual,
        version: u64,
        freed: Vec<ObjectKey>,
    }

    impl Lab {
        fn change(&mut self, by: (u32, Lane), key_changed: u32) {
            self.version += 1;
            let writer = Writer { key: key(by.0), lane: by.1, record: record(by.0) };
            let version = Some(Version(self.version));
            let changed = Changed { key: key(key_changed), sync: version, policy: version };
            self.mutual.causes.begins(changed.key, &writer);
            self.mutual.causes.ended(changed.key, &writer, Some(changed));
        }

        fn start(&mut self, of: u32, lane: Lane, seconds: u64) -> Verdict {
            let run = Beginning {
                key: key(of),
                lane,
                version: Version(self.version),
                first: true,
                record: &record(of),
                now: Moment(seconds * 1000),
                cap: CAP,
            };
            self.mutual.begins(&run, &mut self.freed)
        }

        /// How many starts go on before one is the last, if they go on like this.
        fn rounds(&mut self, each: &[(One, One)], pause: u64) -> Option<usize> {
            (0..40).find(|at| {
                let (by, starts) = each[at % each.len()];
                self.change(by, starts.0);
                matches!(self.start(starts.0, starts.1, *at as u64 * pause), Verdict::Last(_))
            })
        }
    }

    const SYNC: Lane = Lane::Sync;
    const POLICY: Lane = Lane::Policy;

    #[test]
    fn the_tenth_start_that_two_objects_cause_each_other_is_the_last() {
        let each = [((1, SYNC), (2, SYNC)), ((2, SYNC), (1, SYNC))];
        assert_eq!(Lab::default().rounds(&each, 1), Some(9));
        assert_eq!(Lab::default().rounds(&each, 7), None, "ten take more than a minute");
        let one = [((1, POLICY), (1, SYNC)), ((1, SYNC), (1, POLICY))];
        assert_eq!(Lab::default().rounds(&one, 1), Some(9));
        assert_eq!(Lab::default().rounds(&[((1, SYNC), (1, SYNC))], 1), Some(9), "itself");
        let mixed = [
            ((1, SYNC), (2, POLICY)),
            ((2, POLICY), (2, SYNC)),
            ((2, SYNC), (1, POLICY)),
            ((1, POLICY), (1, SYNC)),
        ];
        assert!(Lab::default().rounds(&mixed, 1).is_some());
    }

    #[test]
    fn who_only_follows_is_no_partner() {
        assert_eq!(Lab::default().rounds(&[((1, SYNC), (2, SYNC))], 1), None);
        let chain = [((1, SYNC), (2, SYNC)), ((2, SYNC), (3, SYNC)), ((3, SYNC), (4, SYNC))];
        assert_eq!(Lab::default().rounds(&chain, 1), None);
        let policy_only = [((1, SYNC), (1, POLICY))];
        assert_eq!(Lab::default().rounds(&policy_only, 1), None);
    }

    #[test]
    fn what_a_third_one_or_a_user_starts_again_and_again_is_no_circle() {
        // The two come to rest each time.
        let driven = [((3, SYNC), (1, SYNC)), ((1, SYNC), (2, SYNC)), ((2, SYNC), (1, SYNC))];
        assert_eq!(Lab::default().rounds(&driven, 1), None);
        let mut lab = Lab::default();
        for round in 0..20 {
            lab.version += 1;
            assert_eq!(lab.start(1, POLICY, round), Verdict::Go, "a user");
            lab.change((1, POLICY), 1);
            assert_eq!(lab.start(1, SYNC, round), Verdict::Go);
            lab.change((1, SYNC), 1);
            assert_eq!(lab.start(1, POLICY, round), Verdict::Go);
        }
    }

    #[test]
    fn both_are_parked_until_somebody_else_changes_one() {
        let mut lab = Lab::default();
        let each = [((1, SYNC), (2, SYNC)), ((2, SYNC), (1, SYNC))];
        lab.rounds(&each, 1);
        let parked = |verdict: Verdict| matches!(verdict, Verdict::Park { .. });
        lab.change((1, SYNC), 2);
        let Verdict::Park { after, text } = lab.start(2, SYNC, 20) else { panic!("it is not parked") };
        assert_eq!(after, Duration::from_secs(300 + 9 - 20));
        assert!(text.contains("(site 1)") && text.contains("(site 2)"), "{text}");
        assert!(text.ends_with("or for 5 min"), "{text}");
        lab.change((2, SYNC), 1);
        assert!(parked(lab.start(1, SYNC, 21)));
        lab.version += 1;
        assert_eq!(lab.start(2, SYNC, 22), Verdict::Go);
        assert_eq!(lab.freed, [key(1)], "the other one is tried again, too");
        lab.change((2, SYNC), 1);
        assert_eq!(lab.start(1, SYNC, 23), Verdict::Go);
    }

    #[test]
    fn parking_has_an_end_and_peace_ends_it_at_once() {
        let mut lab = Lab::default();
        let each = [((1, SYNC), (2, SYNC)), ((2, SYNC), (1, SYNC))];
        lab.rounds(&each, 1);
        lab.change((1, SYNC), 2);
        assert_eq!(lab.start(2, SYNC, 400), Verdict::Go);
        let mut lab = Lab::default();
        let mut last = None;
        for at in 0..10 {
            let (by, starts) = each[at % 2];
            lab.change(by, starts.0);
            if let Verdict::Last(verdict) = lab.start(starts.0, starts.1, at as u64) {
                last = Some(verdict);
            }
        }
        assert_eq!(lab.mutual.last_has_ended(&last.unwrap(), Moment(10_000)), None, "it changed nothing");
        lab.change((2, SYNC), 1);
        assert_eq!(lab.start(1, SYNC, 11), Verdict::Go);
    }
}
