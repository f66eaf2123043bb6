//! The end of planning: what all nodes together mean.

use std::collections::{HashMap, HashSet};

use super::{Deletion, Found, Holder, Leaver, Left, Plan, Planner, Unique};
use crate::model::Kind;
use crate::record::Record;
use crate::schema::{ModelId, ObjectKey, Schema};
use crate::tosca::applied::{Applied, AppliedNode};
use crate::tosca::fault::Fault;
use crate::tosca::order::order;
use crate::tosca::report::{Done, NodeReport};
use crate::value::{ObjectId, Value};

impl Planner<'_> {
    /// What is to be done, or all that is wrong.
    pub(in crate::tosca) fn finish(mut self) -> Result<Plan, Vec<Fault>> {
        let mut left = not_ours(self.schema, self.applied, &self.claimed);
        let mut doomed: Vec<(Leaver, Record)> = Vec::new();
        for (leaver, record) in std::mem::take(&mut self.leavers) {
            let Some(record) = record.filter(|record| record.get("deleted") != Some(&Value::Bool(true)))
            else {
                left.push(Left {
                    report: self.report_of(&leaver, ObjectId::UNSET, Done::Gone),
                    remember: false,
                });
                continue;
            };
            if record.get("write_protect") == Some(&Value::Bool(true)) {
                let why = "it is write-protected; set write_protect to false and apply again".to_owned();
                left.push(Left {
                    report: self.report_of(&leaver, record.id(), Done::Kept { why }),
                    remember: true,
                });
                continue;
            }
            doomed.push((leaver, record));
        }
        self.check_wanted();
        self.check_cascade(&doomed);
        let (waits_for, blockers) = self.check_holders(&doomed);
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let deletions = self.in_order(&doomed);
        let stale = self.stale();
        Ok(Plan { steps: self.steps, deletions, left, stale, waits_for, blockers })
    }

    fn report_of(&self, leaver: &Leaver, id: ObjectId, done: Done) -> NodeReport {
        let model = self.schema.by_id(leaver.model).map_or_else(|| "?".into(), |model| model.name().clone());
        NodeReport { node: leaver.node.clone(), model, id, done }
    }

    fn object(&self, model: ModelId, id: ObjectId) -> ObjectKey {
        ObjectKey { root: self.schema.by_id(model).map_or(model, |model| model.root), id }
    }

    /// Names that left the recipe while their objects stayed under other names.
    fn stale(&self) -> Vec<String> {
        let is_stale = |name: &str, node: &AppliedNode| {
            let object =
                self.schema.model(&node.model).map(|model| ObjectKey { root: model.root, id: node.id });
            object.is_some_and(|object| self.claimed.contains_key(&object))
                && !self.checked.nodes.iter().any(|checked| checked.name == name)
        };
        let stale = self.applied.nodes.iter().filter(|(name, node)| is_stale(name, node));
        stale.map(|(name, _)| name.clone()).collect()
    }

    /// Two nodes cannot both have what only one object may have.
    fn check_wanted(&mut self) {
        for (at, (node, unique)) in self.wanted.iter().enumerate() {
            let Some((other, _)) = self.wanted[..at].iter().find(|(_, other)| other == unique) else {
                continue;
            };
            let node = self.node(*node);
            let problem = format!(
                "has {} as node {} has, and it must be unique",
                described(unique),
                self.node(*other).name
            );
            self.faults.push(Fault::at(node.at, problem).node(&node.name));
        }
    }

    /// Deleting an object deletes what links to it. That must not be an object that the recipe has.
    fn check_cascade(&mut self, doomed: &[(Leaver, Record)]) {
        let doomed: HashMap<ObjectKey, &Leaver> =
            doomed.iter().map(|(leaver, record)| (self.object(leaver.model, record.id()), leaver)).collect();
        let mut faults = Vec::new();
        for (at, found) in self.found.iter().enumerate() {
            let Found::Object(record) = found else { continue };
            let node = self.node(at);
            let Some(info) = self.schema.by_id(node.model) else { continue };
            for field in info.fields.iter().filter(|field| field.def.kind == Kind::Link) {
                let Some(target) = field.target else { continue };
                let moves = self.steps.iter().any(|step| {
                    step.node == node.name && step.writes.iter().any(|write| write.field == field.def.name)
                });
                let id = record.get(&field.def.name).and_then(Value::as_link);
                let leaver = id.and_then(|id| doomed.get(&self.object(target, id)));
                if let (Some(leaver), Some(id), false) = (leaver, id, moves) {
                    let problem = format!(
                        "still links to {} {id}, which left the recipe as node {} and would take it along; \
                         keep that node, remove this one too, or give it another {}",
                        self.schema.by_id(leaver.model).map_or("?", |model| model.name()),
                        leaver.node,
                        field.def.name
                    );
                    faults.push(Fault::at(node.at, problem).node(&node.name).property(&field.def.name));
                }
            }
        }
        self.faults.extend(faults);
    }

    /// Values that must be unique and that somebody has. An object that is going away is waited for; any other is a
    /// fault.
    fn check_holders(&mut self, doomed: &[(Leaver, Record)]) -> (Vec<Fault>, HashSet<String>) {
        let doomed: HashMap<ObjectKey, &str> = doomed
            .iter()
            .map(|(leaver, record)| (self.object(leaver.model, record.id()), leaver.node.as_str()))
            .collect();
        let mut waits_for = Vec::new();
        let mut blockers = HashSet::new();
        let mut faults = Vec::new();
        for Holder { node, unique, record, is_deleted } in &self.holders {
            let node = self.node(*node);
            let holder = leaf_name(self.schema, unique.model, record);
            let held = described(unique);
            let object = self.object(unique.model, record.id());
            let fault = |problem: String| Fault::at(node.at, problem).node(&node.name);
            if *is_deleted {
                let problem = format!(
                    "{holder} still has {held} while it is being deleted; apply again when it is gone"
                );
                waits_for.push(fault(problem));
            } else if let Some(name) = doomed.get(&object) {
                blockers.insert((*name).to_owned());
                let problem = format!(
                    "{holder}, which left the recipe as node {name}, still has {held}; apply again when it is gone"
                );
                waits_for.push(fault(problem));
            } else {
                let whose = match self.claimed.get(&object) {
                    Some(other) => format!("{holder}, node {}, has", self.node(*other).name),
                    None => format!("{holder} has"),
                };
                faults.push(fault(format!("{whose} {held} already, and it must be unique")));
            }
        }
        self.faults.extend(faults);
        (waits_for, blockers)
    }

    /// What links to another object is deleted before it.
    fn in_order(&self, doomed: &[(Leaver, Record)]) -> Vec<Deletion> {
        let places: HashMap<ObjectKey, usize> = doomed
            .iter()
            .enumerate()
            .map(|(at, (leaver, record))| (self.object(leaver.model, record.id()), at))
            .collect();
        let names: Vec<&str> = doomed.iter().map(|(leaver, _)| leaver.node.as_str()).collect();
        let links: Vec<Vec<usize>> = doomed
            .iter()
            .enumerate()
            .map(|(at, (leaver, record))| {
                let fields =
                    self.schema.by_id(leaver.model).map(|model| model.fields.as_slice()).unwrap_or_default();
                let targets = fields.iter().filter_map(|field| {
                    let id = record.get(&field.def.name)?.as_link()?;
                    places.get(&self.object(field.target?, id)).copied()
                });
                targets.filter(|target| *target != at).collect()
            })
            .collect();
        // Objects that link to each other in a circle go in any order: the first takes the others along.
        let order = order(&names, &links).unwrap_or_else(|_| (0..names.len()).collect());
        let deletion = |at: &usize| {
            let (leaver, record) = &doomed[*at];
            let model = self.schema.by_id(leaver.model)?;
            Some(Deletion {
                node: leaver.node.clone(),
                model_name: model.name().clone(),
                shape: model.shape.clone(),
                id: record.id(),
            })
        };
        order.iter().rev().filter_map(deletion).collect()
    }
}

/// Nodes that left the recipe and are not the recipe's to delete.
fn not_ours(schema: &Schema, applied: &Applied, claimed: &HashMap<ObjectKey, usize>) -> Vec<Left> {
    let mut left = Vec::new();
    for (name, node) in &applied.nodes {
        let model = schema.model(&node.model);
        let is_claimed =
            model.is_some_and(|model| claimed.contains_key(&ObjectKey { root: model.root, id: node.id }));
        let (why, remember) = match model {
            Some(_) if node.created || is_claimed => continue,
            Some(_) => ("this recipe did not create it".to_owned(), false),
            None if node.created => (format!("the core has no model {} now", node.model), true),
            None => continue,
        };
        let report = NodeReport {
            node: name.clone(),
            model: node.model.clone(),
            id: node.id,
            done: Done::Kept { why },
        };
        left.push(Left { report, remember });
    }
    left
}

fn leaf_name(schema: &Schema, model: ModelId, record: &Record) -> String {
    let leaf = record.get("leaf_model_name").and_then(Value::as_text).filter(|leaf| !leaf.is_empty());
    let name = leaf.or_else(|| schema.by_id(model).map(|model| model.name().as_ref())).unwrap_or("object");
    format!("{name} {}", record.id())
}

fn described(unique: &Unique) -> String {
    let parts: Vec<String> =
        unique.values.iter().map(|(field, value)| format!("{field} \"{value}\"")).collect();
    parts.join(" and ")
}
