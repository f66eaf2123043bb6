//! From a record to what the engine has to know of it.

use xos_model_client::{ObjectId, Record, Timestamp, Value};

use super::clock::Clock;
use super::layout::{Leaf, value};
use super::status::{Register, last_message};
use crate::engine::{
    Due, Fact, Lane, ModelId, Moment, ObjectKey, ReadId, Retry, TextHash, Verb, Version, Why,
};

/// The engine's number of a version: the bits of the double, in the order of the doubles.
pub(crate) fn version_of(time: Timestamp) -> Version {
    let bits = time.seconds().to_bits();
    Version(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits })
}

/// The double that a version is, bit for bit.
pub(crate) fn time_of(version: Version) -> Timestamp {
    let bits = if version.0 >> 63 == 1 { version.0 & !(1 << 63) } else { !version.0 };
    Timestamp::from_seconds(f64::from_bits(bits))
}

/// The engine's key of an object.
pub(crate) fn key_of(root: xos_model_client::ModelId, id: ObjectId) -> ObjectKey {
    ObjectKey::new(ModelId(root.0), id.get() as u32)
}

/// The id of an object that a key names.
pub(crate) fn id_of(key: ObjectKey) -> ObjectId {
    ObjectId::new(key.id() as i32)
}

/// What a record says about its object, without links.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) id: ObjectId,
    /// The sync lane.
    pub(crate) due: Due,
    /// The policy lane; of a deleted object, its delete policy.
    pub(crate) policy: Due,
    pub(crate) doomed: bool,
    /// Soft-deleted, whether somebody has to work on that or not.
    pub(crate) deleted: bool,
    /// Deleted, and no step takes it.
    pub(crate) policy_only: bool,
    claimed: bool,
    policy_claimed: bool,
    retry: Option<Retry>,
    recheck: Option<Moment>,
}

/// What a record says about its object. In the sync lane nothing is due when no step takes it.
pub(crate) fn status_of(leaf: &Leaf, record: &Record, clock: &Clock) -> Status {
    let at = &leaf.at;
    let flag = |at| value(record, at).as_bool().unwrap_or(false);
    let deleted = flag(at.deleted);
    let stale = is_stale(leaf, record);
    let due = stale && may_be_synced(leaf, record);
    let doomed = deleted && !flag(at.need_reap);
    let selected = (due || doomed) && selects(leaf, record);
    let policy =
        if has_to_be_policed(leaf, record) { Due::At(policy_version(leaf, record)) } else { Due::No };
    let version = sync_version(leaf, record);
    let retry = (due || doomed).then(|| retry_of(leaf, record, clock)).flatten();
    Status {
        id: id(record, at.id),
        due: if due && selected { Due::At(version) } else { Due::No },
        policy,
        doomed: doomed && (selected || policy != Due::No),
        deleted,
        policy_only: doomed && !selected,
        claimed: flag(at.need_delete),
        policy_claimed: flag(at.need_delete_policy),
        retry,
        recheck: if stale || doomed { None } else { recheck_of(leaf, record, clock) },
    }
}

/// Whether the object was not enacted since it changed.
pub(crate) fn is_stale(leaf: &Leaf, record: &Record) -> bool {
    let time = |at| value(record, at).as_time();
    let enacted = time(leaf.at.enacted);
    enacted.is_none() || time(leaf.at.updated).max(time(leaf.at.changed_by_policy)) > enacted
}

/// Whether policies have to look at the object.
///
/// Deleting an object unsets `policed` and leaves its version as it was. A policy that was at work meanwhile may then
/// store what it had seen; that the delete policy has run is known by `backend_need_delete_policy`, which only that
/// takes back.
fn has_to_be_policed(leaf: &Leaf, record: &Record) -> bool {
    let flag = |at| value(record, at).as_bool().unwrap_or(false);
    let at = &leaf.at;
    if leaf.policies.is_empty() || (flag(at.deleted) && flag(at.need_reap)) {
        return false;
    }
    let time = |at| value(record, at).as_time();
    let policed = time(at.policed);
    let stale = policed.is_none() || time(at.updated).max(time(at.changed_by_step)) > policed;
    if flag(at.deleted) { stale || flag(at.need_delete_policy) } else { stale && !flag(at.no_policy) }
}

/// The version that policies work on.
pub(crate) fn policy_version(leaf: &Leaf, record: &Record) -> Version {
    let time = |at| value(record, at).as_time();
    version_of(time(leaf.at.updated).max(time(leaf.at.changed_by_step)).unwrap_or_default())
}

/// Whether no policy has looked at the object yet.
pub(crate) fn was_never_policed(leaf: &Leaf, record: &Record) -> bool {
    !value(record, leaf.at.policed).as_time().is_some_and(Timestamp::is_set)
}

/// Whether nothing about the object itself keeps steps away from it.
fn may_be_synced(leaf: &Leaf, record: &Record) -> bool {
    let flag = |at| value(record, at).as_bool().unwrap_or(false);
    !flag(leaf.at.deleted) && !flag(leaf.at.no_sync) && !flag(leaf.at.lazy_blocked)
}

/// Whether steps may look at the object though it is not dirty.
pub(crate) fn may_be_looked_at(leaf: &Leaf, record: &Record) -> bool {
    may_be_synced(leaf, record) && selects(leaf, record)
}

/// When a clean object is looked at, where a step has a `requested_interval`: that long after its last success.
fn recheck_of(leaf: &Leaf, record: &Record, clock: &Clock) -> Option<Moment> {
    let interval = leaf.recheck?;
    if !may_be_looked_at(leaf, record) {
        return None;
    }
    let register = Register::read(value(record, leaf.at.register).as_text().unwrap_or_default());
    let latest = clock.now() + interval;
    let due = register.last_success;
    let due = due.map(|time| clock.moment_after(Some(time), time + interval.as_secs_f64()));
    Some(due.map_or(latest, |due| due.min(latest)))
}

fn id(record: &Record, at: Option<usize>) -> ObjectId {
    match value(record, at) {
        Value::Int(id) => ObjectId::new(*id as i32),
        Value::Link(id) => *id,
        _ => ObjectId::UNSET,
    }
}

fn selects(leaf: &Leaf, record: &Record) -> bool {
    leaf.handlers.iter().any(|handler| {
        handler.step.takes_all() || handler.step.selects(handler.projection.of(record.clone()))
    })
}

fn retry_of(leaf: &Leaf, record: &Record, clock: &Clock) -> Option<Retry> {
    let register = value(record, leaf.at.register).as_text()?;
    // Most objects never failed: their register need not be parsed.
    if !register.contains("version") {
        return None;
    }
    let register = Register::read(register);
    let status = value(record, leaf.at.status).as_text().unwrap_or_default();
    Some(Retry {
        version: version_of(register.version()?),
        attempts: u16::try_from(register.exponent).unwrap_or(u16::MAX),
        next_run: clock.moment_after(register.last_failure, register.next_run),
        kind: register.failure_kind(),
        text: TextHash::of(last_message(status)),
    })
}

/// The links of a record to objects it has to wait for.
pub(crate) fn links_of(leaf: &Leaf, record: &Record, out: &mut Vec<ObjectKey>) {
    for (at, root) in &leaf.links {
        match record.values().get(*at) {
            Some(Value::Link(id)) if id.is_set() => out.push(key_of(*root, *id)),
            Some(Value::Links(ids)) => out.extend(ids.iter().map(|id| key_of(*root, *id))),
            _ => {}
        }
    }
}

impl Status {
    /// The fact that a read tells.
    pub(crate) fn fact<'a>(&self, leaf: &Leaf, read: ReadId, why: Why, links: &'a [ObjectKey]) -> Fact<'a> {
        Fact {
            sync: self.due,
            policy: self.policy,
            doomed: self.doomed,
            claimed: self.claimed,
            policy_claimed: self.policy_claimed,
            policy_only: self.policy_only,
            retry: self.retry,
            recheck: self.recheck,
            why,
            links,
            ..Fact::clean(key_of(leaf.root, self.id), ModelId(leaf.id.0), read)
        }
    }

    /// Whether its next run reads it anew, because it claims it first.
    pub(crate) fn will_be_claimed(&self) -> bool {
        let claimed = if self.policy == Due::No { self.claimed } else { self.policy_claimed };
        !claimed && !self.doomed
    }

    /// Whether there is anything to do.
    pub(crate) fn asks_for_work(&self) -> bool {
        self.doomed || self.due != Due::No || self.policy != Due::No
    }

    /// Whether a run that is to do this finds what it was started for.
    pub(crate) fn asks_for(&self, verb: Verb) -> bool {
        match verb {
            Verb::SyncRecord => self.due != Due::No,
            Verb::DeleteRecord => self.doomed && self.policy == Due::No,
            Verb::HandleChange => self.policy != Due::No && !self.deleted,
            Verb::HandleDelete => self.policy != Due::No && self.deleted,
        }
    }
}

/// The version that a run in the sync lane works on.
fn sync_version(leaf: &Leaf, record: &Record) -> Version {
    let time = |at| value(record, at).as_time();
    version_of(time(leaf.at.updated).max(time(leaf.at.changed_by_policy)).unwrap_or_default())
}

/// The version that a run works on.
pub(crate) fn worked_on(leaf: &Leaf, record: &Record, lane: Lane) -> Version {
    match lane {
        Lane::Sync => sync_version(leaf, record),
        Lane::Policy => policy_version(leaf, record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_double_bit_for_bit_and_in_order() {
        let times = [-1.0, 0.0, 1.0, 1_606_000_000.123_456, 1_606_000_000.123_457, f64::MAX];
        let versions: Vec<Version> =
            times.iter().map(|time| version_of(Timestamp::from_seconds(*time))).collect();
        assert!(versions.is_sorted());
        for (time, version) in times.iter().zip(versions) {
            assert_eq!(time_of(version).seconds().to_bits(), time.to_bits());
        }
    }
}
