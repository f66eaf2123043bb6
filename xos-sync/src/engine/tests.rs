//! One test for each rule, named after it. The laboratory: an engine, a clock, and a log of its actions.

use std::collections::HashMap;

use super::*;

mod corners;
mod life;
mod order;
mod reads;
mod results;
mod waits;

/// Three models; each may depend on the ones before. Object 203 is id 203 of model 2, "Node 203".
const NAMES: [&str; 3] = ["Site", "Slice", "Node"];

struct Lab {
    engine: Engine,
    now: Moment,
    log: Vec<Action>,
    reads: u64,
    runs: HashMap<u32, Run>,
}

fn key(id: u32) -> ObjectKey {
    ObjectKey::new(ModelId((id / 100) as u16), id)
}

fn config() -> Config {
    let models = NAMES.iter().zip(0..).map(|(name, m)| Model {
        name: (*name).into(),
        observed: true,
        needs: (0..m).map(ModelId).collect(),
    });
    Config { models: models.collect(), ..Config::default() }
}

/// A fact that the object is dirty, for struct update syntax.
fn dirty(id: u32, version: u64, links: &[ObjectKey]) -> Fact<'_> {
    Fact {
        sync: Due::At(Version(version)),
        links,
        why: Why::Change,
        ..Fact::clean(key(id), key(id).root(), ReadId(0))
    }
}

fn keys(ids: &[u32]) -> Vec<ObjectKey> {
    ids.iter().map(|&id| key(id)).collect()
}

impl Lab {
    /// A leading engine that has read everything.
    fn new() -> Self {
        Self::with(config())
    }

    fn with(config: Config) -> Self {
        let mut lab = Self::bare(config);
        lab.give(Event::Leader(Term(1)));
        lab.read_all();
        lab.log.clear();
        lab
    }

    fn bare(config: Config) -> Self {
        let engine = Engine::new(config);
        Self { engine, now: Moment(1_000_000), log: Vec::new(), reads: 0, runs: HashMap::new() }
    }

    fn give(&mut self, event: Event<'_>) {
        self.engine.step(event, self.now, &mut self.log);
        for action in &self.log {
            if let Action::Start { run, key, .. } = action {
                self.runs.insert(key.id(), *run);
            }
        }
    }

    fn begin_read(&mut self, models: &[u16]) -> ReadId {
        self.reads += 1;
        let models: Vec<ModelId> = models.iter().map(|&m| ModelId(m)).collect();
        self.give(Event::ReadStarted(ReadId(self.reads), &models));
        ReadId(self.reads)
    }

    fn end_read(&mut self, read: ReadId, complete: Complete) {
        self.give(Event::ReadEnded(read, complete));
    }

    fn read_all(&mut self) {
        let read = self.begin_read(&[0, 1, 2]);
        self.end_read(read, Complete::Whole);
    }

    /// Tells facts by a read of their own.
    fn tell(&mut self, facts: &[Fact<'_>]) {
        let read = self.begin_read(&[]);
        self.tell_from(read, facts);
        self.end_read(read, Complete::Partial);
    }

    fn tell_from(&mut self, read: ReadId, facts: &[Fact<'_>]) {
        let facts: Vec<Fact<'_>> = facts.iter().map(|fact| Fact { read, ..*fact }).collect();
        self.give(Event::Facts(&facts));
    }

    fn dirty(&mut self, id: u32, version: u64, links: &[u32]) {
        let links = keys(links);
        self.tell(&[dirty(id, version, &links)]);
    }

    fn doomed(&mut self, id: u32, links: &[u32]) {
        let links = keys(links);
        self.tell(&[Fact { sync: Due::No, doomed: true, ..dirty(id, 0, &links) }]);
    }

    /// The ids that started since the last call, deletions negative.
    fn started(&mut self) -> Vec<i64> {
        let mut ids = Vec::new();
        self.log.retain(|action| match action {
            Action::Start { key, verb, .. } => {
                let id = i64::from(key.id());
                ids.push(if matches!(verb, Verb::DeleteRecord | Verb::HandleDelete) { -id } else { id });
                false
            }
            _ => true,
        });
        ids
    }

    /// The start of this object, which must be the only thing in the log that starts.
    fn start(&mut self) -> (Verb, bool, u16, Why) {
        let mut found = None;
        self.log.retain(|action| match action {
            Action::Start { verb, claim, attempt, why, .. } => {
                assert!(found.replace((*verb, *claim, *attempt, *why)).is_none(), "two started");
                false
            }
            _ => true,
        });
        found.expect("nothing started")
    }

    fn stores(&mut self) -> Vec<Store> {
        let mut stores = Vec::new();
        self.log.retain(|action| match action {
            Action::Store { what, .. } => {
                stores.push(*what);
                false
            }
            _ => true,
        });
        stores
    }

    fn notes(&mut self) -> Vec<Note> {
        let mut notes = Vec::new();
        self.log.retain(|action| match action {
            Action::Note(note) => {
                notes.push(note.clone());
                false
            }
            _ => true,
        });
        notes
    }

    /// Everything else that was said since the last call, without wakes.
    fn said(&mut self) -> Vec<Action> {
        self.log.drain(..).filter(|action| !matches!(action, Action::Wake(_))).collect()
    }

    fn run(&self, id: u32) -> Run {
        self.runs[&id]
    }

    fn finish(&mut self, id: u32, outcome: Outcome) {
        self.give(Event::Finished(self.run(id), outcome));
    }

    /// Answers the store of this object; a success enacts what was asked.
    fn stored(&mut self, id: u32) {
        let run = self.run(id);
        let at = self.log.iter().position(|a| matches!(a, Action::Store { run: r, .. } if *r == run));
        let Action::Store { what, .. } = self.log.remove(at.expect("nothing to store")) else { return };
        let version = match what {
            Store::Success { as_fetched } => as_fetched,
            _ => Version(0),
        };
        self.give(Event::Stored(run, Ok(version)));
    }

    fn succeed(&mut self, id: u32) {
        self.finish(id, Outcome::DONE);
        self.stored(id);
    }

    fn fail(&mut self, id: u32, text: &str) {
        self.finish(id, Outcome::failed(text));
        self.stored(id);
    }

    /// Lets time pass and gives the timer.
    fn after(&mut self, ms: u64) {
        self.now = Moment(self.now.0 + ms);
        self.give(Event::Timer);
    }

    fn explain(&self, id: u32) -> String {
        self.engine.explain(key(id), self.now).to_string()
    }
}
