//! Evaluating a formula for many objects at once, so that a list costs as many reads as one object.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use xos_model_client::{Kind, ModelAccessor as _, ModelId, ObjectId, Record, Result, Schema, Value};

use super::node::{Expr, Node, Start, Step, Tri, Val};
use crate::EmbeddedCore;
use crate::server::users::Person;

/// How many linked objects are read at once.
const AT_ONCE: usize = 1000;

/// An object that a formula speaks of.
#[derive(Clone)]
pub(super) struct Thing {
    /// Unset for none, and for a new one.
    id: ObjectId,
    /// None until it is needed.
    record: Option<Record>,
}

impl Thing {
    /// An object as it is.
    pub(super) fn of(record: Record) -> Self {
        Thing { id: record.id(), record: Some(record) }
    }

    fn linked(id: ObjectId) -> Self {
        Thing { id, record: None }
    }

    fn nothing() -> Self {
        Thing::linked(ObjectId::UNSET)
    }
}

/// What the names of a formula stand for.
#[derive(Clone)]
pub(super) struct Env {
    pub(super) object: Thing,
    pub(super) bound: Vec<Thing>,
}

impl Env {
    /// Of an object.
    pub(super) fn of(record: Record) -> Self {
        Env { object: Thing::of(record), bound: Vec::new() }
    }

    /// Only what stands at this depth is known.
    pub(super) fn only(depth: usize, record: Record) -> Self {
        let mut bound = vec![Thing::nothing(); depth];
        bound.push(Thing::of(record));
        Env { object: Thing::nothing(), bound }
    }

    /// The same, and what stands at this depth.
    pub(super) fn with(&self, depth: usize, record: Record) -> Self {
        let mut env = self.clone();
        env.bound.truncate(depth);
        env.bound.push(Thing::of(record));
        env
    }
}

/// One call: what was read for it is read once.
pub(super) struct Evaluation<'a> {
    pub(super) core: &'a EmbeddedCore,
    pub(super) schema: Arc<Schema>,
    pub(super) user: &'a Person,
    linked: HashMap<(ModelId, ObjectId), Option<Record>>,
    /// How often the store was asked.
    pub(super) reads: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(core: &'a EmbeddedCore, schema: Arc<Schema>, user: &'a Person) -> Self {
        Evaluation { core, schema, user, linked: HashMap::new(), reads: 0 }
    }

    /// What a formula says in each of these environments.
    pub(super) fn all<'s>(&'s mut self, node: &'s Node, envs: &'s [Env]) -> BoxFuture<'s, Result<Vec<Tri>>> {
        async move {
            match node {
                Node::Known(known) => Ok(vec![*known; envs.len()]),
                Node::Truth(expr) => Ok(self.values(expr, envs).await?.iter().map(Val::truth).collect()),
                Node::Equal(one, other) => {
                    let (one, other) = (self.values(one, envs).await?, self.values(other, envs).await?);
                    Ok(one.iter().zip(&other).map(|(one, other)| one.equal(other)).collect())
                }
                Node::In(one, list) => {
                    let (one, list) = (self.values(one, envs).await?, self.values(list, envs).await?);
                    Ok(one.iter().zip(&list).map(|(one, list)| one.within(list)).collect())
                }
                Node::Not(inner) => Ok(self.all(inner, envs).await?.into_iter().map(Tri::not).collect()),
                Node::All(parts) => self.joined(parts, envs, Tri::False).await,
                Node::Any(parts) => self.joined(parts, envs, Tri::True).await,
                Node::Exists(exists) => self.exists(exists, envs).await,
                Node::Of(expr, inner) => self.of(expr, inner, envs).await,
            }
        }
        .boxed()
    }

    /// Parts of which one that is `decides` decides: what was decided is not looked at again.
    async fn joined(&mut self, parts: &[Node], envs: &[Env], decides: Tri) -> Result<Vec<Tri>> {
        let mut results = vec![decides.not(); envs.len()];
        for part in parts {
            let open: Vec<usize> = (0..envs.len()).filter(|at| results[*at] != decides).collect();
            let found = if open.len() == envs.len() {
                self.all(part, envs).await?
            } else {
                let open: Vec<Env> = open.iter().map(|at| envs[*at].clone()).collect();
                self.all(part, &open).await?
            };
            for (at, found) in open.into_iter().zip(found) {
                if found != decides.not() && results[at] != decides {
                    results[at] = found;
                }
            }
        }
        Ok(results)
    }

    /// What a formula says of linked objects: once of each.
    async fn of(&mut self, expr: &Expr, inner: &Node, envs: &[Env]) -> Result<Vec<Tri>> {
        let mut places: BTreeMap<ObjectId, usize> = BTreeMap::new();
        let mut objects: Vec<Env> = Vec::new();
        let mut at: Vec<Option<usize>> = Vec::with_capacity(envs.len());
        for (value, env) in self.values(expr, envs).await?.into_iter().zip(envs) {
            let thing = match (value, expr) {
                (Val::Unknown, _) => {
                    at.push(None);
                    continue;
                }
                // The object itself.
                (_, Expr::Path { start: Start::Object, steps, .. }) if steps.is_empty() => env.object.clone(),
                (Val::Object(_, id), _) => Thing::linked(id),
                _ => Thing::nothing(),
            };
            let next = objects.len();
            // New objects are told apart by nothing.
            let shared = thing.record.is_none() || thing.id.is_set();
            let place = if shared { *places.entry(thing.id).or_insert(next) } else { next };
            if place == next {
                objects.push(Env { object: thing, bound: Vec::new() });
            }
            at.push(Some(place));
        }
        let said = self.all(inner, &objects).await?;
        Ok(at.into_iter().map(|at| at.map_or(Tri::Unknown, |at| said[at])).collect())
    }

    /// What a term is in each of these environments.
    pub(super) async fn values(&mut self, expr: &Expr, envs: &[Env]) -> Result<Vec<Val>> {
        let (start, model, root, steps) = match expr {
            Expr::Known(value) => return Ok(vec![value.clone(); envs.len()]),
            Expr::Wants(_) => return Ok(vec![Val::Unknown; envs.len()]),
            Expr::Path { start, model, root, steps } => (start, *model, *root, steps),
        };
        let mut things: Vec<Thing> = envs.iter().map(|env| self.start(*start, env)).collect();
        let Some((last, before)) = steps.split_last() else {
            return Ok(things.iter().map(|thing| object(root, thing.id)).collect());
        };
        let mut model = model;
        for step in before {
            self.read(model, &mut things, &step.field).await?;
            for thing in &mut things {
                let link = thing.record.as_ref().and_then(|record| record.get(&step.field)?.as_link());
                *thing = link.map_or_else(Thing::nothing, Thing::linked);
            }
            model = step.target.map_or(model, |(target, _)| target);
        }
        self.read(model, &mut things, &last.field).await?;
        Ok(things.iter().map(|thing| value(thing, last)).collect())
    }

    fn start(&self, start: Start, env: &Env) -> Thing {
        match start {
            Start::Object => env.object.clone(),
            Start::User => Thing::linked(self.user.id),
            Start::Bound(depth) => env.bound.get(depth).cloned().unwrap_or_else(Thing::nothing),
        }
    }

    /// Reads the objects that are not known yet, when this field of them is asked for.
    async fn read(&mut self, model: ModelId, things: &mut [Thing], field: &str) -> Result<()> {
        if field == "id" {
            return Ok(());
        }
        let wanted = |thing: &Thing| thing.record.is_none() && thing.id.is_set();
        let mut missing: Vec<ObjectId> = things
            .iter()
            .filter(|thing| wanted(thing) && !self.linked.contains_key(&(model, thing.id)))
            .map(|thing| thing.id)
            .collect();
        missing.sort_unstable();
        missing.dedup();
        let shape = self.schema.by_id(model).map(|info| info.shape.clone());
        if let Some(shape) = shape {
            for ids in missing.chunks(AT_ONCE) {
                self.reads += 1;
                let found = self.core.get(&shape, ids).await?;
                self.linked.extend(ids.iter().map(|id| (model, *id)).zip(found));
            }
        }
        for thing in things.iter_mut().filter(|thing| wanted(thing)) {
            thing.record = self.linked.get(&(model, thing.id)).cloned().flatten();
        }
        Ok(())
    }
}

fn object(root: ModelId, id: ObjectId) -> Val {
    if id.is_set() { Val::Object(root, id) } else { Val::Null }
}

/// What a field of an object holds.
fn value(thing: &Thing, step: &Step) -> Val {
    if step.field == "id" {
        return if thing.id.is_set() { Val::Int(thing.id.get().into()) } else { Val::Null };
    }
    let Some(record) = &thing.record else { return Val::Null };
    let root = step.target.map_or(ModelId(0), |(_, root)| root);
    match (record.get(&step.field), step.kind) {
        (None, _) => Val::Unknown,
        (Some(Value::Null), _) => Val::Null,
        (Some(Value::Bool(value)), _) => Val::Bool(*value),
        (Some(Value::Int(int)), Kind::Link) => object(root, ObjectId::new(i32::try_from(*int).unwrap_or(0))),
        (Some(Value::Int(int)), _) => Val::Int(*int),
        (Some(Value::Text(text)), _) => Val::Text(text.clone()),
        (Some(Value::Link(id)), _) => object(root, *id),
        (Some(Value::Links(ids)), _) => Val::Objects(root, ids.clone()),
        (Some(Value::Float(_) | Value::Time(_) | Value::Secret(_)), _) => Val::Other,
    }
}
