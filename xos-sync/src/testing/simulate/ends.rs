//! What is there in the end, in words that do not depend on ids.

use std::collections::{BTreeMap, BTreeSet};

use xos_core::EmbeddedCore;
use xos_model_client::{
    Error, FieldInfo, ModelAccessor, ModelId, ModelInfo, ObjectId, ObjectKey, Page, Query, QueryKind, Record,
    Schema, Value,
};

use super::backend::Resource;
use super::workload::Made;
use crate::synchronizer::Synchronizer;

/// Which models are looked at, and who looks at their objects.
#[derive(Clone)]
pub(super) struct Looks {
    pub(super) models: Vec<Look>,
    /// Fields that may differ.
    pub(super) ignored: Vec<String>,
}

/// One model.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) model: ModelId,
    step: bool,
    policy: bool,
}

/// What is there in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct End {
    /// The objects: by what they are called, their fields.
    pub(super) objects: BTreeMap<String, Vec<(String, String)>>,
    /// The resources of the backend: by whom they belong to, key and value.
    pub(super) resources: BTreeMap<String, Vec<String>>,
    /// Objects that are not done, and why.
    pub(super) unfinished: BTreeMap<String, String>,
    /// The ids of what clients made: handlers that make objects themselves shift them.
    ids: Vec<ObjectKey>,
    /// Whether there is something that no client made.
    has_others: bool,
}

/// What the core holds.
pub(super) struct Content {
    records: Vec<(Look, bool, Record)>,
}

impl Looks {
    /// The models that a workload uses, and all that the synchronizer brings.
    pub(super) fn new(
        schema: &Schema,
        service: &Synchronizer,
        models: &[ModelId],
        ignored: Vec<String>,
    ) -> Self {
        let own = service.shown_models();
        let own = own.iter().filter_map(|model| Some(schema.model(&model.name)?.id));
        let mut all: Vec<ModelId> = models.iter().copied().chain(own).collect();
        all.sort_unstable();
        all.dedup();
        let look = |model: ModelId| {
            let info = schema.by_id(model).filter(|info| !info.def.is_abstract)?;
            let looks = service.looks_at(schema, info.name());
            Some(Look { model, step: looks.step, policy: looks.policy })
        };
        Looks { models: all.into_iter().filter_map(look).collect(), ignored }
    }
}

impl Content {
    /// Reads all objects of some models.
    pub(super) async fn read(core: &EmbeddedCore, looks: &Looks) -> Result<Self, Error> {
        let schema = core.schema();
        let mut records = Vec::new();
        for look in &looks.models {
            let Some(model) = schema.by_id(look.model) else { continue };
            for (kind, is_deleted) in [(QueryKind::Live, false), (QueryKind::DeletedObjects, true)] {
                let query = Query::live(model.shape.clone()).of_kind(kind);
                let found = core.find(&query, Page::first(100_000)).await?.records;
                // Objects of models that inherit from it are looked at as what they are.
                let own = |record: &Record| {
                    record.get("leaf_model_name").and_then(Value::as_text) == Some(model.name().as_ref())
                };
                records.extend(found.into_iter().filter(own).map(|record| (*look, is_deleted, record)));
            }
        }
        Ok(Content { records })
    }

    /// The objects that are there, deleted ones too.
    pub(super) fn there(&self, schema: &Schema) -> BTreeSet<ObjectKey> {
        let each = self.records.iter();
        each.filter_map(|(look, _, record)| Some(key(schema.by_id(look.model)?, record))).collect()
    }

    /// The objects that are not done, and why.
    pub(super) fn unfinished(&self, schema: &Schema) -> Vec<(ObjectKey, String)> {
        let each = self.records.iter().filter_map(|(look, is_deleted, record)| {
            Some((key(schema.by_id(look.model)?, record), undone(*look, *is_deleted, record)?))
        });
        each.collect()
    }
}

/// What is still to be done for an object.
fn undone(look: Look, is_deleted: bool, record: &Record) -> Option<String> {
    if is_deleted {
        return (look.step || look.policy).then(|| "is deleted and not purged".to_owned());
    }
    let time = |name| record.get(name).and_then(Value::as_time);
    let code = |name| record.get(name).and_then(Value::as_int);
    let flag = |name| record.get(name).and_then(Value::as_bool).unwrap_or(false);
    let text = |name| record.get(name).and_then(Value::as_text).unwrap_or_default();
    let is_done = |when: Option<_>, by| when.is_some_and(|when| Some(when) >= time("updated").max(by));
    if look.step && !flag("no_sync") && !flag("lazy_blocked") {
        let is_enacted = is_done(time("enacted"), time("changed_by_policy"));
        if !is_enacted || code("backend_code") != Some(1) {
            return Some(format!("is not synchronized: {:?}", text("backend_status")));
        }
    }
    if look.policy && !flag("no_policy") {
        let is_policed = is_done(time("policed"), time("changed_by_step"));
        if !is_policed || code("policy_code") != Some(1) {
            return Some(format!("is not policed: {:?}", text("policy_status")));
        }
    }
    None
}

pub(super) fn key(model: &ModelInfo, record: &Record) -> ObjectKey {
    ObjectKey { root: model.root, id: record.id() }
}

/// What objects are called: those of the workload by model and number, so that they are called the same in each world.
pub(super) struct Names<'m> {
    pub(super) schema: &'m Schema,
    pub(super) made: &'m Made,
}

impl Names<'_> {
    /// The name of an object that is known by its key only.
    pub(super) fn of(&self, key: ObjectKey) -> String {
        match self.made.number(key) {
            Some(number) => {
                let leaf = self.made.objects.get(number).and_then(|object| self.schema.by_id(object.leaf));
                format!("{} #{number}", leaf.map_or("?", |leaf| leaf.name()))
            }
            None => self
                .schema
                .by_id(key.root)
                .map_or_else(|| "?".to_owned(), |root| format!("{} that no client made", root.name())),
        }
    }

    /// The same text with the names of the objects in it instead of their keys, and their ids.
    pub(super) fn in_text(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let named = after.split_once('}').and_then(|(inside, behind)| {
                let (root, id) = inside.split_once(':')?;
                let root = ModelId(root.parse().ok()?);
                let id: i32 = id.parse().ok()?;
                Some((format!("{} (id {id})", self.of(ObjectKey { root, id: ObjectId::new(id) })), behind))
            });
            match named {
                Some((name, behind)) => {
                    out.push_str(&name);
                    rest = behind;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out + rest
    }
}

impl End {
    /// What is there, in words.
    pub(super) fn new(
        content: &Content,
        shelf: &[(String, Resource)],
        names: &Names<'_>,
        looks: &Looks,
    ) -> Self {
        let ids = names.made.objects.iter().map(|object| object.key).collect();
        let mut end = End { ids, ..End::default() };
        let mut others: BTreeMap<String, Vec<Vec<(String, String)>>> = BTreeMap::new();
        for (look, is_deleted, record) in &content.records {
            let Some(model) = names.schema.by_id(look.model) else { continue };
            let key = key(model, record);
            let name = names.of(key);
            if let Some(what) = undone(*look, *is_deleted, record) {
                end.unfinished.insert(name.clone(), what);
            }
            let fields = fields(model, record, names, *look, looks);
            if names.made.number(key).is_some() {
                end.objects.insert(name, fields);
            } else {
                others.entry(name).or_default().push(fields);
            }
        }
        end.has_others = !others.is_empty();
        // What handlers made has no number: it is compared in the order of its fields.
        for (name, mut all) in others {
            all.sort();
            end.objects
                .extend(all.into_iter().enumerate().map(|(at, fields)| (format!("{name} ({at})"), fields)));
        }
        for (key, resource) in shelf {
            let owner = resource.owner.map_or_else(|| "nobody".to_owned(), |owner| names.of(owner));
            let known = resource.owner.is_none_or(|owner| names.made.number(owner).is_some());
            let what =
                if known { format!("{key:?} = {:?}", resource.value) } else { "a resource".to_owned() };
            end.resources.entry(owner).or_default().push(what);
        }
        end.resources.values_mut().for_each(|all| all.sort());
        end
    }

    /// The first difference from what was expected.
    ///
    /// What handlers make themselves may have another id in each run, and shifts those of others. Then numbers in texts
    /// are not compared: they are likely to be ids.
    pub(super) fn differs(&self, expected: &End) -> Option<String> {
        if self.ids == expected.ids && !self.has_others && !expected.has_others {
            return self.first_difference(expected);
        }
        self.without_numbers().first_difference(&expected.without_numbers())
    }

    fn first_difference(&self, expected: &End) -> Option<String> {
        let objects = difference("object", &self.objects, &expected.objects);
        objects.or_else(|| difference("resources of", &self.resources, &expected.resources))
    }

    fn without_numbers(&self) -> End {
        let objects = self.objects.iter().map(|(name, fields)| {
            let fields = fields.iter().map(|(field, value)| (field.clone(), without_numbers(value)));
            (name.clone(), fields.collect())
        });
        let resources = self.resources.iter().map(|(owner, all)| {
            let mut all: Vec<String> = all.iter().map(|one| without_numbers(one)).collect();
            all.sort();
            (owner.clone(), all)
        });
        End { objects: objects.collect(), resources: resources.collect(), ..End::default() }
    }
}

/// A text with each number in it being the same.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            other => out.push(other),
        }
    }
    out
}

fn difference<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: &BTreeMap<String, Vec<T>>,
    expected: &BTreeMap<String, Vec<T>>,
) -> Option<String> {
    for (name, fields) in expected {
        let Some(there) = found.get(name) else {
            return Some(format!("{what} {name}: not there, expected {fields:?}"));
        };
        if there != fields {
            let odd: Vec<&T> = there.iter().filter(|field| !fields.contains(field)).collect();
            let missing: Vec<&T> = fields.iter().filter(|field| !there.contains(field)).collect();
            return Some(format!("{what} {name}: found {odd:?}, expected {missing:?}"));
        }
    }
    let more = found.iter().find(|(name, _)| !expected.contains_key(*name));
    more.map(|(name, fields)| format!("{what} {name}: {fields:?}, expected not to be there"))
}

/// The fields that have to be the same.
fn fields(
    model: &ModelInfo,
    record: &Record,
    names: &Names<'_>,
    look: Look,
    looks: &Looks,
) -> Vec<(String, String)> {
    let is_status = |name: &str| match name {
        "backend_status" | "backend_code" => look.step,
        "policy_status" | "policy_code" => look.policy,
        _ => false,
    };
    let counts = |field: &FieldInfo| {
        let name = field.def.name.as_ref();
        let is_own = !matches!(
            name,
            "backend_register" | "backend_status" | "backend_code" | "policy_status" | "policy_code"
        );
        let declared = is_own && !field.def.bookkeeping && !field.def.is_id() && !field.def.auto_now_add;
        (declared || is_status(name)) && !looks.ignored.iter().any(|ignored| ignored == name)
    };
    let values = model.fields.iter().zip(record.values()).filter(|(field, _)| counts(field));
    values.map(|(field, value)| (field.def.name.to_string(), shown(field, value, names))).collect()
}

/// A value in words: links by what they lead to, of a status the newest message.
fn shown(field: &FieldInfo, value: &Value, names: &Names<'_>) -> String {
    let root = field.target.and_then(|target| names.schema.by_id(target)).map(|target| target.root);
    let name = |id: ObjectId| match root {
        Some(root) if id.is_set() => names.of(ObjectKey { root, id }),
        _ => "nothing".to_owned(),
    };
    match value {
        Value::Link(id) => name(*id),
        Value::Links(ids) => {
            let mut all: Vec<String> = ids.iter().map(|id| name(*id)).collect();
            all.sort();
            format!("{all:?}")
        }
        Value::Text(text) if field.def.name.ends_with("_status") => {
            text.rsplit(" // ").next().unwrap_or_default().to_owned()
        }
        Value::Secret(secret) => format!("a secret of {} characters", secret.expose().len()),
        other => other.to_string(),
    }
}
