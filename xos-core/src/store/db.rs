//! Reading: one connection, and what is known about the models in it.

#[cfg(feature = "postgres")]
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use xos_model_client::{Cursor, Found, ModelId, ObjectId, Page, Query, Record, Revision, Shape, Value};

use super::catalog::Catalog;
use super::ddl::LIVE;
use super::fault::Outcome;
use super::plan::{Plans, ShapePlan};
use super::query;
use super::values::Storage;
#[cfg(feature = "postgres")]
use crate::sql::Sql;
use crate::sql::{Connection, Operand, Row, SqlError, params};

/// The most records that one page has, whatever was asked for.
const MOST_RECORDS: usize = 100_000;

/// A connection to a core's database, for reading.
#[derive(Debug)]
pub(crate) struct Db {
    pub(crate) connection: Connection,
    /// The file, for errors.
    pub(crate) path: String,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) plans: Plans,
    /// The last committed revision, where this connection is the one that writes a file, or within a transaction on a
    /// server, which began by reading it; else it is read.
    pub(crate) revision: Option<u64>,
}

impl Db {
    pub(crate) fn new(connection: Connection, path: String, catalog: Arc<Catalog>) -> Self {
        Db { connection, path, catalog, plans: Plans::default(), revision: None }
    }

    /// The position in the feed now.
    pub(crate) fn cursor(&mut self) -> Outcome<Cursor> {
        Ok(Cursor(self.last_revision()?))
    }

    /// One page of the objects that a query asks for.
    pub(crate) fn find(&mut self, query: &Query, page: Page) -> Outcome<Found> {
        let plan = self.plans.get(&self.catalog, &query.shape)?;
        let limit = page.limit.clamp(1, MOST_RECORDS);
        let statement = query::compile(&self.catalog, &plan, query, self.connection.is_remote())?;
        self.in_one_read(|db| {
            let as_of = Cursor(db.last_revision()?);
            // One more than asked for tells whether there is another page.
            let first = params![page.after.get(), limit + 1];
            let bound = statement.values.iter().map(Operand::bound);
            let mut found: Vec<Raw> = Vec::new();
            let mut more = false;
            db.connection.each(&statement.sql, first.into_iter().chain(bound), |row| {
                if found.len() == limit {
                    more = true;
                    return Ok(ControlFlow::Break(()));
                }
                found.push(db.raw(&plan, row, 2)?);
                Ok(ControlFlow::Continue(()))
            })?;
            let last = found.last().map(|raw| raw.id);
            let next = last.filter(|_| more).map(|after| Page { after, limit: page.limit });
            db.fill_all_lists(&plan, &mut found)?;
            let records = found.into_iter().map(|raw| raw.record(&plan)).collect();
            Ok(Found { records, next, as_of })
        })
    }

    /// Objects by id, live or soft-deleted.
    pub(crate) fn get(&mut self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Outcome<Vec<Option<Record>>> {
        let plan = self.plans.get(&self.catalog, shape)?;
        if ids.len() == 1 {
            return Ok(vec![self.object(&plan, ids[0])?]);
        }
        #[cfg(feature = "postgres")]
        if self.connection.is_remote() {
            return self.get_at_once(&plan, ids);
        }
        self.in_one_read(|db| ids.iter().map(|id| db.object(&plan, *id)).collect())
    }

    /// Objects by id, with one statement.
    #[cfg(feature = "postgres")]
    fn get_at_once(&self, plan: &ShapePlan, ids: &[ObjectId]) -> Outcome<Vec<Option<Record>>> {
        let numbers: Vec<i64> = ids.iter().map(|id| i64::from(id.get())).collect();
        let mut found: Vec<Raw> = Vec::with_capacity(ids.len());
        self.connection.each(&plan.get_by_ids, [Sql::Ids(&numbers)], |row| {
            if self.catalog.schema.is_a(leaf(row, 2)?, plan.model) {
                found.push(self.raw(plan, row, 3)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.fill_all_lists(plan, &mut found)?;
        let records: HashMap<ObjectId, Record> =
            found.into_iter().map(|raw| (raw.id, raw.record(plan))).collect();
        Ok(ids.iter().map(|id| records.get(id).cloned()).collect())
    }

    /// One object.
    pub(crate) fn object(&self, plan: &ShapePlan, id: ObjectId) -> Outcome<Option<Record>> {
        let found = self.connection.one(&plan.get_by_id, params![id.get()], |row| {
            if !self.catalog.schema.is_a(leaf(row, 2)?, plan.model) {
                return Ok(None);
            }
            Ok(Some(self.raw(plan, row, 3)?))
        })?;
        let Some(mut raw) = found.flatten() else { return Ok(None) };
        self.fill_lists(plan, id, &mut raw.values)?;
        Ok(Some(raw.record(plan)))
    }

    /// Where an object is: its leaf model, and whether it is soft-deleted; `None` when there is none.
    pub(crate) fn whereabouts(&self, model: ModelId, id: ObjectId) -> Outcome<Option<(ModelId, bool)>> {
        let layout = self.catalog.expect_layout(model)?;
        let sql = format!("SELECT leaf, deleted FROM {} WHERE id = ?1", layout.bottom_table);
        let found = self.connection.one(&sql, params![id.get()], |row| Ok((leaf(row, 0)?, row.get(1)?)))?;
        Ok(found.filter(|(leaf, _)| self.catalog.schema.is_a(*leaf, model)))
    }

    /// The value of one field of an object.
    pub(crate) fn value(&self, model: ModelId, id: ObjectId, field: usize) -> Outcome<Value> {
        let layout = self.catalog.expect_layout(model)?;
        let column = &layout.columns[field];
        if column.storage == Storage::Links {
            return Ok(Value::Links(self.pairs(&column.name, id)?));
        }
        let sql = format!("SELECT {} FROM {} WHERE id = ?1", column.name, layout.tables[column.level]);
        let value =
            self.connection.one(&sql, params![id.get()], |row| Ok(column.storage.read(row.stored(0)?)))?;
        Ok(value.unwrap_or_default())
    }

    /// The first live object of a model, by id.
    pub(crate) fn first_live(&self, model: ModelId) -> Outcome<Option<ObjectId>> {
        let layout = self.catalog.expect_layout(model)?;
        let mut first: Option<i32> = None;
        for leaf in &layout.leaves {
            let sql = format!(
                "SELECT id FROM {} WHERE leaf = ?1 AND {LIVE} ORDER BY id LIMIT 1",
                layout.bottom_table
            );
            let found = self.connection.one(&sql, params![leaf.0], |row| Ok(row.get(0)?))?;
            first = [first, found].into_iter().flatten().min();
        }
        Ok(first.map(ObjectId::new))
    }

    /// All targets in a table of pairs, also soft-deleted ones.
    pub(crate) fn pairs(&self, table: &str, source: ObjectId) -> Outcome<Vec<ObjectId>> {
        let sql = format!("SELECT target FROM {table} WHERE source = ?1 ORDER BY target");
        self.connection.all(&sql, params![source.get()], |row| Ok(ObjectId::new(row.get(0)?)))
    }

    /// The last committed revision.
    pub(crate) fn last_revision(&self) -> Outcome<u64> {
        match self.revision {
            Some(revision) => Ok(revision),
            None => read_last_revision(&self.connection, &self.catalog),
        }
    }

    /// Runs several reads so that they see the same state.
    pub(crate) fn in_one_read<T>(&self, read: impl FnOnce(&Self) -> Outcome<T>) -> Outcome<T> {
        if self.revision.is_some() {
            // The only connection that writes, and nobody writes now.
            return read(self);
        }
        self.connection.mark("BEGIN")?;
        let result = read(self);
        // Nothing was written: there is nothing that ending could lose.
        let _ = self.connection.mark("COMMIT");
        result
    }

    /// A row whose values begin at column `at`, `id` and `revision` being the first two.
    fn raw(&self, plan: &ShapePlan, row: &Row<'_>, at: usize) -> Outcome<Raw> {
        let (id, revision) = (ObjectId::new(row.get(0)?), Revision(row.get(1)?));
        Ok(Raw { id, revision, values: self.values(plan, row, at)? })
    }

    /// The values of a shape, which begin at column `at`; its lists are filled later.
    #[allow(clippy::unused_self, reason = "it belongs with what reads a row")]
    pub(crate) fn values(&self, plan: &ShapePlan, row: &Row<'_>, at: usize) -> Outcome<Vec<Value>> {
        let mut values = vec![Value::Null; plan.fields.len()];
        for (column, (position, storage)) in plan.columns.iter().enumerate() {
            values[*position as usize] = storage.read(row.stored(at + column)?);
        }
        Ok(values)
    }

    /// The lists of one object.
    pub(crate) fn fill_lists(&self, plan: &ShapePlan, id: ObjectId, values: &mut [Value]) -> Outcome<()> {
        for (position, sql) in &plan.links {
            let targets =
                self.connection.all(&sql.of_one, params![id.get()], |row| Ok(ObjectId::new(row.get(0)?)))?;
            values[*position as usize] = Value::Links(targets);
        }
        Ok(())
    }

    /// The lists of several objects: one statement for each field where a statement costs a way to a server.
    fn fill_all_lists(&self, plan: &ShapePlan, found: &mut [Raw]) -> Outcome<()> {
        #[cfg(feature = "postgres")]
        if self.connection.is_remote() && found.len() > 1 {
            let ids: Vec<i64> = found.iter().map(|raw| i64::from(raw.id.get())).collect();
            for (position, sql) in &plan.links {
                let mut lists: HashMap<i32, Vec<ObjectId>> = HashMap::new();
                self.connection.each(&sql.of_many, [Sql::Ids(&ids)], |row| {
                    lists.entry(row.get(0)?).or_default().push(ObjectId::new(row.get(1)?));
                    Ok(ControlFlow::Continue(()))
                })?;
                for raw in &mut *found {
                    let list = lists.remove(&raw.id.get()).unwrap_or_default();
                    raw.values[*position as usize] = Value::Links(list);
                }
            }
            return Ok(());
        }
        found.iter_mut().try_for_each(|raw| self.fill_lists(plan, raw.id, &mut raw.values))
    }
}

/// A row on its way to a record.
struct Raw {
    id: ObjectId,
    revision: Revision,
    values: Vec<Value>,
}

impl Raw {
    fn record(self, plan: &ShapePlan) -> Record {
        Record::new(plan.shape.clone(), self.values).at_revision(self.revision)
    }
}

/// The leaf model in a column.
pub(crate) fn leaf(row: &Row<'_>, at: usize) -> Result<ModelId, SqlError> {
    Ok(ModelId(row.get(at)?))
}

/// The highest revision in the tables: numbers are never taken back once committed, and the newest tombstone is kept.
pub(crate) fn read_last_revision(connection: &Connection, catalog: &Catalog) -> Outcome<u64> {
    let mut last = connection.number("SELECT coalesce(max(revision), 0) FROM _tombstone")?;
    for bottom in &catalog.bottoms {
        let table = &catalog.expect_layout(*bottom)?.table;
        last = last.max(connection.number(&format!("SELECT coalesce(max(revision), 0) FROM {table}"))?);
    }
    Ok(last)
}
