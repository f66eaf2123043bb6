//! What goes wrong in the simulation, besides steps and writes.

use super::*;

impl Sim {
    pub(super) fn trouble(&mut self) {
        match self.random.below(12) {
            0 if self.core_up => {
                self.core_up = false;
                self.announced.clear();
                self.scan.clear();
                self.give(Event::CoreDown);
            }
            0..3 if !self.core_up => {
                self.core_up = true;
                self.give(Event::CoreUp);
            }
            3 if self.leading && self.random.one_in(2) => {
                self.leading = false;
                self.announced.clear();
                self.scan.clear();
                self.watched.clear();
                self.live.iter_mut().for_each(|l| l.orphan = true);
                self.give(Event::LeaderLost);
                self.bury_runs();
            }
            4..6 if !self.leading => {
                self.leading = true;
                self.give(Event::Leader(Term(self.clock)));
            }
            6 if self.leading && self.core_up => {
                self.announced.clear();
                self.give(Event::Gap);
            }
            7 => {
                if let Some(scope) = self.paused.take() {
                    self.give(Event::Resume(scope));
                } else {
                    let model = self.random.model();
                    let scopes = [Scope::All, Scope::Model(ModelId(model)), Scope::Object(key(model, 3))];
                    let scope = self.random.pick(&scopes);
                    self.paused = Some(scope);
                    self.give(Event::Pause(scope));
                }
            }
            8 if !self.dead.is_empty() => {
                let run = self.random.pick(&self.dead);
                self.give(Event::Finished(run, Outcome::DONE));
                self.give(Event::Stored(run, Ok(Version(1))));
                let fact = Fact::clean(key(0, 1), ModelId(0), ReadId(0));
                self.give(Event::Fetched(run, &fact));
            }
            9 => {
                let asked = key(self.random.pick(&[0, 1, 2, FOREIGN.0]), self.random.id());
                self.give(Event::Ask(asked));
            }
            10 => {
                let foreign = ObjectKey::new(FOREIGN, self.random.id());
                self.give(Event::Changed(foreign));
            }
            1 => {
                let key = key(self.random.model(), self.random.id());
                self.give(Event::Retry(key));
            }
            2 if !self.unmet.is_empty() => {
                let at = self.random.below(self.unmet.len() as u64) as usize;
                let (key, lane) = self.unmet.swap_remove(at);
                self.give(Event::Met(key, lane));
            }
            11 if self.core_up && self.leading => {
                let model = ModelId(self.random.model());
                self.start_scan(model);
            }
            _ => {}
        }
    }
}
