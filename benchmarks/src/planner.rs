//! The bare engine, without a shell: it is told what is due, and every step it starts ends at once.

use xos_sync::engine::{
    Action, Complete, Config, Due, Engine, Event, Fact, Model, ModelId, Moment, ObjectKey, Outcome, ReadId,
    Store, Term, Version, Why,
};

/// How many facts are told at once, as the shell does.
const BATCH: usize = 256;

/// An engine that leads, and what it asks for.
pub struct Planner {
    engine: Engine,
    out: Vec<Action>,
    now: u64,
    reads: u64,
}

/// An object as it is told: its key and what it depends on.
#[derive(Copy, Clone)]
pub struct Object {
    key: ObjectKey,
    target: Option<ObjectKey>,
}

/// Chains of three models: each object of the third depends on one of the second, and that on one of the first.
/// The most dependent ones come first, so that the order is the engine's work.
pub fn chains(count: usize) -> Vec<Object> {
    let of = |model: u16, id: usize| ObjectKey::new(ModelId(model), id as u32);
    let length = count.div_ceil(3);
    let objects = (0..3_u16).rev().flat_map(|model| {
        (1..=length)
            .map(move |id| Object { key: of(model, id), target: (model > 0).then(|| of(model - 1, id)) })
    });
    objects.take(count).collect()
}

/// Objects that depend on nothing.
pub fn single(count: usize) -> Vec<Object> {
    (1..=count).map(|id| Object { key: ObjectKey::new(ModelId(0), id as u32), target: None }).collect()
}

impl Planner {
    /// An engine with three models that need each other, which runs so many at once.
    pub fn new(concurrency: usize) -> Self {
        let model = |at: u16| Model {
            name: format!("Model{at}"),
            observed: true,
            needs: if at == 0 { Vec::new() } else { vec![ModelId(at - 1)] },
        };
        let config = Config { concurrency, models: (0..3).map(model).collect(), ..Config::default() };
        let mut planner = Planner { engine: Engine::new(config), out: Vec::new(), now: 0, reads: 0 };
        planner.tell(Event::Leader(Term(1)));
        planner.out.clear();
        planner
    }

    fn tell(&mut self, event: Event<'_>) {
        self.now += 1;
        self.engine.step(event, Moment(self.now), &mut self.out);
    }

    /// A read that lists all that is due.
    pub fn scan(&mut self, objects: &[Object]) {
        let read = self.read(objects, &[ModelId(0), ModelId(1), ModelId(2)], 1, Why::Scan);
        self.tell(Event::ReadEnded(read, Complete::Whole));
    }

    /// A read of objects that changed.
    pub fn change(&mut self, objects: &[Object], version: u64) {
        let read = self.read(objects, &[], version, Why::Change);
        self.tell(Event::ReadEnded(read, Complete::Partial));
    }

    fn read(&mut self, objects: &[Object], models: &[ModelId], version: u64, why: Why) -> ReadId {
        self.reads += 1;
        let read = ReadId(self.reads);
        self.tell(Event::ReadStarted(read, models));
        let mut facts = Vec::with_capacity(BATCH);
        for batch in objects.chunks(BATCH) {
            facts.clear();
            facts.extend(batch.iter().map(|object| Fact {
                sync: Due::At(Version(version)),
                claimed: true,
                links: object.target.as_slice(),
                why,
                ..Fact::clean(object.key, object.key.root(), read)
            }));
            self.now += 1;
            self.engine.step(Event::Facts(&facts), Moment(self.now), &mut self.out);
        }
        read
    }

    /// Carries out what the engine asks for until it asks for nothing; the objects in the order of their starts.
    pub fn run_all(&mut self) -> Vec<ObjectKey> {
        let mut started = Vec::new();
        let mut actions = Vec::new();
        while !self.out.is_empty() {
            std::mem::swap(&mut actions, &mut self.out);
            for action in actions.drain(..) {
                match action {
                    Action::Start { run, key, .. } => {
                        started.push(key);
                        self.tell(Event::Finished(run, Outcome::DONE));
                    }
                    Action::Store { run, what: Store::Success { as_fetched }, .. } => {
                        self.tell(Event::Stored(run, Ok(as_fetched)));
                    }
                    Action::Wake(moment) if moment.0 <= self.now => self.tell(Event::Timer),
                    _ => {}
                }
            }
        }
        started
    }

    /// Drops what it asks for.
    pub fn forget_actions(&mut self) {
        self.out = Vec::new();
    }

    /// How many objects wait or run.
    pub fn at_hand(&self) -> usize {
        let counts = self.engine.counts();
        counts.ready + counts.running
    }
}

/// Whether each object started after what it depends on; each exactly once.
pub fn is_ordered(objects: &[Object], started: &[ObjectKey]) -> bool {
    let places: std::collections::HashMap<ObjectKey, usize> =
        started.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let is_after = |object: &Object| {
        let own = places.get(&object.key);
        let target = object.target.and_then(|target| places.get(&target));
        own.is_some() && target.is_none_or(|target| own > Some(target))
    };
    places.len() == started.len() && started.len() == objects.len() && objects.iter().all(is_after)
}
