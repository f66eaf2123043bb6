//! Purging soft-deleted objects that nobody has to look at any more.
//!
//! An object may go when its step and its delete policy let it go, and all that links to it may go too: that is purged
//! first. Candidates are known from the writes that made them, so nothing is searched but when a file is opened.

use std::collections::HashSet;
use std::ops::ControlFlow;

use xos_model_client::ModelId;

use super::Store;
use super::catalog::Layout;
use super::db::leaf;
use super::ddl::DELETED;
use super::delete::Reached;
use super::fault::Outcome;
use super::row::PurgeFlags;
use super::values::Storage;
use crate::hub::{Fields, What};
use crate::sql::{Stored, params};

/// The most objects that one transaction purges.
const MOST_AT_ONCE: usize = 1000;

/// What stands between an object and its purge.
enum Purge {
    /// These, the object last, may go together.
    All(Vec<Reached>),
    /// Something that links to it has to stay.
    Blocked,
    /// So much links to it that these go first.
    First(Vec<Reached>),
}

impl Store {
    /// Looks at candidates and purges those that may go, a bounded number in one transaction. Tells how many.
    pub(crate) fn reap_some(&mut self) -> Outcome<usize> {
        if self.candidates.is_empty() {
            return Ok(0);
        }
        let mut looked_at = HashSet::new();
        let result = self.transaction(|store| {
            // Objects that link to each other in a circle go in any order; the commit sees that none is left.
            store.db.connection.links_are_checked_at_commit()?;
            let mut purged = 0;
            while purged < MOST_AT_ONCE {
                // The newest first: what links to an object is mostly newer, and then nothing blocks it.
                let Some((bottom, id)) = store.candidates.pop_last() else { break };
                let again = !looked_at.insert((bottom, id));
                let Some(object) = store.candidate(bottom, id)? else { continue };
                let limit = if again { usize::MAX } else { MOST_AT_ONCE };
                match store.what_goes_with(object, limit)? {
                    Purge::All(objects) => {
                        for object in objects {
                            store.purge(object)?;
                            purged += 1;
                        }
                    }
                    Purge::First(objects) => {
                        store.candidates.extend(objects.iter().map(|object| (object.bottom, object.id)));
                    }
                    Purge::Blocked => {}
                }
            }
            store.trim_tombstones()?;
            Ok(purged)
        });
        if result.is_err() {
            self.candidates.extend(looked_at);
        }
        result
    }

    /// Purges all that may go.
    pub(crate) fn reap_all(&mut self) -> Outcome<usize> {
        let mut purged = 0;
        while self.has_candidates() {
            purged += self.reap_some()?;
        }
        Ok(purged)
    }

    /// All soft-deleted objects are candidates: when a file is opened.
    pub(super) fn find_candidates(&mut self) -> Outcome<()> {
        for bottom in &self.db.catalog.bottoms {
            let layout = self.db.catalog.expect_layout(*bottom)?;
            let sql = format!(
                "SELECT id, backend_need_delete, backend_need_reap, backend_need_delete_policy FROM {} WHERE {DELETED}",
                layout.table
            );
            let found = &mut self.candidates;
            self.db.connection.each(&sql, [], |row| {
                if PurgeFlags::read(row, 1)?.may_go() {
                    found.insert((*bottom, row.get(0)?));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }

    /// The candidate, when it is still deleted and may go.
    fn candidate(&self, bottom: ModelId, id: i32) -> Outcome<Option<Reached>> {
        Ok(self.reached(bottom, id)?.filter(|object| object.deleted && object.flags.may_go()))
    }

    /// The object with this id, in whatever state.
    pub(crate) fn reached(&self, bottom: ModelId, id: i32) -> Outcome<Option<Reached>> {
        let layout = self.db.catalog.expect_layout(bottom)?;
        let sql = format!(
            "SELECT leaf, deleted, backend_need_delete, backend_need_reap, backend_need_delete_policy FROM {} \
             WHERE id = ?1",
            layout.table
        );
        self.db.connection.one(&sql, params![id], |row| {
            let flags = PurgeFlags::read(row, 2)?;
            Ok(Reached { id, leaf: leaf(row, 0)?, bottom, deleted: row.get(1)?, flags })
        })
    }

    /// Purges an object and all that links to it, without asking anybody.
    pub(crate) fn purge_with_all_that_links(&mut self, object: Reached) -> Outcome<()> {
        let mut seen = HashSet::from([(object.bottom, object.id)]);
        let mut found = vec![object];
        let mut next = 0;
        while let Some(object) = found.get(next).copied() {
            next += 1;
            let _ = self.each_linking(object.leaf, object.id, &mut |linking| {
                if seen.insert((linking.bottom, linking.id)) {
                    found.push(linking);
                }
                ControlFlow::Continue(())
            })?;
        }
        found.into_iter().rev().try_for_each(|object| self.purge(object))
    }

    /// All that links to the object, and to that, and so on.
    fn what_goes_with(&self, object: Reached, limit: usize) -> Outcome<Purge> {
        let mut seen = HashSet::from([(object.bottom, object.id)]);
        let mut found = vec![object];
        let mut next = 0;
        while let Some(object) = found.get(next).copied() {
            next += 1;
            let blocked = self.each_linking(object.leaf, object.id, &mut |linking| {
                if !linking.deleted || !linking.flags.may_go() {
                    return ControlFlow::Break(());
                }
                if seen.insert((linking.bottom, linking.id)) {
                    found.push(linking);
                }
                ControlFlow::Continue(())
            })?;
            if blocked.is_break() {
                return Ok(Purge::Blocked);
            }
            if found.len() > limit {
                // They go first. The object is looked at again when one of them is gone.
                return Ok(Purge::First(found.split_off(1)));
            }
        }
        found.reverse();
        Ok(Purge::All(found))
    }

    /// Removes an object for good, and leaves a tombstone.
    fn purge(&mut self, object: Reached) -> Outcome<()> {
        let catalog = self.db.catalog.clone();
        let info = catalog.info(object.leaf)?;
        let layout = catalog.expect_layout(object.leaf)?;
        let id = &[i64::from(object.id)];
        self.note_targets(layout, object.id)?;
        for column in layout.columns.iter().filter(|column| column.storage == Storage::Links) {
            let sql = format!("DELETE FROM {} WHERE source = ?1", column.name);
            self.db.connection.execute_soon(&sql, id)?;
        }
        for pairs in &layout.pairs_to {
            self.db.connection.execute_soon(&format!("DELETE FROM {pairs} WHERE target = ?1"), id)?;
        }
        for table in layout.tables.iter().rev() {
            self.db.connection.execute_soon(&format!("DELETE FROM {table} WHERE id = ?1"), id)?;
        }
        self.candidates.remove(&(object.bottom, object.id));
        let revision = self.next_revision(info.root, object.id, object.leaf, What::Purged, Fields::default());
        self.db.connection.execute_soon(
            "INSERT INTO _tombstone (revision, root, id, leaf) VALUES (?1, ?2, ?3, ?4)",
            &[revision as i64, info.root.0.into(), object.id.into(), object.leaf.0.into()],
        )?;
        self.tombstones += 1;
        Ok(())
    }

    /// What the object links to may be the next to go.
    fn note_targets(&mut self, layout: &Layout, id: i32) -> Outcome<()> {
        let (mut names, mut levels, mut targets) = (Vec::new(), 1, Vec::new());
        for column in &layout.columns {
            if let (Storage::Link, Some(target)) = (column.storage, column.target) {
                names.push(column.qualified());
                levels |= 1 << column.level;
                targets.push(self.db.catalog.expect_layout(target)?.bottom);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let sql = format!("SELECT {} {} WHERE t0.id = ?1", names.join(", "), layout.from(levels));
        let candidates = &mut self.candidates;
        self.db.connection.each(&sql, params![id], |row| {
            for (at, bottom) in targets.iter().enumerate() {
                if let Stored::Int(id) = row.stored(at)? {
                    candidates.insert((*bottom, id as i32));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}
