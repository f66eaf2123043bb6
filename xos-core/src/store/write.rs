//! One write.

use xos_model_client::{
    Caller, ErrorKind, FieldFault, FieldPos, Guard, ObjectId, Op, Target, Value, Write, Written,
};

use super::Store;
use super::draft::Draft;
use super::fault::{Fault, Outcome};
use super::plan::ShapePlan;
use super::row::Head;
use crate::rules::normalise;

impl Store {
    /// Makes one write, within a transaction.
    pub(super) fn apply(&mut self, write: Write) -> Outcome<Written> {
        let plan = self.db.plans.get(&self.db.catalog, &write.shape)?;
        if let Guard::Fence(_) = write.guard {
            let what = "check a term of leadership: it belongs to one process; use the guard of a revision or version";
            return Err(ErrorKind::Unsupported(what.to_owned()).into());
        }
        match (write.target, write.op) {
            (Target::New, _) if write.guard != Guard::None => {
                let what = "check a guard of an object that is not created yet; create it without";
                Err(ErrorKind::Unsupported(what.to_owned()).into())
            }
            (Target::New, Op::Create(fields)) => self.create(&plan, fields, write.by),
            (Target::Object(id), Op::Set { fields, touch }) => {
                self.set(&plan, id, fields, touch, write.by, write.guard)
            }
            (Target::Object(id), Op::Delete) => self.delete(&plan, id, write.by, write.guard),
            (Target::Object(_), Op::Create(_)) => {
                let what = "create an object under a given id; create a new one, the core gives out ids";
                Err(ErrorKind::Unsupported(what.to_owned()).into())
            }
            (Target::New, _) => {
                let what = "change or delete an object that is not created yet; give its id";
                Err(ErrorKind::Unsupported(what.to_owned()).into())
            }
        }
    }

    /// The object that a write is aimed at, when its guard holds.
    pub(super) fn aimed_at(
        &self,
        plan: &ShapePlan,
        id: ObjectId,
        guard: Guard,
    ) -> Outcome<(Head, Vec<Value>)> {
        let model = plan.shape.model();
        let Some((head, values)) = self.db.head(plan, id)? else {
            return Err(ErrorKind::NotFound { model: model.clone(), id }.into());
        };
        let reason = match guard {
            Guard::Revision(revision) if revision.0 != head.revision => {
                format!("expected revision {}, found {}", revision.0, head.revision)
            }
            Guard::DirtyAs(version) if version != head.version() => {
                format!("expected the version of {}, found that of {}", version.0, head.version().0)
            }
            _ => return Ok((head, values)),
        };
        Err(ErrorKind::Superseded { model: model.clone(), id, reason }.into())
    }
}

/// Takes the given values into the draft, in the form in which they are kept. `stored` says what a field has now.
pub(super) fn take(
    draft: &mut Draft<'_>,
    plan: &ShapePlan,
    fields: Vec<(FieldPos, Value)>,
    stored: impl Fn(FieldPos) -> Option<Value>,
) -> Outcome<()> {
    let kept = draft.layout.kept;
    for (position, value) in fields {
        let Some(field) = plan.field(position) else {
            let problem = format!("position {position} is outside of the shape of {}", plan.shape.model());
            return Err(Fault::invalid(draft.info.name(), draft.id, vec![FieldFault::whole(problem)]));
        };
        let def = &draft.info.fields[field].def;
        let value = match normalise(def, value) {
            Ok(value) => value,
            Err(problem) => {
                draft.fault(field, problem);
                continue;
            }
        };
        let unchanged = stored(position).is_some_and(|stored| stored == value);
        if field == 0 || field == kept.leaf_model_name {
            // Both are given by the core. A client that sends back all it read changes nothing.
            if !unchanged && !draft.is_new() {
                draft.fault(field, "is given by the core and cannot be changed");
            }
        } else if field != kept.updated && !unchanged {
            draft.put(field, value);
        }
    }
    Ok(())
}

/// Only a synchronizer may change feedback fields of an object that is there.
pub(super) fn guard_feedback(draft: &Draft<'_>, by: Caller) -> Outcome<()> {
    if by.is_synchronizer() {
        return Ok(());
    }
    let guarded: Vec<&str> = draft
        .changes()
        .map(|(field, _)| draft.column(field))
        .filter(|column| column.feedback)
        .map(|column| column.plain.as_str())
        .collect();
    if guarded.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "A non Synchronizer is trying to update fields marked as feedback_state: {}; only a synchronizer may",
        guarded.join(", ")
    );
    Err(ErrorKind::Denied { model: draft.info.name().clone(), id: draft.id, reason }.into())
}
