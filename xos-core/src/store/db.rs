//! Reading: one connection, and what is known about the models in it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use xos_model_client::{Cursor, Found, ModelId, ObjectId, Page, Query, Record, Revision, Shape, Value};

use super::catalog::Catalog;
use super::ddl::LIVE;
use super::fault::Outcome;
use super::plan::{Plans, ShapePlan};
use super::query;
use super::values::Storage;

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
    /// The last committed revision, where this connection is the one that writes; else it is read.
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
        let statement = query::compile(&self.catalog, &plan, query)?;
        self.in_one_read(|db| {
            let as_of = Cursor(db.last_revision()?);
            let mut records = Vec::new();
            let mut found = db.connection.prepare_cached(&statement.sql)?;
            found.raw_bind_parameter(1, page.after.get())?;
            // One more than asked for tells whether there is another page.
            found.raw_bind_parameter(2, limit as i64 + 1)?;
            for (at, value) in statement.values.iter().enumerate() {
                found.raw_bind_parameter(at + 3, value)?;
            }
            let mut rows = found.raw_query();
            let mut more = false;
            while let Some(row) = rows.next()? {
                if records.len() == limit {
                    more = true;
                    break;
                }
                records.push(db.record(&plan, row, 2)?);
            }
            let last = records.last().map(|record: &(ObjectId, Record)| record.0);
            let next = last.filter(|_| more).map(|after| Page { after, limit: page.limit });
            Ok(Found { records: records.into_iter().map(|(_, record)| record).collect(), next, as_of })
        })
    }

    /// Objects by id, live or soft-deleted.
    pub(crate) fn get(&mut self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Outcome<Vec<Option<Record>>> {
        let plan = self.plans.get(&self.catalog, shape)?;
        if ids.len() == 1 {
            return Ok(vec![self.object(&plan, ids[0])?]);
        }
        self.in_one_read(|db| ids.iter().map(|id| db.object(&plan, *id)).collect())
    }

    /// One object.
    pub(crate) fn object(&self, plan: &ShapePlan, id: ObjectId) -> Outcome<Option<Record>> {
        let mut statement = self.connection.prepare_cached(&plan.get_by_id)?;
        let mut rows = statement.query([id.get()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        if !self.catalog.schema.is_a(leaf(row, 2)?, plan.model) {
            return Ok(None);
        }
        Ok(Some(self.record(plan, row, 3)?.1))
    }

    /// Where an object is: its leaf model, and whether it is soft-deleted; `None` when there is none.
    pub(crate) fn whereabouts(&self, model: ModelId, id: ObjectId) -> Outcome<Option<(ModelId, bool)>> {
        let layout = self.catalog.expect_layout(model)?;
        let sql = format!("SELECT leaf, deleted FROM {} WHERE id = ?1", layout.bottom_table);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row([id.get()], |row| Ok((leaf(row, 0)?, row.get(1)?))).optional()?;
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
        let mut statement = self.connection.prepare_cached(&sql)?;
        let value =
            statement.query_row([id.get()], |row| Ok(column.storage.read(row.get_ref(0)?))).optional()?;
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
            let found =
                self.connection.prepare_cached(&sql)?.query_row([leaf.0], |row| row.get(0)).optional()?;
            first = [first, found].into_iter().flatten().min();
        }
        Ok(first.map(ObjectId::new))
    }

    /// All targets in a table of pairs, also soft-deleted ones.
    pub(crate) fn pairs(&self, table: &str, source: ObjectId) -> Outcome<Vec<ObjectId>> {
        let sql = format!("SELECT target FROM {table} WHERE source = ?1 ORDER BY target");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let targets = statement.query_map([source.get()], |row| row.get::<_, i32>(0))?;
        Ok(targets.map(|target| target.map(ObjectId::new)).collect::<Result<_, _>>()?)
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
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        let result = read(self);
        // Nothing was written: there is nothing that ending could lose.
        let _ = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        result
    }

    /// A record whose values begin at column `at`, `id` and `revision` being the first two.
    pub(crate) fn record(&self, plan: &ShapePlan, row: &Row<'_>, at: usize) -> Outcome<(ObjectId, Record)> {
        let id = ObjectId::new(row.get(0)?);
        let revision = Revision(row.get(1)?);
        let values = self.values(plan, row, at, id)?;
        Ok((id, Record::new(plan.shape.clone(), values).at_revision(revision)))
    }

    /// The values of a shape, which begin at column `at`.
    pub(crate) fn values(
        &self,
        plan: &ShapePlan,
        row: &Row<'_>,
        at: usize,
        id: ObjectId,
    ) -> Outcome<Vec<Value>> {
        let mut values = vec![Value::Null; plan.fields.len()];
        for (column, (position, storage)) in plan.columns.iter().enumerate() {
            values[*position as usize] = storage.read(row.get_ref(at + column)?);
        }
        for (position, sql) in &plan.links {
            let mut statement = self.connection.prepare_cached(&sql.0)?;
            let targets = statement.query_map([id.get()], |row| row.get::<_, i32>(0))?;
            let targets: Result<Vec<_>, _> = targets.map(|target| target.map(ObjectId::new)).collect();
            values[*position as usize] = Value::Links(targets?);
        }
        Ok(values)
    }
}

/// The leaf model in a column.
pub(crate) fn leaf(row: &Row<'_>, at: usize) -> rusqlite::Result<ModelId> {
    Ok(ModelId(row.get(at)?))
}

/// The highest revision in the tables: numbers are never taken back once committed, and the newest tombstone is kept.
pub(crate) fn read_last_revision(connection: &Connection, catalog: &Catalog) -> Outcome<u64> {
    let mut last: u64 = connection
        .prepare_cached("SELECT coalesce(max(revision), 0) FROM _tombstone")?
        .query_row([], |row| row.get(0))?;
    for bottom in &catalog.bottoms {
        let table = &catalog.expect_layout(*bottom)?.table;
        let sql = format!("SELECT coalesce(max(revision), 0) FROM {table}");
        last = last.max(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?);
    }
    Ok(last)
}
