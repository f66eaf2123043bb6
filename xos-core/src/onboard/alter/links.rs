//! The links between tables of a server.
//!
//! SQLite takes a link to a table that is not there yet, and keeps one to a table that is made again. PostgreSQL does
//! neither: there the links are constraints of their own, made when all tables are.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::sql::Connection;
use crate::sql::dialect::{plain_fit, translate};
use crate::sql::postgres::Postgres;
use crate::store::{Catalog, Outcome, Storage, quoted};

/// Makes those that are missing.
pub(super) fn make(connection: &Connection, postgres: &Postgres, catalog: &Catalog) -> Outcome<()> {
    let there: HashSet<String> = connection
        .all(
            "SELECT c.conname::text FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace \
             WHERE c.contype = 'f' AND n.nspname = current_schema()",
            [],
            |row| Ok(row.get(0)?),
        )?
        .into_iter()
        .collect();
    let mut script = String::new();
    let mut link = |table: &str, plain: &str, column: &str, target: &str| {
        let name = plain_fit(&format!("{plain}.link"));
        if there.contains(&name) {
            return;
        }
        let _ = write!(
            script,
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} (id) DEFERRABLE; ",
            translate(table),
            quoted(&name),
            translate(column),
            translate(target)
        );
    };
    for layout in catalog.layouts() {
        if !layout.is_bottom()
            && let Some(above) = layout.tables.iter().rev().nth(1)
        {
            link(&layout.table, &layout.plain, "id", above);
        }
        for column in &layout.columns[layout.own.clone()] {
            let Some(target) = column.target else { continue };
            let target = &catalog.expect_layout(target)?.table;
            let plain = format!("{}.{}", layout.plain, column.plain);
            if column.storage == Storage::Links {
                link(&column.name, &format!("{plain}.source"), "source", &layout.table);
                link(&column.name, &format!("{plain}.target"), "target", target);
            } else {
                link(&layout.table, &plain, &column.name, target);
            }
        }
    }
    if !script.is_empty() {
        postgres.batch(&script)?;
    }
    Ok(())
}
