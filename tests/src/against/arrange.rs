//! Objects made what a recording shows: what its driver did between two recorded calls is not among them.
//!
//! `calls.jsonl` and most of `load-calls.jsonl` make their objects by themselves. In the sessions of a synchronizer all
//! objects are somebody else's: before a call that reads some, they are made as its answer shows them, and those that
//! it would show here and does not show there are made what they are shown as next.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value as Wire};
use xos_core::EmbeddedCore;
use xos_model_client::{
    Caller, FieldPos, Guard, Kind, ModelAccessor as _, ModelInfo, ObjectId, Op, Page, Query, QueryKind,
    Record, Target, Timestamp, Touch, Value, Write,
};

use super::Recorded;
use super::messages::{Descriptors, Translation, id_of, items_of, model_of, root};
use crate::stand_in::BoxError;

pub(super) struct Arranger<'a> {
    store: &'a EmbeddedCore,
    descriptors: &'a Descriptors,
    calls: &'a [Recorded],
    /// Objects, by their recorded ids, that were changed by two calls at once, until they are shown again.
    unsure: HashSet<i32>,
    seen: HashSet<i32>,
}

/// How far an object is made what a recorded message shows.
#[derive(Copy, Clone, PartialEq)]
enum How {
    /// It is there.
    There,
    /// All its fields are as shown.
    Whole,
}

impl<'a> Arranger<'a> {
    pub(super) fn new(store: &'a EmbeddedCore, descriptors: &'a Descriptors, calls: &'a [Recorded]) -> Self {
        Arranger { store, descriptors, calls, unsure: HashSet::new(), seen: HashSet::new() }
    }

    /// Whether the objects of a call are arranged.
    fn is_arranged(call: &Recorded) -> bool {
        call.seq > 0 || call.name == "x" || call.name.starts_with("cleanup.")
    }

    /// Makes the services, which instances need as owners.
    pub(super) async fn begin(&mut self, known: &mut Translation) -> Result<(), BoxError> {
        for call in self.calls.iter().filter(|call| Self::is_arranged(call)) {
            if call.method.ends_with("HelloWorldService") {
                for shown in self.shown(call)? {
                    self.make(known, "HelloWorldService", &shown, How::There).await?;
                }
            }
        }
        for call in self.calls.iter().filter(|call| Self::is_arranged(call) && call.seq == 0) {
            if call.method.ends_with("HelloWorldServiceInstance") {
                for shown in self.shown(call)? {
                    self.make(known, "HelloWorldServiceInstance", &shown, How::There).await?;
                }
            }
        }
        Ok(())
    }

    /// Arranges what a call will look at. Tells whether another call was in flight that changed the same object, so
    /// that a difference says nothing.
    pub(super) async fn before(&mut self, at: usize, known: &mut Translation) -> Result<bool, BoxError> {
        let call = &self.calls[at];
        if ["del.get_after_reap", "unload.require_clean.success"].contains(&call.name.as_str()) {
            self.store.reap().await?;
        }
        if !Self::is_arranged(call) {
            return Ok(false);
        }
        let Some((operation, model)) = model_of(&call.method) else { return Ok(false) };
        let shown = self.shown(call)?;
        let at_once: Vec<(&str, i32)> =
            self.calls.iter().filter_map(|other| self.changed_in(call, other)).collect();
        // A filter may find, or no longer find, whatever is changed meanwhile.
        let is_stale = at_once.iter().any(|(of, id)| {
            root(of) == root(model)
                && (operation == "Filter" || shown.iter().any(|object| id_of(object) == *id))
        });
        for object in shown.iter().filter(|object| object.descriptor().name() == model) {
            let is_known = !self.seen.insert(id_of(object));
            let how = if is_stale && is_known { How::There } else { How::Whole };
            if how == How::Whole {
                self.unsure.remove(&id_of(object));
            }
            self.make(known, model, object, how).await?;
            self.give_instances(known, model, object).await?;
        }
        if operation == "Filter" && !is_stale {
            self.hide(at, model, &shown, known).await?;
        }
        if operation == "Delete" {
            // Whatever a deletion reaches is shown later.
            return Ok(false);
        }
        if call.code == "NOT_FOUND" {
            let gone = self.changes(call).map(|id| known.id(model, id));
            self.purge(model, gone).await?;
            // The recorded reaper took one; here it takes all that may go.
            self.unsure.extend(known.ids.keys().map(|(_, id)| *id));
        }
        let changes = self.changes(call);
        if changes.is_some()
            && self.calls.iter().any(|other| call.overlaps(other) && self.changes(other) == changes)
        {
            self.unsure.extend(changes);
        }
        let looks_at = changes.or_else(|| self.reads(call));
        Ok(operation != "Update" && is_stale || looks_at.is_some_and(|id| self.unsure.contains(&id)))
    }

    /// The object that another call changes, when both are in flight at once.
    fn changed_in<'b>(&self, call: &Recorded, other: &'b Recorded) -> Option<(&'b str, i32)> {
        let changed = self.changes(other).filter(|_| call.overlaps(other))?;
        Some((model_of(&other.method)?.1, changed))
    }

    /// Objects that a filter would find here, and did not find there, are made so that it does not.
    async fn hide(
        &mut self,
        at: usize,
        model: &str,
        shown: &[DynamicMessage],
        known: &mut Translation,
    ) -> Result<(), BoxError> {
        let Some(kind) = self.kind(&self.calls[at])? else { return Ok(()) };
        let visible: HashSet<i32> = shown.iter().map(|object| known.id(model, id_of(object))).collect();
        for record in self.found(model, kind).await? {
            let id = record.id().get();
            if visible.contains(&id) {
                continue;
            }
            let recorded = known.ids.iter().find(|((of, _), ours)| of == root(model) && **ours == id);
            let recorded = recorded.map(|((_, theirs), _)| *theirs);
            let later = self.next_shown(at, model, recorded)?;
            match kind {
                QueryKind::DirtyObjects => self.done(model, &record, "enacted").await?,
                QueryKind::DirtyPolicies | QueryKind::DeletedPolicies => {
                    self.done(model, &record, "policed").await?;
                }
                // It was not deleted yet, or was purged already.
                _ => match later {
                    Some((_, later)) => self.make(known, model, &later, How::Whole).await?,
                    None => self.purge(model, Some(id)).await?,
                },
            }
        }
        Ok(())
    }

    /// Nothing is to be done with an object as it is now.
    async fn done(&self, model: &str, record: &Record, field: &str) -> Result<(), BoxError> {
        let times = ["updated", "changed_by_step", "changed_by_policy"];
        let newest = times.iter().filter_map(|name| record.get(name)?.as_time()).max();
        let newest = newest.map_or(Value::Null, Value::Time);
        self.set(model, record.id(), &[(field, newest)]).await
    }

    /// When an object is shown next, and how.
    fn next_shown(
        &self,
        at: usize,
        model: &str,
        recorded: Option<i32>,
    ) -> Result<Option<(usize, DynamicMessage)>, BoxError> {
        for (later, call) in self.calls.iter().enumerate().skip(at + 1) {
            let found = self
                .shown(call)?
                .into_iter()
                .find(|object| object.descriptor().name() == model && Some(id_of(object)) == recorded);
            if let Some(found) = found {
                return Ok(Some((later, found)));
            }
        }
        Ok(None)
    }

    /// The kind that a filter without conditions asks for.
    fn kind(&self, call: &Recorded) -> Result<Option<QueryKind>, BoxError> {
        let Some(("Filter", _)) = model_of(&call.method) else { return Ok(None) };
        let Some(descriptor) = self.descriptors.request_of(&call.method) else { return Ok(None) };
        let query = DynamicMessage::decode(descriptor, call.request()?.as_slice())?;
        let kind = query.get_field_by_name("kind").and_then(|kind| kind.as_enum_number());
        Ok(match kind {
            Some(2) => Some(QueryKind::DirtyObjects),
            Some(3) => Some(QueryKind::DeletedObjects),
            Some(4) => Some(QueryKind::DirtyPolicies),
            Some(5) => Some(QueryKind::DeletedPolicies),
            _ => None,
        })
    }

    /// The object that a call changes, as the recording numbers it.
    fn changes(&self, call: &Recorded) -> Option<i32> {
        matches!(model_of(&call.method)?, ("Update", _)).then(|| self.asks_for(call)).flatten()
    }

    fn reads(&self, call: &Recorded) -> Option<i32> {
        matches!(model_of(&call.method)?, ("Get", _)).then(|| self.asks_for(call)).flatten()
    }

    fn asks_for(&self, call: &Recorded) -> Option<i32> {
        let descriptor = self.descriptors.request_of(&call.method)?;
        let request = DynamicMessage::decode(descriptor, call.request().ok()?.as_slice()).ok()?;
        Some(id_of(&request))
    }

    /// The objects that a recorded answer shows.
    fn shown(&self, call: &Recorded) -> Result<Vec<DynamicMessage>, BoxError> {
        let is_read = ["/Filter", "/Get", "/List"].iter().any(|read| call.method.contains(read));
        if !is_read || call.code != "OK" || model_of(&call.method).is_none_or(|(_, model)| model == "Site") {
            return Ok(Vec::new());
        }
        let Some(answer) = self.descriptors.answer(&call.method, &call.response()?) else {
            return Ok(Vec::new());
        };
        Ok(items_of(&answer).unwrap_or_else(|| vec![answer]))
    }

    async fn found(&self, model: &str, kind: QueryKind) -> Result<Vec<Record>, BoxError> {
        let shape = self.store.schema().expect_model(model)?.shape.clone();
        Ok(self.store.find(&Query::live(shape).of_kind(kind), Page::first(10_000)).await?.records)
    }

    async fn set(&self, model: &str, id: ObjectId, fields: &[(&str, Value)]) -> Result<(), BoxError> {
        let shape = self.store.schema().expect_model(model)?.shape.clone();
        let fields = fields
            .iter()
            .filter_map(|(name, value)| Some((shape.position(name)? as FieldPos, value.clone())));
        let op = Op::Set { fields: fields.collect(), touch: Touch::AsTheRulesSay };
        let (target, by) = (Target::Object(id), Caller::Engine);
        self.write(Write { shape: shape.clone(), target, op, by, guard: Guard::None }).await.map(drop)
    }

    async fn write(&self, write: Write) -> Result<ObjectId, BoxError> {
        match self.store.write(vec![write]).await.pop() {
            Some(written) => Ok(written?.id),
            None => Err("a write without an answer".into()),
        }
    }

    /// Purges soft-deleted objects, or one of them, whatever they wait for. The others stay as they are.
    async fn purge(&self, model: &str, only: Option<i32>) -> Result<(), BoxError> {
        let flags = ["backend_need_reap", "backend_need_delete"];
        let mut before = Vec::new();
        for record in self.found(model, QueryKind::DeletedObjects).await? {
            let goes = only.is_none_or(|only| record.id().get() == only);
            before.push(record.clone());
            self.set(model, record.id(), &[(flags[0], Value::Bool(goes)), (flags[1], Value::Bool(true))])
                .await?;
        }
        self.store.reap().await?;
        for record in self.found(model, QueryKind::DeletedObjects).await? {
            let then = before.iter().find(|before| before.id() == record.id());
            let fields = flags.iter().filter_map(|flag| Some((*flag, then?.get(flag)?.clone())));
            self.set(model, record.id(), &fields.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Takes a name away from all objects but one.
    async fn free_name(&self, model: &str, name: &Value, but: ObjectId) -> Result<(), BoxError> {
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            for record in self.found(model, kind).await? {
                if record.id() != but && record.get("name") == Some(name) {
                    let other = Value::Text(format!("former {}", record.id()));
                    self.set(model, record.id(), &[("name", other)]).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes an object what a recorded message shows.
    async fn make(
        &self,
        known: &mut Translation,
        model: &str,
        shown: &DynamicMessage,
        how: How,
    ) -> Result<(), BoxError> {
        let schema = self.store.schema();
        let info = schema.expect_model(model)?;
        let recorded = id_of(shown);
        self.give_owner(known, shown).await?;
        let key = (root(model).to_owned(), recorded);
        let mut shown = shown.clone();
        known.translate(model, &mut shown);
        let given = values(info, &shown);
        let name = |at: FieldPos| info.fields[usize::from(at)].def.name.as_ref();
        let write = |target, op| Write {
            shape: info.shape.clone(),
            target,
            op,
            by: Caller::Engine,
            guard: Guard::None,
        };
        let is_there = match known.ids.get(&key) {
            Some(id) => {
                self.store.get(&info.shape, &[ObjectId::new(*id)]).await?.iter().flatten().next().is_some()
            }
            None => false,
        };
        if !is_there {
            let needed = ["owner", "hello_to", "hello_from", "leaf_model_name"];
            let mut fields: Vec<_> =
                given.iter().filter(|(at, _)| needed.contains(&name(*at))).cloned().collect();
            if let Some(at) = info.shape.position("name") {
                // A name may still be that of an object that is purged later.
                fields.push((at as FieldPos, Value::Text(format!("recorded {recorded}"))));
            }
            let id = self.write(write(Target::New, Op::Create(fields))).await?;
            known.ids.insert(key.clone(), id.get());
        }
        if how == How::There {
            return Ok(());
        }
        let id = ObjectId::new(known.id(model, recorded));
        let now = self.store.get(&info.shape, &[id]).await?.into_iter().flatten().next();
        let fields = (0..info.fields.len() as FieldPos)
            .filter(|at| !["id", "updated", "leaf_model_name"].contains(&name(*at)))
            .map(|at| {
                let value = given.iter().find(|(given, _)| *given == at);
                (at, value.map_or(Value::Null, |(_, value)| value.clone()))
            })
            .filter(|(at, value)| {
                now.as_ref().and_then(|now| now.values().get(usize::from(*at))).is_none_or(|now| now != value)
            });
        let op = Op::Set { fields: fields.collect(), touch: Touch::AsTheRulesSay };
        let target = Target::Object(id);
        if self.write(write(target, op.clone())).await.is_err() {
            let named = given.iter().find(|(at, _)| name(*at) == "name");
            if let Some((_, name)) = named {
                self.free_name(model, name, id).await?;
            }
            self.write(write(target, op)).await?;
        }
        Ok(())
    }

    /// Makes the instances that a service is shown with and that no recorded answer has shown so far. Nothing is to be
    /// done with them.
    async fn give_instances(
        &self,
        known: &mut Translation,
        model: &str,
        shown: &DynamicMessage,
    ) -> Result<(), BoxError> {
        let service = known.id(model, id_of(shown));
        let instances = shown.get_field_by_name("service_instances_ids");
        for recorded in instances.iter().filter_map(|ids| ids.as_list()).flatten().filter_map(Wire::as_i32) {
            if !known.ids.contains_key(&("ServiceInstance".to_owned(), recorded)) {
                self.give_instance(known, service, recorded).await?;
            }
        }
        Ok(())
    }

    async fn give_instance(
        &self,
        known: &mut Translation,
        service: i32,
        recorded: i32,
    ) -> Result<(), BoxError> {
        let model = "HelloWorldServiceInstance";
        let shape = self.store.schema().expect_model(model)?.shape.clone();
        let text = || Value::Text(format!("recorded {recorded}"));
        let owner = Value::Link(ObjectId::new(service));
        let fields = [("name", text()), ("hello_to", text()), ("owner", owner)]
            .into_iter()
            .filter_map(|(name, value)| Some((shape.position(name)? as FieldPos, value)));
        let op = Op::Create(fields.collect());
        let (target, by) = (Target::New, Caller::Engine);
        let write = Write { shape: shape.clone(), target, op, by, guard: Guard::None };
        let id = self.write(write).await?;
        known.ids.insert((root(model).to_owned(), recorded), id.get());
        for record in self.store.get(&shape, &[id]).await?.iter().flatten() {
            self.done(model, record, "enacted").await?;
            self.done(model, record, "policed").await?;
        }
        Ok(())
    }

    /// Makes the service that an instance needs and that no recorded answer shows, or shows no longer.
    async fn give_owner(&self, known: &mut Translation, shown: &DynamicMessage) -> Result<(), BoxError> {
        let owner = shown.get_field_by_name("owner_id").and_then(|owner| owner.as_i32());
        let Some(owner) = owner.filter(|_| shown.descriptor().name() == "HelloWorldServiceInstance") else {
            return Ok(());
        };
        let schema = self.store.schema();
        let shape = &schema.expect_model("HelloWorldService")?.shape;
        let key = ("Service".to_owned(), owner);
        if let Some(id) = known.ids.get(&key) {
            let found = self.store.get(shape, &[ObjectId::new(*id)]).await?.into_iter().flatten().next();
            let is_live = found.is_some_and(|owner| owner.get("deleted") != Some(&Value::Bool(true)));
            let instance = ObjectId::new(known.id("ServiceInstance", id_of(shown)));
            let shape = &schema.expect_model("HelloWorldServiceInstance")?.shape;
            let is_there = self.store.get(shape, &[instance]).await?.iter().any(Option::is_some);
            if is_live || is_there {
                return Ok(());
            }
        }
        let text = |name: &str| {
            let at = shape.position(name)? as FieldPos;
            Some((at, Value::Text(format!("owner {owner} {}", known.ids.len()))))
        };
        let op = Op::Create(text("name").into_iter().chain(text("hello_from")).collect());
        let (target, by) = (Target::New, Caller::Engine);
        let id = self.write(Write { shape: shape.clone(), target, op, by, guard: Guard::None }).await?;
        self.set(
            "HelloWorldService",
            id,
            &[("no_sync", Value::Bool(true)), ("no_policy", Value::Bool(true))],
        )
        .await?;
        known.ids.insert(key, id.get());
        Ok(())
    }
}

/// The values of a message of a model, by position.
fn values(info: &ModelInfo, message: &DynamicMessage) -> Vec<(FieldPos, Value)> {
    let value = |kind: Kind, wire: &Wire| -> Option<Value> {
        Some(match (kind, wire) {
            (Kind::Link, Wire::I32(id)) => Value::Link(ObjectId::new(*id)),
            (Kind::Links, Wire::List(ids)) => {
                Value::Links(ids.iter().filter_map(Wire::as_i32).map(ObjectId::new).collect())
            }
            (_, Wire::String(text)) => Value::Text(text.clone()),
            (_, Wire::I32(int)) => Value::Int(i64::from(*int)),
            (_, Wire::U32(int)) => Value::Int(i64::from(*int)),
            (_, Wire::Bool(bool)) => Value::Bool(*bool),
            (_, Wire::F32(float)) => Value::Float(*float),
            (_, Wire::F64(seconds)) => Value::Time(Timestamp::from_seconds(*seconds)),
            _ => return None,
        })
    };
    let fields = info.fields.iter().zip(0..);
    fields
        .filter_map(|(field, at)| {
            let name = match field.def.kind {
                Kind::Link => format!("{}_id", field.def.name),
                Kind::Links => format!("{}_ids", field.def.name),
                _ => field.def.name.to_string(),
            };
            let descriptor = message.descriptor().get_field_by_name(&name)?;
            message
                .has_field(&descriptor)
                .then(|| value(field.def.kind, &message.get_field(&descriptor)))?
                .map(|value| (at, value))
        })
        .collect()
}
