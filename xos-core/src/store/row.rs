//! What each write knows of an object before it changes it.

use xos_model_client::{ModelId, ObjectId, Timestamp, Value, Version};

use super::db::{Db, leaf, values};
use super::fault::Outcome;
use super::plan::{HEAD_COLUMNS, ShapePlan};
use crate::sql::{Row, SqlError, params};

/// Identity and bookkeeping of an object.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: i32,
    pub(crate) revision: u64,
    pub(crate) leaf: ModelId,
    pub(crate) deleted: bool,
    pub(crate) updated: Option<Timestamp>,
    pub(crate) enacted: Option<Timestamp>,
    pub(crate) policed: Option<Timestamp>,
    pub(crate) by_step: Option<Timestamp>,
    pub(crate) by_policy: Option<Timestamp>,
    pub(crate) write_protect: bool,
    pub(crate) purge: PurgeFlags,
}

/// Who still has to let a soft-deleted object go.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PurgeFlags {
    pub(crate) need_delete: bool,
    pub(crate) need_reap: bool,
    pub(crate) need_delete_policy: bool,
}

impl PurgeFlags {
    /// Whether nobody has to look at the deleted object any more.
    pub(crate) fn may_go(self) -> bool {
        self.need_reap || !(self.need_delete || self.need_delete_policy)
    }

    /// Reads them from three columns.
    pub(crate) fn read(row: &Row<'_>, at: usize) -> Result<Self, SqlError> {
        Ok(PurgeFlags {
            need_delete: row.get(at)?,
            need_reap: row.get(at + 1)?,
            need_delete_policy: row.get(at + 2)?,
        })
    }
}

impl Head {
    fn read(row: &Row<'_>) -> Result<Self, SqlError> {
        let time = |at| Ok::<_, SqlError>(row.get::<Option<f64>>(at)?.map(Timestamp::from_seconds));
        Ok(Head {
            id: row.get(0)?,
            revision: row.get(1)?,
            leaf: leaf(row, 2)?,
            deleted: row.get(3)?,
            updated: time(4)?,
            enacted: time(5)?,
            policed: time(6)?,
            by_step: time(7)?,
            by_policy: time(8)?,
            write_protect: row.get(9)?,
            purge: PurgeFlags::read(row, 10)?,
        })
    }

    /// The version of the object's data.
    pub(crate) fn version(&self) -> Version {
        Version(self.updated.max(self.by_policy).unwrap_or(Timestamp::UNSET))
    }

    /// All times that a new change must be later than.
    pub(crate) fn times(&self) -> [Option<Timestamp>; 5] {
        [self.updated, self.enacted, self.policed, self.by_step, self.by_policy]
    }
}

impl Db {
    /// Head and values of an object of the plan's model.
    pub(crate) fn head(&self, plan: &ShapePlan, id: ObjectId) -> Outcome<Option<(Head, Vec<Value>)>> {
        let found = self.connection.one(&plan.head_by_id, params![id.get()], |row| {
            let head = Head::read(row)?;
            if !self.catalog.schema.is_a(head.leaf, plan.model) {
                return Ok(None);
            }
            Ok(Some((head, values(plan, row, HEAD_COLUMNS)?)))
        })?;
        let Some((head, mut values)) = found.flatten() else { return Ok(None) };
        self.fill_lists(plan, id, &mut values)?;
        Ok(Some((head, values)))
    }
}
