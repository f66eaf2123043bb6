//! The world the engine is played against: objects as the core keeps them, and chance.

use super::*;

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0 ^ 0x5851_f42d_4c95_7f2d) % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    pub(super) fn model(&mut self) -> u16 {
        self.below(u64::from(MODELS)) as u16
    }

    pub(super) fn id(&mut self) -> u32 {
        1 + self.below(u64::from(2 * IDS)) as u32
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) links: Vec<ObjectKey>,
    pub(super) updated: u64,
    pub(super) enacted: u64,
    pub(super) policed: u64,
    pub(super) deleted: bool,
    pub(super) need_delete: bool,
    pub(super) need_delete_policy: bool,
    pub(super) need_reap: bool,
    /// A step had an effect outside that no delete_record has undone.
    pub(super) touched: bool,
    /// A policy had an effect that no delete policy has undone.
    pub(super) handled: bool,
    pub(super) retry: Option<Retry>,
}

/// Whether models have policies, and whether one has them alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policies {
    pub(super) on: bool,
    pub(super) alone: bool,
}

impl Policies {
    /// Whether steps take this object.
    pub(super) fn has_steps(self, key: ObjectKey) -> bool {
        !self.alone || key.root() != ModelId(1)
    }
}

impl Object {
    pub(super) fn is_policy_due(&self, policies: Policies) -> bool {
        let gone = self.deleted && self.need_reap;
        // A policy that ran beside the deletion may have stored what it had seen.
        let unhandled = self.deleted && self.need_delete_policy;
        policies.on && !gone && (unhandled || self.policed != self.updated)
    }
}

pub(super) fn fact(key: ObjectKey, object: &Object, read: ReadId, why: Why, policies: Policies) -> Fact<'_> {
    let due = |is: bool| if is { Due::At(Version(object.updated)) } else { Due::No };
    let policy = object.is_policy_due(policies);
    let policy_only = object.deleted && !policies.has_steps(key);
    Fact {
        sync: due(!object.deleted && policies.has_steps(key) && object.enacted != object.updated),
        policy: due(policy),
        doomed: object.deleted && !object.need_reap && (policy || !policy_only),
        claimed: object.need_delete,
        policy_claimed: object.need_delete_policy,
        policy_only,
        links: &object.links,
        retry: object.retry,
        why,
        ..Fact::clean(key, key.root(), read)
    }
}

pub(super) fn apply(object: &mut Object, verb: Verb, what: Store) -> Version {
    match what {
        Store::Success { as_fetched } => {
            match verb {
                // A deletion in between has unset it for good.
                Verb::SyncRecord if object.deleted => {}
                Verb::SyncRecord | Verb::DeleteRecord => object.enacted = as_fetched.0,
                Verb::HandleChange => object.policed = as_fetched.0,
                Verb::HandleDelete => {
                    object.policed = as_fetched.0;
                    object.need_delete_policy = false;
                }
            }
            if verb.lane() == Lane::Sync {
                object.retry = None;
            }
            as_fetched
        }
        Store::Failure { attempts, next_run, version, kind, .. } => {
            if verb.lane() == Lane::Sync {
                object.retry = Some(Retry { version, attempts, next_run, kind, text: TextHash(0) });
            }
            version
        }
        Store::Waiting => Version(0),
        Store::Reap => {
            assert!(matches!(verb, Verb::DeleteRecord | Verb::HandleDelete));
            object.need_reap = true;
            Version(0)
        }
    }
}
