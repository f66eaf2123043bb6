//! Setting fields of an object.

use std::sync::Arc;

use xos_model_client::{Caller, FieldPos, Guard, ModelId, ObjectId, Record, Revision, Touch, Value, Written};

use super::catalog::Catalog;
use super::draft::Draft;
use super::fault::{Fault, Outcome};
use super::plan::ShapePlan;
use super::row::{Head, PurgeFlags};
use super::values::{Storage, bound};
use super::{Store, caller_number, write};
use crate::hub::What;
use crate::rules::{self, explain_constraint, later_than};
use crate::sql::Sql;

impl Store {
    /// Sets fields, by the rules.
    pub(super) fn set(
        &mut self,
        plan: &ShapePlan,
        id: ObjectId,
        fields: Vec<(FieldPos, Value)>,
        touch: Touch,
        by: Caller,
        guard: Guard,
    ) -> Outcome<Written> {
        let (head, mut values) = self.aimed_at(plan, id, guard)?;
        let catalog = self.db.catalog.clone();
        let info = catalog.info(head.leaf)?;
        let layout = catalog.expect_layout(head.leaf)?;
        let mut draft = Draft::new(info, layout, id, head.deleted);
        write::take(&mut draft, plan, fields, |position| values.get(position as usize).cloned())?;
        write::guard_feedback(&draft, by)?;
        draft.doomed = draft.get(layout.kept.deleted).and_then(Value::as_bool).unwrap_or(head.deleted);
        if draft.doomed {
            drop_lists(&mut draft);
        }
        let resurrected = head.deleted && !draft.doomed;
        rules::apply(&mut draft, &self.db, resurrected)?;
        self.stamp(&mut draft, &head, touch, by);
        if draft.is_empty() {
            let record = Record::new(plan.shape.clone(), values).at_revision(Revision(head.revision));
            return Ok(Written { id, record: Some(record), changed: false });
        }
        let revision = self.store_changes(&catalog, &draft, &head, by)?;
        if draft.doomed && purge_flags(&draft, &head).may_go() {
            self.candidates.insert((layout.bottom, head.id));
        }
        for (field, value) in draft.changes() {
            if let Some(position) = plan.positions.get(field).copied().flatten() {
                values[position as usize] = value.clone();
            }
        }
        let record = Record::new(plan.shape.clone(), values).at_revision(Revision(revision));
        Ok(Written { id, record: Some(record), changed: true })
    }

    /// Sets the times that this write moves.
    fn stamp(&self, draft: &mut Draft<'_>, head: &Head, touch: Touch, by: Caller) {
        let kept = draft.layout.kept;
        // A list that changes is saved once more without a caller: it moves `updated` whoever changes it.
        let updated = !by.is_synchronizer() || touch == Touch::Updated || draft.changes_lists();
        let important = || {
            draft.changes().any(|(field, _)| {
                let column = draft.column(field);
                column.important && column.storage != Storage::Links
            })
        };
        let also = match by {
            Caller::Step if important() => Some(kept.by_step),
            Caller::Policy if important() => Some(kept.by_policy),
            _ => None,
        };
        if updated || also.is_some() {
            let now = Value::Time(later_than(self.now(), head.times()));
            if updated {
                draft.put(kept.updated, now.clone());
            }
            if let Some(field) = also {
                draft.put(field, now);
            }
        }
    }

    /// Stores the changes of an object under the next revision.
    fn store_changes(
        &mut self,
        catalog: &Catalog,
        draft: &Draft<'_>,
        head: &Head,
        by: Caller,
    ) -> Outcome<u64> {
        let fields = draft.changes().map(|(field, _)| field).collect();
        let revision = self.next_revision(draft.info.root, head.id, head.leaf, What::Saved(by), fields);
        let one_statement = self.db.connection.survives_errors()
            && draft.changes().all(|(field, _)| draft.column(field).level == 0)
            && !draft.changes_lists();
        let stored = if one_statement {
            self.update_rows(catalog, draft, head, revision, by)
        } else {
            self.all_or_nothing(|store| {
                store.update_rows(catalog, draft, head, revision, by)?;
                store.store_lists(draft, draft.id)
            })
        };
        match stored {
            Ok(()) => Ok(revision),
            Err(Fault::Sql(error)) => Err(match explain_constraint(&error, draft.info, catalog) {
                Some(faults) => Fault::invalid(draft.info.name(), draft.id, faults),
                None => Fault::Sql(error),
            }),
            Err(fault) => Err(fault),
        }
    }

    /// One statement for each table of the chain that changes; the bottom's always, it has the revision.
    fn update_rows(
        &mut self,
        catalog: &Catalog,
        draft: &Draft<'_>,
        head: &Head,
        revision: u64,
        by: Caller,
    ) -> Outcome<()> {
        for (level, model) in draft.info.chain.iter().enumerate() {
            let start = catalog.expect_layout(*model)?.own.start;
            let mut columns: u128 = 0;
            for (field, _) in draft.changes() {
                let column = draft.column(field);
                if column.level == level && column.storage != Storage::Links {
                    columns |= 1 << (field - start);
                }
            }
            if columns == 0 && level > 0 {
                continue;
            }
            let sql = self.update_sql(catalog, *model, columns)?;
            let own = draft.changes().filter_map(|(field, value)| {
                let column = draft.column(field);
                (column.level == level && column.storage != Storage::Links).then(|| bound(value))
            });
            let id = Sql::from(head.id);
            if level == 0 {
                let first = [id, revision.into(), caller_number(by).into()];
                self.db.connection.execute(&sql, first.into_iter().chain(own))?;
            } else {
                self.db.connection.execute(&sql, [id].into_iter().chain(own))?;
            }
        }
        Ok(())
    }

    /// The statement that sets these own fields of a model, made once.
    fn update_sql(&mut self, catalog: &Catalog, model: ModelId, columns: u128) -> Outcome<Arc<str>> {
        if let Some(sql) = self.updates.get(&(model, columns)) {
            return Ok(sql.clone());
        }
        let layout = catalog.expect_layout(model)?;
        let mut terms: Vec<String> = Vec::new();
        let mut place = 2;
        if layout.is_bottom() {
            terms.extend(["revision = ?2".to_owned(), "by_whom = ?3".to_owned()]);
            place = 4;
        }
        for field in layout.own.clone().filter(|field| columns & (1 << (field - layout.own.start)) != 0) {
            terms.push(format!("{} = ?{place}", layout.columns[field].name));
            place += 1;
        }
        let sql: Arc<str> = format!("UPDATE {} SET {} WHERE id = ?1", layout.table, terms.join(", ")).into();
        self.updates.insert((model, columns), sql.clone());
        Ok(sql)
    }
}

/// The lists of a soft-deleted object stay as they are.
fn drop_lists(draft: &mut Draft<'_>) {
    let lists: Vec<usize> = draft
        .changes()
        .map(|(field, _)| field)
        .filter(|field| draft.column(*field).storage == Storage::Links)
        .collect();
    for field in lists {
        draft.drop_change(field);
    }
}

/// Who has to let the object go, after the change.
fn purge_flags(draft: &Draft<'_>, head: &Head) -> PurgeFlags {
    let kept = draft.layout.kept;
    let flag = |field: usize, now: bool| draft.get(field).and_then(Value::as_bool).unwrap_or(now);
    PurgeFlags {
        need_delete: flag(kept.need_delete, head.purge.need_delete),
        need_reap: flag(kept.need_reap, head.purge.need_reap),
        need_delete_policy: flag(kept.need_delete_policy, head.purge.need_delete_policy),
    }
}
