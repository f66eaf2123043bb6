//! Why an object runs, or does not.

use std::fmt;

use super::entry::{Entry, Place};
use super::machine::{Engine, Stop};
use super::plan::Task;
use super::slab::NONE;
use super::types::{Due, FailureKind, Lane, Moment, ObjectKey, Run, Verb, Version, Why};
use super::watch::{Until, Watch};

/// How one object stands. [`Display`](fmt::Display) says it in a sentence:
/// "Slice 5: waits for Site 1: failed 3 times, next try in 12 s".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The object.
    pub key: ObjectKey,
    /// Leaf model and id, as a person would say it: "Slice 5".
    pub name: String,
    /// When this was true.
    pub now: Moment,
    /// The sync lane.
    pub sync: Due,
    /// The policy lane.
    pub policy: Due,
    /// Whether it is soft-deleted and waits for `delete_record`.
    pub doomed: bool,
    /// Failures so far at this version, in the lane whose turn it is.
    pub attempts: u16,
    /// Why it ran last, as far as the engine remembers.
    pub last: Option<Why>,
    /// What it is doing.
    pub state: State,
}

/// What an object is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The engine knows nothing about it: clean, not observed, or never read.
    Unknown,
    /// Nothing is due.
    Clean,
    /// It starts as soon as there is room, unless something holds it.
    Ready {
        /// What it would do.
        verb: Verb,
        /// Everything that holds it; empty when it is only not its turn yet.
        held: Vec<Hold>,
    },
    /// It waits for another object to be done first.
    Waits {
        /// How that one stands.
        on: Box<Explanation>,
    },
    /// `StepError::wait_for`, `ctx.wait_for`.
    Awaits {
        /// Which lane waits.
        lane: Lane,
        /// The object that it waits for.
        name: String,
        /// It waits for a condition on that object; otherwise any change will do.
        condition: bool,
        /// Runs again then at the latest.
        until: Moment,
        /// If that object waits, too, and so on until this one: the names of all that wait for each other, this one
        /// first and last. Only the limit ends that.
        circle: Vec<String>,
    },
    /// It failed and its delay is not over.
    Rests {
        /// How it failed.
        kind: FailureKind,
        /// When it is due.
        until: Moment,
    },
    /// Nothing is wrong, but it is not due before this: a re-check, or a pause after an interruption.
    Later {
        /// When it is due.
        until: Moment,
    },
    /// A step is at work.
    Running {
        /// Which run.
        run: Run,
        /// What it does.
        verb: Verb,
        /// Since when.
        since: Moment,
        /// Whether it was cancelled and has not stopped.
        cancelled: bool,
    },
    /// The step has ended, the result is not stored.
    Storing {
        /// Which run.
        run: Run,
    },
}

/// What keeps ready objects from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// This replica does not lead.
    NotLeading,
    /// The core is away.
    CoreDown,
    /// The program stops.
    Stopping,
    /// Everything, its model or the object is paused.
    Paused,
    /// The read of this model has not ended.
    Reading(String),
    /// As many steps run as may; with the limit.
    Limit(usize),
    /// Too many results wait to be stored.
    Unstored,
    /// A step that was cancelled when leadership was lost has not stopped.
    OldRun,
}

/// How far a chain of waits is followed: enough for a person, and an end in any case.
const DEPTH: usize = 8;

impl Engine {
    /// How this object stands, and why.
    pub fn explain(&self, key: ObjectKey, now: Moment) -> Explanation {
        match self.index.find(&self.entries, key) {
            Some(slot) => self.explain_entry(slot, now, DEPTH),
            None => Explanation {
                key,
                name: self.name(key, None),
                now,
                sync: Due::No,
                policy: Due::No,
                doomed: false,
                attempts: 0,
                last: None,
                state: State::Unknown,
            },
        }
    }

    fn explain_entry(&self, slot: u32, now: Moment, depth: usize) -> Explanation {
        let entry = &self.entries[slot];
        let due = |on: bool, version: Version| if on { Due::At(version) } else { Due::No };
        let extra = (entry.extra != NONE).then(|| &self.extras[entry.extra]);
        let rest = self.rest(entry.rest, entry.version, entry.doomed()).or_else(|| {
            extra.and_then(|extra| self.rest(extra.policy_rest, extra.policy_version, entry.doomed()))
        });
        let state = match entry.place {
            Place::Running | Place::Storing => self.explain_run(entry),
            _ => match self.task(slot, now) {
                Task::Nothing if entry.place == Place::Idle && entry.floor.0 == 0 => State::Unknown,
                Task::Nothing => State::Clean,
                Task::Later(until) => match (self.asleep(slot), rest) {
                    (Some(watch), _) => State::Awaits {
                        lane: watch.lane,
                        condition: watch.until == Until::Met,
                        name: self.name_of(watch.target),
                        until: watch.end,
                        circle: self.circle_of_waits(slot),
                    },
                    (_, Some(rest)) if rest.next_run > now => State::Rests { kind: rest.kind, until },
                    _ => State::Later { until },
                },
                Task::Now { verb, .. } => match self.blocker(slot, verb) {
                    Some(target) if depth > 0 => {
                        State::Waits { on: Box::new(self.explain_entry(target, now, depth - 1)) }
                    }
                    _ => State::Ready { verb, held: self.holds(entry, verb) },
                },
            },
        };
        Explanation {
            key: entry.key,
            name: self.name_of(slot),
            now,
            sync: due(entry.due(), entry.version),
            policy: extra.map_or(Due::No, |extra| due(extra.policy_due, extra.policy_version)),
            doomed: entry.doomed(),
            attempts: rest.map_or(0, |rest| rest.attempts),
            last: entry.last,
            state,
        }
    }

    /// The sleep that this entry is in: the policy's, if both lanes sleep.
    fn asleep(&self, slot: u32) -> Option<&Watch> {
        self.watch(slot, Lane::Policy).or_else(|| self.watch(slot, Lane::Sync))
    }

    /// The names of objects that wait for each other ([`Outcome::WaitFor`](super::Outcome::WaitFor)), from this one back
    /// to it; empty if it does not wait, or for something that will come.
    pub fn circle(&self, key: ObjectKey) -> Vec<String> {
        self.index.find(&self.entries, key).map(|slot| self.circle_of_waits(slot)).unwrap_or_default()
    }

    /// The names of entries that wait for each other, from this one back to it.
    fn circle_of_waits(&self, slot: u32) -> Vec<String> {
        let mut names = vec![self.name_of(slot)];
        let mut at = slot;
        while let Some(watch) = self.asleep(at).filter(|watch| watch.target != at && names.len() <= DEPTH) {
            at = watch.target;
            names.push(self.name_of(at));
            if at == slot {
                return names;
            }
        }
        Vec::new()
    }

    fn explain_run(&self, entry: &Entry) -> State {
        match self.runs.at(entry.at) {
            Some((run, _)) if entry.place == Place::Storing => State::Storing { run },
            Some((run, job)) => {
                State::Running { run, verb: job.verb, since: job.since, cancelled: job.cancelled }
            }
            None => State::Clean,
        }
    }

    /// Everything that keeps this ready entry from starting.
    fn holds(&self, entry: &Entry, verb: Verb) -> Vec<Hold> {
        let delete = matches!(verb, Verb::DeleteRecord | Verb::HandleDelete);
        let at = entry.leaf.0 as usize;
        let mut holds = Vec::new();
        let mut hold = |on: bool, what: Hold| {
            if on {
                holds.push(what);
            }
        };
        hold(self.leading.is_none(), Hold::NotLeading);
        hold(!self.core_up, Hold::CoreDown);
        hold(self.stop != Stop::No, Hold::Stopping);
        let paused = self.paused
            || self.paused_models.get(at).is_some_and(|&paused| paused)
            || self.paused_objects.contains(&entry.key);
        hold(paused, Hold::Paused);
        hold(self.runs.has_orphan(entry.key), Hold::OldRun);
        for model in self.reads.unread(entry.leaf, delete) {
            hold(true, Hold::Reading(self.model_name(model.0 as usize)));
        }
        let limit = self.config.concurrency.max(1);
        hold(self.runs.running() >= limit, Hold::Limit(limit));
        for &limit in self.limits_of.get(at).map_or(&[][..], Vec::as_slice) {
            let most = self.config.limits[limit as usize].at_most.max(1);
            hold(self.limit_used[limit as usize] >= most, Hold::Limit(most));
        }
        hold(self.runs.storing() >= self.config.unstored.max(1), Hold::Unstored);
        holds
    }

    fn name_of(&self, slot: u32) -> String {
        self.name(self.entries[slot].key, Some(self.entries[slot].leaf.0 as usize))
    }

    fn name(&self, key: ObjectKey, leaf: Option<usize>) -> String {
        format!("{} {}", self.model_name(leaf.unwrap_or(key.root().0 as usize)), key.id())
    }

    fn model_name(&self, model: usize) -> String {
        match self.config.models.get(model) {
            Some(model) if !model.name.is_empty() => model.name.clone(),
            _ => format!("model {model}"),
        }
    }
}

impl Explanation {
    /// When something will happen by itself, if that is known.
    pub fn next_due(&self) -> Option<Moment> {
        match &self.state {
            State::Awaits { until, .. } | State::Rests { until, .. } | State::Later { until } => Some(*until),
            State::Waits { on } => on.next_due(),
            State::Ready { .. } => Some(self.now),
            _ => None,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |until: Moment| until.since(self.now).as_millis().div_ceil(1000);
        write!(f, "{}: ", self.name)?;
        match &self.state {
            State::Unknown => f.write_str("nothing is due, as far as is known"),
            State::Clean => f.write_str("nothing is due"),
            State::Ready { verb, held } => {
                write!(f, "ready for {verb}")?;
                for (at, hold) in held.iter().enumerate() {
                    write!(f, "{} {hold}", if at == 0 { ", but" } else { " and" })?;
                }
                if held.is_empty() { f.write_str(", starts when it is its turn") } else { Ok(()) }
            }
            State::Waits { on } => write!(f, "waits for {on}"),
            State::Awaits { lane, name, condition, until, circle } => {
                let who = if *lane == Lane::Sync { "its step" } else { "its policy" };
                let what = if *condition { "" } else { "a change of " };
                write!(f, "{who} waits for {what}{name}, looks again in {} s", seconds(*until))?;
                if circle.is_empty() {
                    return Ok(());
                }
                write!(f, "; these wait for each other: {}", circle.join(" -> "))
            }
            State::Rests { kind, until } => {
                let verb = if *kind == FailureKind::Deferred { "deferred" } else { "failed" };
                let times = if self.attempts == 1 { "time" } else { "times" };
                write!(f, "{verb} {} {times}, next try in {} s", self.attempts, seconds(*until))
            }
            State::Later { until } => write!(f, "looked at again in {} s", seconds(*until)),
            State::Running { verb, since, cancelled, .. } => {
                write!(f, "{verb} is running for {} s", self.now.since(*since).as_secs())?;
                if *cancelled { f.write_str(", was cancelled and has not stopped") } else { Ok(()) }
            }
            State::Storing { .. } => f.write_str("has run, its result is being stored"),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandleChange => "its policy",
            Self::HandleDelete => "its delete policy",
            Self::SyncRecord => "sync_record",
            Self::DeleteRecord => "delete_record",
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeading => f.write_str("this replica does not lead"),
            Self::CoreDown => f.write_str("the core is away"),
            Self::Stopping => f.write_str("the program stops"),
            Self::Paused => f.write_str("it is paused"),
            Self::Reading(model) => write!(f, "{model} has not been read"),
            Self::Limit(most) => write!(f, "{most} at once are running already"),
            Self::Unstored => f.write_str("too many results wait to be stored"),
            Self::OldRun => f.write_str("a cancelled run of it has not stopped"),
        }
    }
}
