//! What clients do: random edits by the models' definitions, written down so that they can be made again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use xos_core::EmbeddedCore;
use xos_model_client::{
    Caller, FieldInfo, FieldPos, Guard, ModelAccessor, ModelId, ModelInfo, ModelName, ObjectId, ObjectKey,
    Op, Schema, Target, Touch, Value, Write, Written,
};

use super::random::Random;
use super::values::{self, Given};
use crate::synchronizer::Synchronizer;

/// The longest pause between two deeds.
const PAUSE: Duration = Duration::from_secs(4);

/// How many deeds in a row the core may refuse before there are no more.
const REFUSALS: usize = 200;

/// One thing that a client does. Objects are named by their number: ids may differ from world to world.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Create { model: ModelName, values: Vec<(FieldPos, Given)> },
    Set { object: usize, model: ModelName, values: Vec<(FieldPos, Given)> },
    Delete { object: usize, model: ModelName },
}

/// What clients do, and how long after each other.
pub(super) type Script = Vec<(Duration, Deed)>;

/// The objects that clients made in one world, by number.
#[derive(Default)]
pub(super) struct Made {
    pub(super) objects: Vec<Object>,
}

/// One object that a client made.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) key: ObjectKey,
    pub(super) leaf: ModelId,
    model: ModelName,
}

impl Object {
    pub(super) fn new(key: ObjectKey, model: &ModelInfo) -> Self {
        Object { key, leaf: model.id, model: model.name().clone() }
    }
}

impl Made {
    /// The number of an object.
    pub(super) fn number(&self, key: ObjectKey) -> Option<usize> {
        self.objects.iter().position(|object| object.key == key)
    }

    /// Does it; `None` when the core refuses it.
    pub(super) async fn act(&mut self, core: &EmbeddedCore, deed: &Deed) -> Option<Written> {
        let schema = core.schema();
        let (target, model, op) = match deed {
            Deed::Create { model, values } => (Target::New, model, Op::Create(self.fields(values)?)),
            Deed::Set { object, model, values } => {
                let op = Op::Set { fields: self.fields(values)?, touch: Touch::AsTheRulesSay };
                (Target::Object(self.objects.get(*object)?.key.id), model, op)
            }
            Deed::Delete { object, model } => {
                (Target::Object(self.objects.get(*object)?.key.id), model, Op::Delete)
            }
        };
        let model = schema.model(model)?;
        let write = Write { shape: model.shape.clone(), target, op, by: Caller::Client, guard: Guard::None };
        let written = core.write(vec![write]).await.into_iter().next()?.ok()?;
        if target == Target::New {
            self.objects.push(Object::new(ObjectKey { root: model.root, id: written.id }, model));
        }
        Some(written)
    }

    /// An object that could not be made here keeps its number.
    pub(super) fn skip(&mut self) {
        let key = ObjectKey { root: ModelId(u16::MAX), id: ObjectId::UNSET };
        self.objects.push(Object { key, leaf: ModelId(u16::MAX), model: ModelName::Borrowed("") });
    }

    fn fields(&self, values: &[(FieldPos, Given)]) -> Option<Vec<(FieldPos, Value)>> {
        let id = |number: &usize| self.objects.get(*number).map(|object| object.key.id);
        let value = |given: &Given| {
            Some(match given {
                Given::Plain(value) => value.clone(),
                Given::Link(number) => Value::Link(id(number)?),
                Given::Links(numbers) => {
                    Value::Links(numbers.iter().map(id).collect::<Option<Vec<ObjectId>>>()?)
                }
            })
        };
        values.iter().map(|(at, given)| Some((*at, value(given)?))).collect()
    }
}

/// Makes up what clients do.
#[derive(Clone)]
pub(super) struct Author {
    random: Random,
    schema: Arc<Schema>,
    /// The models of which objects are made; those that handlers take are there several times.
    models: Vec<ModelId>,
}

impl Author {
    /// One for the models of a synchronizer: all that steps and policies take, and what those link to.
    pub(super) fn new(schema: Arc<Schema>, service: &Synchronizer) -> Self {
        let handled = service.steps.iter().map(|step| step.model());
        let handled = handled.chain(service.policies.iter().map(|policy| policy.model()));
        let mut taken: Vec<ModelId> = Vec::new();
        for model in handled {
            let Some(model) = schema.model(&model.name) else { continue };
            // What inherits from it and was brought along; and itself.
            let own = |id: &ModelId| {
                *id == model.id
                    || service
                        .models()
                        .iter()
                        .any(|own| schema.model(&own.name).is_some_and(|own| own.id == *id))
            };
            taken.extend(model.family.iter().copied().filter(own));
        }
        taken.extend(service.models().iter().filter_map(|model| Some(schema.model(&model.name)?.id)));
        let concrete = |id: &ModelId| schema.by_id(*id).is_some_and(|model| !model.def.is_abstract);
        taken.retain(concrete);
        taken.sort_unstable();
        taken.dedup();
        let mut author = Author { random: Random::new(0), schema, models: taken };
        author.add_targets();
        author
    }

    /// The same with these numbers.
    pub(super) fn with_numbers(self, random: Random) -> Self {
        Author { random, ..self }
    }

    /// What is linked to has to be there too.
    fn add_targets(&mut self) {
        let mut at = 0;
        while let Some(model) = self.models.get(at).and_then(|id| self.schema.clone().by_id(*id).cloned()) {
            at += 1;
            for field in
                model.fields.iter().filter(|field| values::is_given(field) && values::is_needed(field))
            {
                let Some(target) = values::target(&self.schema, &model, field) else { continue };
                let is_there = self.models.iter().any(|known| self.schema.is_a(*known, target.id));
                if !is_there && !target.def.is_abstract {
                    let id = target.id;
                    self.models.push(id);
                }
            }
        }
    }

    /// The models of which objects are made.
    pub(super) fn models(&self) -> &[ModelId] {
        &self.models
    }

    /// How long clients pause before the next deed.
    pub(super) fn pause(&self) -> Duration {
        // Some things happen at once.
        if self.random.one_in(3) { Duration::ZERO } else { self.random.time(PAUSE) }
    }

    /// Makes a deed up and does it, again until the core takes one. `None` when it takes nothing any more.
    pub(super) async fn next(&self, core: &EmbeddedCore, made: &mut Made) -> Option<Vec<Deed>> {
        for _ in 0..REFUSALS {
            let deeds = match self.random.below(16) {
                0..9 => self.create(made),
                9..13 => self.set(made, core).await.into_iter().collect(),
                _ => self.delete(made, core).await.into_iter().collect(),
            };
            let mut done = Vec::new();
            for deed in deeds {
                if made.act(core, &deed).await.is_none() {
                    break;
                }
                done.push(deed);
            }
            if !done.is_empty() {
                return Some(done);
            }
        }
        None
    }

    /// The deeds that make two objects of each model, which have nothing to do with each other.
    pub(super) fn create_each(&self, made: &Made) -> Vec<Deed> {
        let mut deeds = Vec::new();
        for model in self.models.iter().chain(&self.models) {
            self.create_one(*model, made, &mut deeds, 0);
        }
        deeds
    }

    /// The deeds that change each object.
    pub(super) fn change_each(&self, made: &Made) -> Vec<Deed> {
        made.objects
            .iter()
            .enumerate()
            .filter_map(|(number, object)| self.set_one(made, number, object))
            .collect()
    }

    /// The deeds that delete the first half of the objects, the last one first.
    pub(super) fn delete_half(made: &Made) -> Vec<Deed> {
        let delete = |(object, what): (usize, &Object)| Deed::Delete { object, model: what.model.clone() };
        made.objects.iter().enumerate().take(made.objects.len() / 2).rev().map(delete).collect()
    }

    /// How many levels of links there are between these models, at most.
    pub(super) fn levels(&self) -> u32 {
        let mut levels: BTreeMap<ModelId, u32> = BTreeMap::new();
        // As often as there are models: then each level has come to the end of its chain, and circles are cut.
        for _ in 0..self.models.len().min(8) {
            for id in &self.models {
                let Some(model) = self.schema.by_id(*id) else { continue };
                let targets =
                    model.fields.iter().filter_map(|field| values::target(&self.schema, model, field));
                let below = targets.flat_map(|target| {
                    self.models.iter().filter(|other| *other != id && self.schema.is_a(**other, target.id))
                });
                let level =
                    below.filter_map(|other| levels.get(other)).max().map_or(0, |level| (level + 1).min(4));
                levels.insert(*id, level);
            }
        }
        levels.into_values().max().unwrap_or_default()
    }

    fn create(&self, made: &Made) -> Vec<Deed> {
        let mut deeds = Vec::new();
        if let Some(model) = self.random.pick(&self.models) {
            self.create_one(*model, made, &mut deeds, 0);
        }
        deeds
    }

    /// An object, after those that it has to link to. Its number.
    fn create_one(&self, model: ModelId, made: &Made, deeds: &mut Vec<Deed>, depth: usize) -> Option<usize> {
        let model = self.schema.by_id(model)?;
        let mut given = Vec::new();
        for (field, at) in model.fields.iter().zip(0..) {
            if !values::is_given(field) {
                continue;
            }
            let needed = values::is_needed(field);
            let wanted = needed || field.target.is_some() || self.random.one_in(3);
            if !wanted || depth > 4 {
                continue;
            }
            let value = match values::target(&self.schema, model, field) {
                Some(target) => self.link(target, field, needed, made, deeds, depth),
                None => values::value(&self.random, field).map(Given::Plain),
            };
            given.extend(value.map(|value| (at, value)));
        }
        let object =
            made.objects.len() + deeds.iter().filter(|deed| matches!(deed, Deed::Create { .. })).count();
        deeds.push(Deed::Create { model: model.name().clone(), values: given });
        Some(object)
    }

    /// A link to one of the objects there are, or to a new one.
    fn link(
        &self,
        target: &ModelInfo,
        field: &FieldInfo,
        needed: bool,
        made: &Made,
        deeds: &mut Vec<Deed>,
        depth: usize,
    ) -> Option<Given> {
        let there: Vec<usize> = self.objects(made, target.id);
        let many = field.def.kind == xos_model_client::Kind::Links;
        if many {
            let some = (0..self.random.below(3)).filter_map(|_| self.random.pick(&there).copied());
            let mut some: Vec<usize> = some.collect();
            some.sort_unstable();
            some.dedup();
            return Some(Given::Links(some));
        }
        // What was made last is likely to live.
        let latest = there.len().saturating_sub(6);
        match self.random.pick(there.get(latest..).unwrap_or_default()) {
            Some(number) if !self.random.one_in(8) => Some(Given::Link(*number)),
            _ if !needed => None,
            _ => {
                let models: Vec<ModelId> =
                    self.models.iter().copied().filter(|model| self.schema.is_a(*model, target.id)).collect();
                let model = self.random.pick(&models)?;
                self.create_one(*model, made, deeds, depth + 1).map(Given::Link)
            }
        }
    }

    fn objects(&self, made: &Made, model: ModelId) -> Vec<usize> {
        let each = made.objects.iter().enumerate();
        each.filter(|(_, object)| self.schema.is_a(object.leaf, model)).map(|(number, _)| number).collect()
    }

    /// One of the objects that live.
    async fn living(&self, made: &Made, core: &EmbeddedCore) -> Option<(usize, Object)> {
        for _ in 0..4 {
            // Half of the time one that was made just now: a handler may be at work on it.
            let count = made.objects.len() as u64;
            let latest = if self.random.one_in(2) { count.min(8) } else { count };
            let number = (count - latest + self.random.below(latest)) as usize;
            let object = made.objects.get(number)?;
            if is_alive(core, &self.schema, object).await {
                return Some((number, object.clone()));
            }
        }
        None
    }

    async fn set(&self, made: &Made, core: &EmbeddedCore) -> Option<Deed> {
        let (number, object) = self.living(made, core).await?;
        self.set_one(made, number, &object)
    }

    fn set_one(&self, made: &Made, object: usize, what: &Object) -> Option<Deed> {
        let model = self.schema.by_id(what.leaf)?;
        let fields: Vec<(FieldPos, &FieldInfo)> =
            (0..).zip(&model.fields).filter(|(_, field)| values::is_given(field)).collect();
        let mut given = Vec::new();
        for _ in 0..=self.random.below(2) {
            let (at, field) = self.random.pick(&fields)?;
            if given.iter().any(|(known, _)| known == at) {
                continue;
            }
            let value = match values::target(&self.schema, model, field) {
                Some(target) => self.link(target, field, false, made, &mut Vec::new(), 0),
                None => values::value(&self.random, field).map(Given::Plain),
            };
            given.push((*at, value?));
        }
        Some(Deed::Set { object, model: what.model.clone(), values: given })
    }

    async fn delete(&self, made: &Made, core: &EmbeddedCore) -> Option<Deed> {
        let (object, what) = self.living(made, core).await?;
        Some(Deed::Delete { object, model: what.model })
    }
}

/// Whether an object is there and not deleted.
async fn is_alive(core: &EmbeddedCore, schema: &Schema, object: &Object) -> bool {
    let Some(model) = schema.by_id(object.leaf) else { return false };
    let Ok(found) = core.get(&model.shape, &[object.key.id]).await else { return false };
    let record = found.into_iter().next().flatten();
    record.is_some_and(|record| record.get("deleted").and_then(Value::as_bool) == Some(false))
}
