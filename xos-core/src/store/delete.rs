//! Soft deletion, with all that links to the object.

use std::collections::HashSet;
use std::ops::ControlFlow;

use xos_model_client::{Caller, Guard, ModelId, ObjectId, Op, Target, Touch, Value, Write, Written};

use super::db::leaf;
use super::fault::Outcome;
use super::plan::ShapePlan;
use super::row::PurgeFlags;
use super::{Store, caller_number};
use crate::hub::What;
use crate::rules::Rule;
use crate::sql::params;

/// An object that a deletion reaches.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) id: i32,
    pub(crate) leaf: ModelId,
    pub(crate) bottom: ModelId,
    pub(crate) deleted: bool,
    pub(crate) flags: PurgeFlags,
}

impl Store {
    /// Deletes an object softly. `updated` does not move.
    pub(super) fn delete(
        &mut self,
        plan: &ShapePlan,
        id: ObjectId,
        by: Caller,
        guard: Guard,
    ) -> Outcome<Written> {
        let (head, _) = self.aimed_at(plan, id, guard)?;
        let changed = !head.deleted && !head.write_protect;
        if changed {
            let bottom = self.db.catalog.expect_layout(head.leaf)?.bottom;
            let first = Reached { id: head.id, leaf: head.leaf, bottom, deleted: false, flags: head.purge };
            self.all_or_nothing(|store| {
                store.delete_with_all_that_links(first, by)?;
                store.tell_provider(id, head.leaf)
            })?;
        }
        Ok(Written { id, record: self.db.object(plan, id)?, changed })
    }

    /// Everything that links to a deleted object is deleted the same way, through optional links too.
    pub(crate) fn delete_with_all_that_links(&mut self, first: Reached, by: Caller) -> Outcome<()> {
        let mut seen = HashSet::from([(first.bottom, first.id)]);
        let mut left = vec![first];
        while let Some(object) = left.pop() {
            self.mark_deleted(object, by)?;
            let _ = self.each_linking(object.leaf, object.id, &mut |next| {
                if !next.deleted && seen.insert((next.bottom, next.id)) {
                    left.push(next);
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }

    /// Visits the objects that link to an object, live and deleted ones, each link once, until `visit` breaks.
    pub(super) fn each_linking(
        &self,
        leaf_model: ModelId,
        id: i32,
        visit: &mut dyn FnMut(Reached) -> ControlFlow<()>,
    ) -> Outcome<ControlFlow<()>> {
        let catalog = &self.db.catalog;
        for link in &catalog.expect_layout(leaf_model)?.backlinks {
            let bottom = catalog.expect_layout(link.from)?.bottom;
            let mut flow = ControlFlow::Continue(());
            self.db.connection.each(&link.select, params![id], |row| {
                let flags = PurgeFlags::read(row, 3)?;
                let reached =
                    Reached { id: row.get(0)?, leaf: leaf(row, 1)?, bottom, deleted: row.get(2)?, flags };
                flow = visit(reached);
                Ok(flow)
            })?;
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn mark_deleted(&mut self, object: Reached, by: Caller) -> Outcome<()> {
        let root = self.db.catalog.info(object.leaf)?.root;
        let kept = self.db.catalog.expect_layout(object.leaf)?.kept;
        let fields = [kept.deleted, kept.enacted, kept.policed].into_iter().collect();
        let revision = self.next_revision(root, object.id, object.leaf, What::Saved(by), fields);
        let table = &self.db.catalog.expect_layout(object.bottom)?.table;
        let sql = format!(
            "UPDATE {table} SET deleted = 1, enacted = NULL, policed = NULL, revision = ?2, by_whom = ?3 WHERE id = ?1"
        );
        self.db
            .connection
            .execute_soon(&sql, &[object.id.into(), revision as i64, caller_number(by).into()])?;
        if object.flags.may_go() {
            self.candidates.insert((object.bottom, object.id));
        }
        Ok(())
    }

    /// When a `ServiceInstanceLink` itself is deleted, its provider learns that it lost a consumer, unless it is
    /// being deleted too.
    fn tell_provider(&mut self, id: ObjectId, leaf_model: ModelId) -> Outcome<()> {
        let catalog = self.db.catalog.clone();
        let layout = catalog.expect_layout(leaf_model)?;
        let provider = layout.rules.iter().find_map(|rule| match rule {
            Rule::InstanceLink(fields) => Some(fields.provider),
            _ => None,
        });
        let Some(field) = provider else { return Ok(()) };
        let (Some(model), Some(provider)) =
            (layout.columns[field].target, self.db.value(leaf_model, id, field)?.as_link())
        else {
            return Ok(());
        };
        if !matches!(self.db.whereabouts(model, provider)?, Some((_, false))) {
            return Ok(());
        }
        let info = catalog.info(model)?;
        let Some(counter) = info.shape.position("link_deleted_count") else { return Ok(()) };
        let count = self.db.value(model, provider, counter)?.as_int().unwrap_or(0);
        let fields = vec![(counter as u16, Value::Int(count + 1))];
        // Saved as by a client whoever deletes the link: `updated` moves, so that the provider's policies look at it.
        let write = Write {
            shape: info.shape.clone(),
            target: Target::Object(provider),
            op: Op::Set { fields, touch: Touch::AsTheRulesSay },
            by: Caller::Client,
            guard: Guard::None,
        };
        self.apply(write).map(|_| ())
    }
}
