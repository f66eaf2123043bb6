//! The shell of the simulation: it reads, runs steps and stores, all of it slowly and not always well.

use std::collections::VecDeque;
use std::time::Duration;

use super::*;

impl Sim {
    // ---- reads ----

    pub(super) fn start_read(
        &mut self,
        models: Vec<ModelId>,
        pages: VecDeque<Vec<ObjectKey>>,
        why: Why,
    ) -> ReadId {
        self.reads += 1;
        let id = ReadId(self.reads);
        self.give(Event::ReadStarted(id, &models));
        self.open.push(Read { id, models, pages, told: None, why });
        id
    }

    pub(super) fn start_scan(&mut self, model: ModelId) {
        let ids: Vec<ObjectKey> = (1..=self.ids + 20).map(|id| ObjectKey::new(model, id)).collect();
        let pages = ids
            .chunks(1 + self.random.below(u64::from(self.ids) + 1) as usize)
            .map(<[ObjectKey]>::to_vec)
            .collect();
        self.start_read(vec![model], pages, Why::Scan);
    }

    pub(super) fn follow_feed(&mut self) {
        let count = 1 + self.random.below(4) as usize;
        let keys: Vec<ObjectKey> = self.announced.drain(..count.min(self.announced.len())).collect();
        if keys.is_empty() {
            return;
        }
        self.start_read(Vec::new(), VecDeque::from([keys]), Why::Change);
    }

    pub(super) fn progress_read(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.random.below(self.open.len() as u64) as usize;
        let failed = !self.core_up || (!self.calm && self.random.one_in(40));
        let read = &mut self.open[at];
        if let Some(told) = read.told.take() {
            let (id, why) = (read.id, read.why);
            self.tell(id, why, &told);
        } else if failed {
            let read = self.open.remove(at);
            if read.models.is_empty() && self.core_up {
                // The shell has to tell of every change: it reads again.
                self.announced.extend(read.pages.into_iter().flatten());
            } else if self.leading && self.core_up {
                self.scan.extend(read.models);
            }
            self.give(Event::ReadEnded(read.id, Complete::Partial));
        } else if let Some(page) = read.pages.pop_front() {
            let told = page.into_iter().map(|key| (key, self.world.get(&key).cloned())).collect();
            read.told = Some(told);
        } else {
            let read = self.open.remove(at);
            let complete = if read.models.is_empty() { Complete::Partial } else { Complete::Whole };
            self.give(Event::ReadEnded(read.id, complete));
        }
    }

    pub(super) fn tell(&mut self, read: ReadId, why: Why, told: &[(ObjectKey, Option<Object>)]) {
        let policies = self.policies;
        let mut facts = Vec::new();
        for (key, object) in told {
            match object {
                Some(object) => {
                    let fact = fact(*key, object, read, why, policies);
                    let idle = fact.sync == Due::No && fact.policy == Due::No && !fact.doomed;
                    if !idle || why == Why::Change {
                        facts.push(fact);
                    }
                }
                None if why == Why::Change => self.give(Event::Vanished(*key, read)),
                None => {}
            }
        }
        self.give(Event::Facts(&facts));
    }

    // ---- steps and their results ----

    pub(super) fn progress_run(&mut self) {
        let waiting: Vec<usize> = (0..self.live.len()).filter(|&at| !self.live[at].finished).collect();
        if waiting.is_empty() {
            return;
        }
        let at = self.random.pick(&waiting);
        let (run, key, verb) = (self.live[at].run, self.live[at].key, self.live[at].verb);
        if self.live[at].orphan && !self.random.one_in(4) {
            return;
        }
        if self.live[at].orphan || !self.core_up && !self.live[at].begun {
            return self.finish(at, Outcome::Interrupted);
        }
        if !self.live[at].begun {
            return self.begin(at);
        }
        let outcome = match self.random.below(if self.calm { 1 } else { 12 }) {
            0..5 if self.live[at].cancelled => Outcome::TimedOut,
            0..5 => {
                let again = !self.calm && self.random.one_in(8);
                Outcome::Done { recheck: again.then(|| Duration::from_secs(self.random.below(100))) }
            }
            5 => Outcome::deferred("later"),
            6 => Outcome::failed(self.random.pick(&["a", "b"])),
            7 => Outcome::Panicked { text: TextHash::of("p") },
            8 => Outcome::Interrupted,
            9 => {
                let (model, id) = (self.random.pick(&[0, 1, 2, FOREIGN.0]), self.random.id());
                let at_most = Duration::from_secs(self.random.below(200));
                let other = self::key(model, id);
                if self.random.one_in(2) {
                    Outcome::WaitFor { key: other, at_most }
                } else {
                    self.unmet.push((key, verb.lane()));
                    let key = self.random.pick(&[other, other, key]);
                    Outcome::WaitUntil { key, at_most, show: self.random.one_in(2) }
                }
            }
            10 => {
                let retry_after = Some(Duration::from_secs(self.random.below(30)));
                Outcome::Failed { kind: FailureKind::Innocuous, retry_after, text: TextHash::of("i") }
            }
            // It goes on for a while.
            _ => return,
        };
        if matches!(outcome, Outcome::Done { .. })
            && let Some(object) = self.world.get_mut(&key)
        {
            object.touched &= verb != Verb::DeleteRecord;
            object.handled &= verb != Verb::HandleDelete;
        }
        assert_eq!(run, self.live[at].run);
        self.finish(at, outcome);
    }

    /// The shell reads the object again, claims, and runs the handlers.
    pub(super) fn begin(&mut self, at: usize) {
        let (run, key, verb) = (self.live[at].run, self.live[at].key, self.live[at].verb);
        let read = self.start_read(Vec::new(), VecDeque::new(), Why::Change);
        match self.world.get(&key).cloned() {
            None => {
                if self.random.one_in(2) {
                    self.give(Event::Vanished(key, read));
                }
                self.finish(at, Outcome::Gone);
            }
            Some(object) => {
                let fits = match verb {
                    Verb::SyncRecord if self.live[at].why != Why::Recheck => {
                        !object.deleted && object.enacted != object.updated
                    }
                    Verb::SyncRecord => !object.deleted,
                    Verb::HandleChange => !object.deleted && object.policed != object.updated,
                    Verb::DeleteRecord => {
                        object.deleted && !object.need_reap && !object.is_policy_due(self.policies)
                    }
                    Verb::HandleDelete => object.deleted && object.is_policy_due(self.policies),
                };
                let shares = self.random.one_in(2) && self.policies.has_steps(key);
                if fits {
                    let object = self.world.get_mut(&key).unwrap();
                    let claim = self.live[at].claim;
                    self.live[at].begun = true;
                    if verb == Verb::SyncRecord {
                        assert!(claim || object.need_delete, "not claimed");
                        object.need_delete |= claim;
                        object.touched = true;
                    }
                    if verb == Verb::HandleChange {
                        assert!(claim || object.need_delete_policy, "not claimed");
                        object.need_delete_policy |= claim;
                        object.need_delete |= claim && shares && object.enacted != object.updated;
                        object.handled = true;
                    }
                    let object = object.clone();
                    if self.random.one_in(2) {
                        let fact = fact(key, &object, read, Why::Change, self.policies);
                        self.give(Event::Fetched(run, &fact));
                    }
                } else {
                    let told = [(key, Some(object))];
                    self.tell(read, Why::Change, &told);
                    self.finish(at, Outcome::Skipped);
                }
            }
        }
        if let Some(at) = self.open.iter().position(|open| open.id == read) {
            self.open.remove(at);
            self.give(Event::ReadEnded(read, Complete::Partial));
        }
    }

    pub(super) fn finish(&mut self, at: usize, outcome: Outcome) {
        let run = self.live[at].run;
        self.live[at].finished = true;
        if self.live[at].orphan {
            self.live.remove(at);
        }
        self.give(Event::Finished(run, outcome));
        // What is not stored now and does not wait for the core is over.
        self.bury_runs();
    }

    /// The runs the engine has ended.
    pub(super) fn bury_runs(&mut self) {
        let engine = &self.engine;
        let now = self.now;
        let dead = &mut self.dead;
        self.live.retain(|l| {
            let at_work = match engine.explain(l.key, now).state {
                State::Running { run, .. } | State::Storing { run } => run == l.run,
                _ => false,
            };
            let keep = !l.finished || at_work;
            if !keep {
                dead.push(l.run);
            }
            keep
        });
    }

    pub(super) fn answer_store(&mut self) {
        let waiting: Vec<usize> = (0..self.live.len()).filter(|&at| self.live[at].store.is_some()).collect();
        if waiting.is_empty() {
            return;
        }
        let at = self.random.pick(&waiting);
        let (run, key, verb) = (self.live[at].run, self.live[at].key, self.live[at].verb);
        let Some(what) = self.live[at].store.take() else { return };
        let fault = if self.calm { 20 } else { self.random.below(12) };
        let conflict = fault == 2
            && self.world.get(&key).is_some_and(
                |o| matches!(what, Store::Success { as_fetched } if as_fetched != Version(o.updated)),
            );
        let result = match (self.world.get_mut(&key), fault) {
            _ if !self.core_up => Err(StoreFault::Away),
            (None, _) => Err(StoreFault::Gone),
            (_, 0) => Err(StoreFault::Away),
            (_, 3) => Err(StoreFault::Rejected { text: TextHash::of("no") }),
            _ if conflict => Err(StoreFault::Conflict),
            (Some(object), _) => {
                let stored = apply(object, verb, what);
                if self.echo {
                    self.change(key);
                }
                // The error after the write took effect.
                if fault == 1 { Err(StoreFault::Away) } else { Ok(stored) }
            }
        };
        self.live[at].away = result == Err(StoreFault::Away);
        if self.random.one_in(3) {
            // The answer is late: much can happen between the write and its acknowledgement.
            for _ in 0..self.random.below(8) {
                self.read_or_change();
            }
        }
        self.give(Event::Stored(run, result));
        self.bury_runs();
    }

    pub(super) fn read_or_change(&mut self) {
        match self.random.below(if self.calm { 2 } else { 3 }) {
            0 => self.follow_feed(),
            1 => self.progress_read(),
            _ => self.user(),
        }
    }
}
