//! What has to be written so that the core matches a recipe.
//!
//! The planner reads and writes nothing itself. It is asked what it wants to know, is told, and says in the end what
//! is to be done; so it is tested without a core.

mod finish;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::applied::{Applied, Settled};
use super::check::{Asked, Checked, CheckedNode, KEPT, OWNER, Setting};
use super::fault::Fault;
use super::report::NodeReport;
use super::same::{is_comparable, same};
use crate::accessor::{FieldPos, Target};
use crate::model::{Kind, ModelName};
use crate::query::{Condition, Operator};
use crate::record::{Record, Shape};
use crate::schema::{FieldInfo, ModelId, ModelInfo, ObjectKey, Schema};
use crate::value::{ObjectId, Value};

/// What has to be written so that the core matches a recipe.
#[derive(Debug)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) deletions: Vec<Deletion>,
    /// Nodes that left the recipe, and about which nothing is to be done.
    pub(super) left: Vec<Left>,
    /// Names that are to be forgotten, because their objects belong to other nodes now.
    pub(super) stale: Vec<String>,
    /// What has to be gone before the steps can be made.
    pub(super) waits_for: Vec<Fault>,
    /// The deletions that have to be made first, by name of the node.
    pub(super) blockers: HashSet<String>,
}

/// What is to be done about one node of the recipe, in dependency order.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) node: String,
    pub(super) model_name: ModelName,
    pub(super) shape: Arc<Shape>,
    pub(super) target: Target,
    /// The fields that are to be written; none for an object that is as it should be.
    pub(super) writes: Vec<FieldWrite>,
    /// Whether the recipe created the object, or is going to.
    pub(super) ours: bool,
    /// What a new object is found by.
    pub(super) key: Vec<(String, Asked)>,
    /// Fields that are left as the core settled them.
    pub(super) settled: BTreeMap<String, Settled>,
}

/// One field that is to be written.
#[derive(Debug)]
pub(super) struct FieldWrite {
    pub(super) field: String,
    pub(super) position: FieldPos,
    pub(super) asked: Asked,
}

/// An object that left the recipe.
#[derive(Debug)]
pub(super) struct Deletion {
    pub(super) node: String,
    pub(super) model_name: ModelName,
    pub(super) shape: Arc<Shape>,
    pub(super) id: ObjectId,
}

/// A node that left the recipe, and about which nothing is to be done.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) report: NodeReport,
    /// Whether it is to be asked about again the next time.
    pub(super) remember: bool,
}

/// Values that no other object may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unique {
    /// The model that declares the fields: all objects of it count.
    pub(super) model: ModelId,
    pub(super) values: Vec<(String, Value)>,
}

/// An object that left the recipe, to be read before it is deleted.
#[derive(Clone, Debug)]
pub(super) struct Leaver {
    pub(super) node: String,
    pub(super) model: ModelId,
    /// Unset for one whose creation may have been cut short: it is looked for by `key`.
    pub(super) id: ObjectId,
    pub(super) key: Vec<Condition>,
}

/// What a node turned out to be.
#[derive(Debug)]
enum Found {
    /// An object that is there.
    Object(Box<Record>),
    /// One to be created.
    New,
    /// There is a fault; what follows from it is not reported too.
    Unclear,
}

/// Finds out what has to be written. See the module.
pub(super) struct Planner<'a> {
    schema: &'a Schema,
    checked: &'a Checked,
    applied: &'a Applied,
    /// What this recipe created.
    created: HashSet<ObjectKey>,
    /// Which node each object is.
    claimed: HashMap<ObjectKey, usize>,
    found: Vec<Found>,
    steps: Vec<Step>,
    /// What each node must have alone.
    wanted: Vec<(usize, Unique)>,
    holders: Vec<Holder>,
    leavers: Vec<(Leaver, Option<Record>)>,
    faults: Vec<Fault>,
}

/// An object that has a value which a node is to have.
struct Holder {
    node: usize,
    unique: Unique,
    record: Record,
    is_deleted: bool,
}

impl<'a> Planner<'a> {
    pub(super) fn new(schema: &'a Schema, checked: &'a Checked, applied: &'a Applied) -> Self {
        let created = applied.nodes.values().filter(|node| node.created && node.id.is_set());
        let created =
            created.filter_map(|node| Some(ObjectKey { root: schema.model(&node.model)?.root, id: node.id }));
        Planner {
            schema,
            checked,
            applied,
            created: created.collect(),
            claimed: HashMap::new(),
            found: Vec::new(),
            steps: Vec::new(),
            wanted: Vec::new(),
            holders: Vec::new(),
            leavers: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn node(&self, node: usize) -> &'a CheckedNode {
        &self.checked.nodes[node]
    }

    /// What the object of this node is found by; `None` when it cannot be there, because what its key links to is
    /// not there either.
    pub(super) fn key(&self, node: usize) -> Option<Vec<Condition>> {
        let keys = self.node(node).settings.iter().filter(|setting| setting.key);
        keys.map(|setting| Some(equal(&setting.field, self.value(&setting.asked)?))).collect()
    }

    /// The object that this node was before, to be read when nothing has its key.
    pub(super) fn remembered(&self, node: usize) -> Option<ObjectId> {
        let node = self.node(node);
        let before = self.applied.nodes.get(&node.name)?;
        let usable =
            before.created && before.id.is_set() && before.model == node.model_name && !node.must_exist;
        usable.then_some(before.id)
    }

    /// What a setting comes down to; `None` for a link to an object that is not there yet.
    fn value(&self, asked: &Asked) -> Option<Value> {
        match asked {
            Asked::Value(value) => Some(value.clone()),
            Asked::Node(target) => match self.found.get(*target) {
                Some(Found::Object(record)) => Some(Value::Link(record.id())),
                _ => None,
            },
        }
    }

    fn fault(&mut self, node: &CheckedNode, problem: impl Into<String>) {
        self.faults.push(Fault::at(node.at, problem).node(&node.name));
    }

    /// Takes in what was found for a node: the objects with its key, and the one it was before. To be called for each
    /// node in order.
    pub(super) fn tell(&mut self, at: usize, by_key: Vec<Record>, remembered: Option<Record>) {
        let node = self.node(at);
        let several = by_key.len() > 1;
        let before = remembered.filter(|record| record.get("deleted") != Some(&Value::Bool(true)));
        let found = match by_key.into_iter().next().or(before) {
            _ if several => {
                let key = self.describe_key(node);
                let problem = format!(
                    "there are several objects of {} with {key}; only one can be meant: delete or rename the others",
                    node.model_name
                );
                self.fault(node, problem);
                Found::Unclear
            }
            Some(record) => Found::Object(Box::new(record)),
            None if node.must_exist => {
                // A target that is not there has its own fault already.
                if self.key(at).is_some() {
                    let key = self.describe_key(node);
                    self.fault(node, format!("must exist, but there is no {} with {key}", node.model_name));
                }
                Found::Unclear
            }
            None => Found::New,
        };
        if let Some(info) = self.schema.by_id(node.model) {
            match &found {
                Found::Object(record) => self.plan_change(at, info, record),
                Found::New => self.plan_creation(node, info),
                Found::Unclear => {}
            }
        }
        self.found.push(found);
    }

    fn describe_key(&self, node: &CheckedNode) -> String {
        let keys = node.settings.iter().filter(|setting| setting.key);
        let parts: Vec<String> = keys
            .map(|setting| match &setting.asked {
                Asked::Value(value) => format!("{} \"{value}\"", setting.field),
                Asked::Node(target) => format!("{} {}", setting.field, self.node(*target).name),
            })
            .collect();
        parts.join(" and ")
    }

    fn plan_change(&mut self, at: usize, info: &ModelInfo, record: &Record) {
        let node = self.node(at);
        let object = ObjectKey { root: info.root, id: record.id() };
        if let Some(other) = self.claimed.get(&object).copied() {
            self.check_shared(node, self.node(other), record);
        } else {
            self.claimed.insert(object, at);
        }
        let before = self.applied.nodes.get(&node.name).filter(|before| before.model == node.model_name);
        let cut_short = before.is_some_and(|before| before.created && !before.id.is_set());
        let before = before.filter(|before| before.id == record.id());
        let mut settled = BTreeMap::new();
        let mut writes = Vec::new();
        for setting in &node.settings {
            let stored = record.values().get(usize::from(setting.position)).unwrap_or(&Value::Null);
            let asked = self.value(&setting.asked);
            let known = before.and_then(|before| before.settled.get(&setting.field));
            match (asked, known) {
                (Some(asked), _) if same(&asked, stored) => {}
                _ if !is_comparable(info.name(), &setting.field) => {}
                (Some(asked), Some(known)) if known.asked == asked && same(&known.stored, stored) => {
                    settled.insert(setting.field.clone(), known.clone());
                }
                _ => writes.push(write(setting)),
            }
        }
        self.steps.push(Step {
            node: node.name.clone(),
            model_name: node.model_name.clone(),
            shape: info.shape.clone(),
            target: Target::Object(record.id()),
            writes,
            ours: self.created.contains(&object) || cut_short,
            key: Vec::new(),
            settled,
        });
    }

    /// Two nodes may be one object when they do not contradict each other.
    fn check_shared(&mut self, node: &CheckedNode, other: &CheckedNode, record: &Record) {
        let differs = node.settings.iter().find(|setting| {
            other.settings.iter().any(|theirs| theirs.field == setting.field && theirs.asked != setting.asked)
        });
        if let Some(setting) = differs {
            let problem = format!(
                "is {} {} as node {} is, but gives it another {}; make them one node, or rename in two steps",
                node.model_name,
                record.id(),
                other.name,
                setting.field
            );
            self.faults.push(Fault::at(setting.at, problem).node(&node.name).property(&setting.field));
        }
    }

    fn plan_creation(&mut self, node: &CheckedNode, info: &ModelInfo) {
        let missing: Vec<String> = info
            .fields
            .iter()
            .filter(|field| self.must_be_given(info, field))
            .filter(|field| !node.settings.iter().any(|setting| setting.field == field.def.name))
            .map(|field| match field.target.and_then(|target| self.schema.by_id(target)) {
                Some(target) => format!(
                    "{} needs the link {}; add \"- {}: {{node: <name>}}\" under requirements, where <name> is a \
                     node of type tosca.nodes.{}",
                    info.name(),
                    field.def.name,
                    field.def.name,
                    target.name()
                ),
                None => format!("{} needs {}; add it under properties", info.name(), field.def.name),
            })
            .collect();
        for problem in missing {
            self.fault(node, problem);
        }
        let keys = node.settings.iter().filter(|setting| setting.key);
        self.steps.push(Step {
            node: node.name.clone(),
            model_name: node.model_name.clone(),
            shape: info.shape.clone(),
            target: Target::New,
            writes: node.settings.iter().map(write).collect(),
            ours: true,
            key: keys.map(|setting| (setting.field.clone(), setting.asked.clone())).collect(),
            settled: BTreeMap::new(),
        });
    }

    /// Whether an object cannot be created without somebody giving this field.
    fn must_be_given(&self, info: &ModelInfo, field: &FieldInfo) -> bool {
        let def = &field.def;
        let filled_in = def.default.is_some()
            || def.auto_now_add
            || KEPT.contains(&def.name.as_ref())
            || matches!(def.kind, Kind::Bool | Kind::Links)
            || (def.name == OWNER && info.owner_class(self.schema).is_some())
            // Code of the model may fill in a text, as AddressPool's does; the core says so when it does not.
            || (def.kind.is_text() && self.schema.by_id(field.declared_in).is_some_and(|model| model.def.custom_python));
        def.is_required() && !filled_in
    }

    /// What no other object may have when this node is written, to be looked for among live and deleted objects.
    pub(super) fn uniques(&self, node: usize) -> Vec<Unique> {
        let node = self.node(node);
        let Some(step) = self.steps.last().filter(|step| step.node == node.name) else { return Vec::new() };
        let Some(info) = self.schema.by_id(node.model) else { return Vec::new() };
        let single =
            info.fields.iter().filter(|field| field.def.unique).map(|field| vec![field.def.name.as_ref()]);
        let groups = single.chain(info.unique_together());
        let changed = |name: &&str| step.writes.iter().any(|write| write.field == **name);
        groups
            .filter(|group| group.iter().any(changed))
            .filter_map(|group| {
                let model = info.field(group.first()?)?.declared_in;
                let values =
                    group.iter().map(|name| Some(((*name).to_owned(), self.value_after(step, info, name)?)));
                Some(Unique { model, values: values.collect::<Option<_>>()? })
            })
            .collect()
    }

    /// The value that a field has after a step; `None` when it has none, or links to an object that is new itself:
    /// nothing else can have that.
    fn value_after(&self, step: &Step, info: &ModelInfo, name: &str) -> Option<Value> {
        if let Some(write) = step.writes.iter().find(|write| write.field == name) {
            return self.value(&write.asked);
        }
        let value = match (step.target, self.found.last()) {
            (Target::Object(_), Some(Found::Object(record))) => record.get(name).cloned(),
            _ => info.field(name).and_then(|field| field.def.default.as_ref()?.constant()),
        };
        value.filter(|value| !value.is_null())
    }

    /// Takes in which live and soft-deleted objects have values that only this node may have.
    pub(super) fn tell_holders(
        &mut self,
        node: usize,
        unique: &Unique,
        live: Vec<Record>,
        deleted: Vec<Record>,
    ) {
        self.wanted.push((node, unique.clone()));
        let own = self.steps.last().map(|step| step.target);
        let all = live
            .into_iter()
            .map(|record| (record, false))
            .chain(deleted.into_iter().map(|record| (record, true)));
        for (record, is_deleted) in all {
            if own != Some(Target::Object(record.id())) {
                self.holders.push(Holder { node, unique: unique.clone(), record, is_deleted });
            }
        }
    }

    /// What left the recipe and may have to be deleted. To be asked after all nodes were told.
    pub(super) fn leavers(&self) -> Vec<Leaver> {
        let nodes = self.applied.nodes.iter().filter(|(_, node)| node.created);
        nodes
            .filter_map(|(name, node)| {
                let model = self.schema.model(&node.model)?;
                let object = ObjectKey { root: model.root, id: node.id };
                let stays = if node.id.is_set() {
                    self.claimed.contains_key(&object)
                } else {
                    self.checked.nodes.iter().any(|checked| checked.name == *name)
                };
                let key = node.key.iter().map(|(field, value)| equal(field, value.clone())).collect();
                (!stays).then(|| Leaver { node: name.clone(), model: model.id, id: node.id, key })
            })
            .collect()
    }

    /// Takes in the object that left the recipe, `None` when it is gone.
    pub(super) fn tell_leaver(&mut self, leaver: Leaver, record: Option<Record>) {
        self.leavers.push((leaver, record));
    }
}

fn equal(field: &str, value: Value) -> Condition {
    Condition { field: field.to_owned().into(), operator: Operator::Equal, value, invert: false }
}

fn write(setting: &Setting) -> FieldWrite {
    FieldWrite { field: setting.field.clone(), position: setting.position, asked: setting.asked.clone() }
}

impl Plan {
    /// Whether the core matches the recipe already.
    pub fn writes_nothing(&self) -> bool {
        self.deletions.is_empty()
            && self.steps.iter().all(|step| step.writes.is_empty() && step.target != Target::New)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for step in &self.steps {
            let fields: Vec<&str> = step.writes.iter().map(|write| write.field.as_str()).collect();
            let fields = fields.join(", ");
            lines.push(match step.target {
                Target::New => format!("create    {} ({}): {fields}", step.node, step.model_name),
                Target::Object(id) if fields.is_empty() => {
                    format!("leave     {} ({} {id})", step.node, step.model_name)
                }
                Target::Object(id) => format!("update    {} ({} {id}): {fields}", step.node, step.model_name),
            });
        }
        for deletion in &self.deletions {
            lines.push(format!("delete    {} ({} {})", deletion.node, deletion.model_name, deletion.id));
        }
        lines.extend(self.left.iter().map(|left| left.report.to_string()));
        lines.extend(self.waits_for.iter().map(|fault| format!("wait      {fault}")));
        f.write_str(&lines.join("\n"))
    }
}

#[cfg(test)]
mod tests;
