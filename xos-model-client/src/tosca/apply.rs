//! Makes a core match a recipe.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applied::{Applied, AppliedNode, Memory, Settled};
use super::check::{Asked, Checked};
use super::fault::{RecipeError, RecipeFault};
use super::plan::{Deletion, Plan, Planner, Step};
use super::recipe::Recipe;
use super::report::{Done, NodeReport, Report};
use super::same::{is_comparable, same};
use crate::accessor::{Caller, FieldPos, Guard, ModelAccessor, Op, Page, Target, Touch, Write, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Condition, Query, QueryKind};
use crate::record::{Record, Shape};
use crate::schema::Schema;
use crate::value::{ObjectId, Value};

impl Recipe {
    /// What applying the recipe would do. Nothing is written.
    ///
    /// # Errors
    ///
    /// As [`apply`](Recipe::apply) before its first write; what would have to be waited for is part of the plan.
    pub async fn plan(&self, accessor: &dyn ModelAccessor, applied: &Applied) -> Result<Plan, RecipeError> {
        let schema = accessor.schema();
        let checked = self.checked(&schema)?;
        self.plan_checked(&schema, &checked, accessor, applied).await
    }

    /// Makes the core match the recipe; `memory` says what earlier versions of it made.
    ///
    /// Objects are written one by one, targets of links first; what left the recipe is deleted at the end.
    ///
    /// # Guarantees
    ///
    /// All faults that can be known before are found before the first write. An unchanged recipe writes nothing,
    /// neither to the core nor to the memory. What was created is remembered before it is created, so that not even
    /// a crash in between leaves an object that nobody knows to have made.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves what was written so far. Applying the recipe again goes on from there.
    ///
    /// # Errors
    ///
    /// See [`RecipeError`]; [`is_retryable`](RecipeError::is_retryable) says whether trying again can help.
    pub async fn apply(
        &self,
        accessor: &dyn ModelAccessor,
        memory: &dyn Memory,
    ) -> Result<Report, RecipeError> {
        let schema = accessor.schema();
        let checked = self.checked(&schema)?;
        let applied = memory.load().await?;
        let plan = self.plan_checked(&schema, &checked, accessor, &applied).await?;
        let work = Work {
            accessor,
            memory,
            stored: applied.clone(),
            applied,
            ids: Vec::new(),
            report: Report::default(),
        };
        work.run(plan, &self.file).await
    }

    /// Deletes what this recipe and earlier versions of it created, dependents first.
    ///
    /// What must exist and what somebody else made stays, unless it links to something that is deleted. The same
    /// happens when a recipe with `node_templates: {}` is applied.
    ///
    /// # Errors
    ///
    /// As [`apply`](Recipe::apply).
    pub async fn delete(
        &self,
        accessor: &dyn ModelAccessor,
        memory: &dyn Memory,
    ) -> Result<Report, RecipeError> {
        self.emptied().apply(accessor, memory).await
    }

    async fn plan_checked(
        &self,
        schema: &Schema,
        checked: &Checked,
        accessor: &dyn ModelAccessor,
        applied: &Applied,
    ) -> Result<Plan, RecipeError> {
        let mut planner = Planner::new(schema, checked, applied);
        for (at, node) in checked.nodes.iter().enumerate() {
            let Some(info) = schema.by_id(node.model) else { continue };
            // Two are enough to see that there are several.
            let by_key = match planner.key(at) {
                Some(key) => find(accessor, &info.shape, QueryKind::Live, key, 2).await?,
                None => Vec::new(),
            };
            let remembered = match planner.remembered(at).filter(|_| by_key.is_empty()) {
                Some(id) => get(accessor, &info.shape, id).await?,
                None => None,
            };
            planner.tell(at, by_key, remembered);
            for unique in planner.uniques(at) {
                let Some(info) = schema.by_id(unique.model) else { continue };
                let conditions = || {
                    unique.values.iter().map(|(field, value)| Condition {
                        field: field.clone().into(),
                        operator: crate::query::Operator::Equal,
                        value: value.clone(),
                        invert: false,
                    })
                };
                let live = find(accessor, &info.shape, QueryKind::Live, conditions().collect(), 2).await?;
                let deleted =
                    find(accessor, &info.shape, QueryKind::DeletedObjects, conditions().collect(), 2).await?;
                planner.tell_holders(at, &unique, live, deleted);
            }
        }
        for leaver in planner.leavers() {
            let Some(info) = schema.by_id(leaver.model) else { continue };
            let record = if leaver.id.is_set() {
                get(accessor, &info.shape, leaver.id).await?
            } else {
                find(accessor, &info.shape, QueryKind::Live, leaver.key.clone(), 1).await?.pop()
            };
            planner.tell_leaver(leaver, record);
        }
        planner.finish().map_err(|faults| RecipeFault::new(&self.file, faults).into())
    }
}

async fn find(
    accessor: &dyn ModelAccessor,
    shape: &Arc<Shape>,
    kind: QueryKind,
    conditions: Vec<Condition>,
    limit: usize,
) -> Result<Vec<Record>> {
    let query = Query { shape: shape.clone(), kind, conditions };
    Ok(accessor.find(&query, Page::first(limit)).await?.records)
}

async fn get(accessor: &dyn ModelAccessor, shape: &Arc<Shape>, id: ObjectId) -> Result<Option<Record>> {
    Ok(accessor.get(shape, &[id]).await?.into_iter().next().flatten())
}

/// A recipe that is being applied.
struct Work<'a> {
    accessor: &'a dyn ModelAccessor,
    memory: &'a dyn Memory,
    /// What is remembered as far as is known here, and as it is stored.
    applied: Applied,
    stored: Applied,
    /// The object of each node so far.
    ids: Vec<ObjectId>,
    report: Report,
}

impl Work<'_> {
    async fn run(mut self, plan: Plan, file: &str) -> Result<Report, RecipeError> {
        if !plan.waits_for.is_empty() {
            let (in_the_way, _): (Vec<_>, Vec<_>) =
                plan.deletions.iter().partition(|deletion| plan.blockers.contains(&deletion.node));
            for deletion in in_the_way {
                self = self.delete(deletion).await?;
            }
            self = self.remember().await?;
            let waits_for = RecipeFault::new(file, plan.waits_for);
            return Err(RecipeError::Busy { waits_for, report: Box::new(self.report) });
        }
        for left in plan.left.iter().filter(|left| !left.remember) {
            let report = &left.report;
            self.applied.nodes.retain(|name, node| *name != report.node || node.model != report.model);
        }
        for name in &plan.stale {
            self.applied.nodes.remove(name);
        }
        for step in &plan.steps {
            self = self.step(step).await?;
        }
        self.forget_doubles(&plan.steps);
        for deletion in &plan.deletions {
            self = self.delete(deletion).await?;
        }
        self.report.nodes.extend(plan.left.into_iter().map(|left| left.report));
        Ok(self.remember().await?.report)
    }

    /// Stores what is to be remembered, when it is not stored already.
    async fn remember(mut self) -> Result<Self, RecipeError> {
        if self.applied != self.stored {
            if let Err(error) = self.memory.store(&self.applied).await {
                return Err(RecipeError::NotRemembered { error, report: Box::new(self.report) });
            }
            self.stored = self.applied.clone();
        }
        Ok(self)
    }

    /// Makes place for another object under the name of a node. What it was before is remembered under another name,
    /// until it is deleted.
    fn set_aside(&mut self, step: &Step) {
        let Some(before) = self.applied.nodes.get(&step.node) else { return };
        let same = before.model == step.model_name && step.target == Target::Object(before.id);
        if !same && before.created && before.id.is_set() {
            let before = before.clone();
            let name = format!("{} ({} {})", step.node, before.model, before.id);
            self.applied.nodes.insert(name, before);
        }
    }

    /// Forgets what was set aside and then turned out to be the object of another node.
    fn forget_doubles(&mut self, steps: &[Step]) {
        let of_recipe: Vec<AppliedNode> =
            steps.iter().filter_map(|step| self.applied.nodes.get(&step.node).cloned()).collect();
        self.applied.nodes.retain(|name, node| {
            let is_double = || of_recipe.iter().any(|other| other.model == node.model && other.id == node.id);
            steps.iter().any(|step| step.node == *name) || !is_double()
        });
    }

    async fn step(mut self, step: &Step) -> Result<Self, RecipeError> {
        let fields: Vec<(FieldPos, Value)> =
            step.writes.iter().map(|write| (write.position, self.value(&write.asked))).collect();
        self.set_aside(step);
        let names = step.writes.iter().map(|write| write.field.clone()).collect();
        let (id, record, done) = match step.target {
            Target::Object(id) if fields.is_empty() => (id, None, Done::Unchanged),
            Target::Object(id) => {
                let op = Op::Set { fields, touch: Touch::AsTheRulesSay };
                match self.write(&step.shape, step.target, op).await {
                    Ok(written) => (id, written.record, Done::Updated { fields: names }),
                    Err(error) => return Err(self.stopped(&step.node, error).await),
                }
            }
            Target::New => {
                let before = self.applied.nodes.get(&step.node).cloned();
                self.applied.nodes.insert(step.node.clone(), self.entry(step, ObjectId::UNSET));
                self = self.remember().await?;
                match self.write(&step.shape, Target::New, Op::Create(fields)).await {
                    Ok(written) => (written.id, written.record, Done::Created { fields: names }),
                    Err(error) => {
                        if !matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }) {
                            match before {
                                Some(before) => self.applied.nodes.insert(step.node.clone(), before),
                                None => self.applied.nodes.remove(&step.node),
                            };
                        }
                        return Err(self.stopped(&step.node, error).await);
                    }
                }
            }
        };
        let mut entry = self.entry(step, id);
        if let Some(record) = record {
            for write in &step.writes {
                let asked = self.value(&write.asked);
                let stored = record.values().get(usize::from(write.position)).unwrap_or(&Value::Null);
                // A secret is nothing to remember.
                let is_plain = asked.as_secret().is_none() && is_comparable(&step.model_name, &write.field);
                if !same(&asked, stored) && is_plain {
                    entry.settled.insert(write.field.clone(), Settled { asked, stored: stored.clone() });
                }
            }
        }
        self.applied.nodes.insert(step.node.clone(), entry);
        self.ids.push(id);
        let (node, model) = (step.node.clone(), step.model_name.clone());
        self.report.nodes.push(NodeReport { node, model, id, done });
        Ok(self)
    }

    /// What is remembered of a node.
    fn entry(&self, step: &Step, id: ObjectId) -> AppliedNode {
        let key = if id.is_set() {
            BTreeMap::new()
        } else {
            step.key.iter().map(|(field, asked)| (field.clone(), self.value(asked))).collect()
        };
        AppliedNode {
            model: step.model_name.clone(),
            id,
            created: step.ours,
            key,
            settled: step.settled.clone(),
        }
    }

    fn value(&self, asked: &Asked) -> Value {
        match asked {
            Asked::Value(value) => value.clone(),
            Asked::Node(node) => self.ids.get(*node).map_or(Value::Null, |id| Value::Link(*id)),
        }
    }

    async fn delete(mut self, deletion: &Deletion) -> Result<Self, RecipeError> {
        let done = match self.write(&deletion.shape, Target::Object(deletion.id), Op::Delete).await {
            Ok(written) if written.changed || written.record.is_none() => Done::Deleted,
            // The object it linked to was deleted before, or somebody else was faster.
            Ok(_) => Done::Gone,
            Err(error) if error.is_not_found() => Done::Gone,
            Err(error) => return Err(self.stopped(&deletion.node, error).await),
        };
        self.applied.nodes.retain(|name, node| {
            let cut_short = *name == deletion.node && !node.id.is_set();
            node.model != deletion.model_name || !(node.id == deletion.id || cut_short)
        });
        self.report.nodes.push(NodeReport {
            node: deletion.node.clone(),
            model: deletion.model_name.clone(),
            id: deletion.id,
            done,
        });
        Ok(self)
    }

    async fn write(&self, shape: &Arc<Shape>, target: Target, op: Op) -> Result<Written> {
        let write = Write { shape: shape.clone(), target, op, by: Caller::Client, guard: Guard::None };
        self.accessor.write(vec![write]).await.into_iter().next().unwrap_or_else(|| {
            let reason = "the accessor gave no answer to a write".to_owned();
            Err(ErrorKind::OutcomeUnknown { reason }.into())
        })
    }

    /// The end after a failure: what was done until then is remembered all the same.
    async fn stopped(self, node: &str, error: Error) -> RecipeError {
        match self.remember().await {
            Ok(work) => RecipeError::Stopped { node: node.to_owned(), error, report: Box::new(work.report) },
            Err(not_remembered) => not_remembered,
        }
    }
}
