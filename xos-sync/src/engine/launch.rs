//! Starting runs.

use super::action::Action;
use super::entry::{Class, Place};
use super::machine::{BUDGET, Engine, Stop};
use super::plan::Task;
use super::runs::NewJob;
use super::slab::NONE;
use super::types::{Lane, ModelId, Moment, Verb, Why};

impl Engine {
    /// Starts what is ready, as long as there is room.
    pub(super) fn fill(&mut self, now: Moment, out: &mut Vec<Action>) {
        for _ in 0..BUDGET {
            if !self.may_start() {
                return;
            }
            let (reads, paused, limits_of, used, config) =
                (&self.reads, &self.paused_models, &self.limits_of, &self.limit_used, &self.config);
            let may_start = |model: ModelId, lane: Lane, class: Class| {
                let at = model.0 as usize;
                let read =
                    if class == Class::Delete { reads.may_delete(model) } else { reads.may_sync(model) };
                read && !paused[at]
                    && limits_of[at].iter().all(|&at| {
                        let limit = &config.limits[at as usize];
                        limit.lane != lane || used[at as usize] < limit.at_most.max(1)
                    })
            };
            let Some(slot) = self.rings.pop(&mut self.entries, may_start) else { return };
            self.set_place(slot, Place::Idle);
            let task = self.task(slot, now);
            match task {
                Task::Now { verb, why, attempts, .. } if !self.is_held(self.entries[slot].key) => {
                    // A target may have become dirty while it stood in the ring.
                    match self.blocker(slot, verb) {
                        Some(target) => self.wait(slot, target),
                        None => self.start(slot, verb, why, attempts, now, out),
                    }
                }
                _ => self.settle(slot, now, out),
            }
        }
        self.backlog = true;
    }

    /// Whether anything may start at all.
    fn may_start(&self) -> bool {
        self.leading.is_some()
            && self.core_up
            && self.stop == Stop::No
            && !self.paused
            && self.runs.running() < self.config.concurrency.max(1)
            && self.runs.storing() < self.config.unstored.max(1)
    }

    fn start(&mut self, slot: u32, verb: Verb, why: Why, attempts: u16, now: Moment, out: &mut Vec<Action>) {
        self.alarms.clear(&mut self.entries, slot);
        let extra = self.entries[slot].extra;
        let mut version = self.entries[slot].version;
        if extra != NONE {
            self.clear_watch(slot, verb.lane(), out);
            let extra = &mut self.extras[extra];
            extra.awaited = false;
            match verb.lane() {
                Lane::Policy => version = extra.policy_version,
                Lane::Sync => extra.recheck_at = Moment::NEVER,
            }
        }
        let entry = &mut self.entries[slot];
        entry.last = Some(why);
        let (key, leaf) = (entry.key, entry.leaf);
        let fresh_from = entry.floor.max(entry.barrier);
        let run = self.runs.start(NewJob {
            entry: slot,
            key,
            leaf,
            verb,
            version,
            due: verb != Verb::SyncRecord || entry.due(),
            since: now,
            changes: self.changes,
        });
        let claim = match verb {
            Verb::SyncRecord => !entry.claimed(),
            Verb::HandleChange => !entry.policy_claimed(),
            Verb::DeleteRecord | Verb::HandleDelete => false,
        };
        entry.at = run.slot;
        self.set_place(slot, Place::Running);
        self.use_limits(leaf, verb.lane(), true);
        out.push(Action::Start {
            run,
            key,
            leaf,
            lane: verb.lane(),
            verb,
            claim,
            attempt: attempts.saturating_add(1),
            why,
            deadline: self.deadline(now),
            fresh_from,
        });
    }

    /// Counts a run of this model against its limits, or no longer.
    pub(super) fn use_limits(&mut self, model: ModelId, lane: Lane, on: bool) {
        let Some(limits) = self.limits_of.get(model.0 as usize) else { return };
        for &limit in limits.iter().filter(|limit| self.config.limits[**limit as usize].lane == lane) {
            let used = &mut self.limit_used[limit as usize];
            *used = if on { *used + 1 } else { used.saturating_sub(1) };
        }
    }
}
