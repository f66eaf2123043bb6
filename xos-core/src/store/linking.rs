//! What links to some objects: one statement for all their ways back, however many there are.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use xos_model_client::{Error, ModelName, ObjectId};

use super::catalog::Catalog;
use super::db::Db;
use super::fault::Outcome;
use super::values::Storage;
use crate::sql::{Sql, params};

/// More branches than this are no one statement: SQLite permits 500.
const MOST_BRANCHES: usize = 400;

/// The links that lead to a model, with the statements that follow them back.
#[derive(Debug)]
pub(crate) struct WaysBack {
    /// The model that declares each link, and its field.
    links: Vec<(ModelName, String)>,
    /// Made for one generation of the schema.
    statements: Mutex<Option<(u64, Arc<Statements>)>>,
}

/// Each gives the way back, what is linked to, and what links to it; in parts, should there be very many ways.
#[derive(Debug, Default)]
struct Statements {
    /// To the object `?1`.
    of_one: Vec<String>,
    /// To the objects in the set `?1`.
    of_many: Vec<String>,
}

impl WaysBack {
    pub(crate) fn new(links: Vec<(ModelName, String)>) -> Self {
        WaysBack { links, statements: Mutex::new(None) }
    }

    fn statements(&self, catalog: &Catalog, is_remote: bool) -> Result<Arc<Statements>, Error> {
        let mut known = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, statements)) = known.as_ref().filter(|(of, _)| *of == catalog.generation) {
            return Ok(statements.clone());
        }
        let made = Arc::new(Statements {
            of_one: self.unions(catalog, "= ?1")?,
            of_many: self.unions(
                catalog,
                if is_remote { "= ANY(?1)" } else { "IN (SELECT value FROM json_each(?1))" },
            )?,
        });
        *known = Some((catalog.generation, made.clone()));
        Ok(made)
    }

    fn unions(&self, catalog: &Catalog, is_wanted: &str) -> Result<Vec<String>, Error> {
        let mut unions = Vec::new();
        for (part, links) in self.links.chunks(MOST_BRANCHES).enumerate() {
            let mut union = String::new();
            for (at, (model, field)) in links.iter().enumerate() {
                let info = catalog.schema.expect_model(model)?;
                let layout = catalog.expect_layout(info.id)?;
                let column =
                    &layout.columns[info.shape.position(&info.expect_field(field)?.def.name).unwrap_or(0)];
                let (table, source, target) = if column.storage == Storage::Links {
                    (&column.name, "source", "target")
                } else {
                    (&layout.tables[column.level], "id", column.name.as_str())
                };
                let (way, bottom) = (part * MOST_BRANCHES + at, &layout.bottom_table);
                let union_all = if at == 0 { "" } else { " UNION ALL " };
                let _ = write!(
                    union,
                    "{union_all}SELECT CAST({way} AS INTEGER), l.{target}, l.{source} \
                     FROM {table} l JOIN {bottom} b ON b.id = l.{source} \
                     WHERE l.{target} {is_wanted} AND b.deleted = 0"
                );
            }
            unions.push(union);
        }
        Ok(unions)
    }
}

impl Db {
    /// What live objects link to these: for each way back the object that is linked to, and the one that links; in
    /// order.
    pub(crate) fn leading_to(&self, ways: &WaysBack, ids: &[ObjectId]) -> Outcome<Vec<Vec<(i32, i32)>>> {
        let mut found: Vec<Vec<(i32, i32)>> = vec![Vec::new(); ways.links.len()];
        let statements = ways.statements(&self.catalog, self.connection.is_remote())?;
        let mut read = |sql: &str, ids: Sql<'_>| {
            self.connection.each(sql, [ids], |row| {
                let way: usize = row.get(0)?;
                if let Some(pairs) = found.get_mut(way) {
                    pairs.push((row.get(1)?, row.get(2)?));
                }
                Ok(ControlFlow::Continue(()))
            })
        };
        match ids {
            [] => {}
            [id] => {
                let [id] = params![id.get()];
                statements.of_one.iter().try_for_each(|sql| read(sql, id))?;
            }
            #[cfg(feature = "postgres")]
            _ if self.connection.is_remote() => {
                let ids: Vec<i64> = ids.iter().map(|id| i64::from(id.get())).collect();
                statements.of_many.iter().try_for_each(|sql| read(sql, Sql::Ids(&ids)))?;
            }
            _ => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let set = format!("[{}]", ids.join(","));
                statements.of_many.iter().try_for_each(|sql| read(sql, Sql::Text(&set)))?;
            }
        }
        for pairs in &mut found {
            pairs.sort_unstable();
        }
        Ok(found)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::store::Store;

    #[test]
    fn each_way_back_goes_through_an_index() {
        let db = Store::in_memory(&Options::default()).unwrap().db;
        let model = db.catalog.schema.model("ServiceInstance").unwrap();
        let links = model.reverse.iter().map(|reverse| {
            (db.catalog.schema.by_id(reverse.from).unwrap().name().clone(), reverse.field.clone())
        });
        let ways = WaysBack::new(links.collect());
        assert!(ways.links.len() > 3, "{ways:?}");
        let statements = ways.statements(&db.catalog, false).unwrap();
        for (sql, value) in [(&statements.of_one[0], "7"), (&statements.of_many[0], "[7, 8]")] {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let steps =
                db.connection.all(&plan, [Sql::Text(value)], |row| Ok(row.get::<String>(3)?)).unwrap();
            let searched = steps.iter().filter(|step| step.starts_with("SEARCH l USING")).count();
            assert_eq!(searched, ways.links.len(), "{steps:#?}");
            assert!(
                !steps.iter().any(|step| step.starts_with("SCAN l") || step.starts_with("SCAN b")),
                "{steps:#?}"
            );
        }
    }
}
