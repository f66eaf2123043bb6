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
    pub(super) need_reap: bool,
    /// A step had an effect outside that no delete_record has undone.
    pub(super) touched: bool,
    pub(super) retry: Option<Retry>,
}

pub(super) fn fact(key: ObjectKey, object: &Object, read: ReadId, why: Why, policies: bool) -> Fact<'_> {
    let due = |done: u64| if done == object.updated { Due::No } else { Due::At(Version(object.updated)) };
    let gone = object.deleted && object.need_reap;
    Fact {
        sync: if object.deleted { Due::No } else { due(object.enacted) },
        policy: if policies && !gone { due(object.policed) } else { Due::No },
        doomed: object.deleted && !object.need_reap,
        claimed: object.need_delete,
        links: &object.links,
        retry: object.retry,
        why,
        ..Fact::clean(key, key.root(), read)
    }
}

pub(super) fn apply(object: &mut Object, lane: Lane, what: Store) -> Version {
    match what {
        Store::Success { as_fetched } => {
            match lane {
                // A deletion in between has unset both for good.
                _ if object.deleted && lane == Lane::Sync => {}
                Lane::Sync => object.enacted = as_fetched.0,
                Lane::Policy => object.policed = as_fetched.0,
            }
            object.retry = None;
            as_fetched
        }
        Store::Failure { attempts, next_run, version, kind, .. } => {
            if lane == Lane::Sync {
                object.retry = Some(Retry { version, attempts, next_run, kind, text: TextHash(0) });
            }
            version
        }
        Store::Reap => {
            object.need_reap = true;
            Version(0)
        }
    }
}
