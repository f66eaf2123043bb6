//! Changing the tables.

#[cfg(feature = "postgres")]
mod links;

use std::sync::Arc;

use xos_model_client::ModelId;

use crate::sql::{Connection, params};
use crate::store::{
    Catalog, Layout, Outcome, Storage, Store, create_table, definition, group_name, index, index_name, pairs,
    quoted, unique_group,
};

/// One step from the old tables to the new ones.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Alteration {
    /// Drop the table of a model without objects: its new one is made in its place.
    Drop { table: String, lists: Vec<String> },
    /// Make the tables of a model.
    Create(ModelId),
    /// Add the column or list of a field.
    Add(ModelId, usize),
    /// Fill a new column in all rows with the time of now.
    FillWithNow(ModelId, usize),
    /// Make the index of a field again, as it is asked for now.
    Index(ModelId, usize),
    /// Drop an index.
    DropIndex(String),
    /// Keep a group of fields unique.
    Group(ModelId, Vec<usize>),
}

/// Does all steps, within a transaction.
pub(super) fn alter(store: &Store, catalog: &Catalog, alterations: &[Alteration]) -> Outcome<()> {
    let connection = &store.db.connection;
    let table_of =
        |id: usize| catalog.layout(ModelId(id as u16)).map(|layout| layout.table.clone()).unwrap_or_default();
    let drop = |table: &str| {
        // On a server the links of other tables would keep it; they are made again at the end.
        let cascade = if store.is_shared() { " CASCADE" } else { "" };
        format!("DROP TABLE {table}{cascade}")
    };
    let mut script = Script { connection, text: String::new() };
    if store.is_shared() {
        // What was deleted before in this transaction is checked now: its tables may go.
        script.add("SET CONSTRAINTS ALL IMMEDIATE");
    }
    // All old tables first, lists before what they lead to: a new one may take the place of another.
    for alteration in alterations {
        if let Alteration::Drop { lists, .. } = alteration {
            for list in lists {
                script.add(&drop(list));
            }
        }
    }
    for alteration in alterations {
        if let Alteration::Drop { table, .. } = alteration {
            script.add(&drop(table));
        }
    }
    for alteration in alterations {
        match alteration {
            Alteration::Drop { .. } => {}
            Alteration::Create(model) => {
                let layout = catalog.expect_layout(*model)?;
                for statement in create_table(layout, catalog.info(*model)?, &table_of) {
                    script.add(&statement);
                }
            }
            Alteration::Add(model, field) => {
                for statement in add(catalog.expect_layout(*model)?, catalog, *field, &table_of) {
                    script.add(&statement);
                }
            }
            Alteration::FillWithNow(model, field) => {
                script.run()?;
                let layout = catalog.expect_layout(*model)?;
                let column = &layout.columns[*field].name;
                let now = store.now_seconds();
                connection.execute(&format!("UPDATE {} SET {column} = ?1", layout.table), params![now])?;
            }
            Alteration::Index(model, field) => {
                let layout = catalog.expect_layout(*model)?;
                let column = &layout.columns[*field];
                script.add(&format!("DROP INDEX IF EXISTS {}", index_name(layout, &column.plain)));
                let def = &catalog.info(*model)?.fields[*field].def;
                if let Some(sql) = index(layout, column, def) {
                    script.add(&sql);
                }
            }
            Alteration::DropIndex(name) => script.add(&format!("DROP INDEX IF EXISTS {name}")),
            Alteration::Group(model, group) => {
                script.add(&unique_group(catalog.expect_layout(*model)?, group));
            }
        }
    }
    script.run()?;
    #[cfg(feature = "postgres")]
    if let Some(postgres) = connection.postgres() {
        links::make(connection, postgres, catalog)?;
    }
    Ok(())
}

/// Statements that go to the database together.
struct Script<'a> {
    connection: &'a Connection,
    text: String,
}

impl Script<'_> {
    fn add(&mut self, statement: &str) {
        self.text.push_str(statement);
        self.text.push_str(";\n");
    }

    fn run(&mut self) -> Outcome<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        self.connection.batch(&std::mem::take(&mut self.text))
    }
}

fn add(layout: &Layout, catalog: &Catalog, field: usize, table_of: &dyn Fn(usize) -> String) -> Vec<String> {
    let (column, Ok(info)) = (&layout.columns[field], catalog.info(layout.id)) else { return Vec::new() };
    let def = &info.fields[field].def;
    if column.storage == Storage::Links {
        return pairs(layout, column, &table_of(column.target.map_or(0, |id| id.0 as usize)));
    }
    let mut statements =
        vec![format!("ALTER TABLE {} ADD COLUMN {}", layout.table, definition(column, def, table_of))];
    statements.extend(index(layout, column, def));
    statements
}

/// The index of a group of fields that the old model has.
pub(super) fn old_group(layout: &Layout, group: &[usize]) -> String {
    group_name(layout, group)
}

/// The tables of a model, to be dropped.
pub(super) fn tables(layout: &Layout) -> Alteration {
    let lists = layout.columns[layout.own.clone()].iter();
    let lists = lists.filter(|column| column.storage == Storage::Links);
    Alteration::Drop {
        table: quoted(&layout.plain),
        lists: lists.map(|column| column.name.clone()).collect(),
    }
}

impl Store {
    /// Uses another catalog from now on, and tells those who listen; on a server they are told with the commit.
    pub(super) fn use_catalog(&mut self, catalog: Arc<Catalog>) {
        self.db.catalog = catalog.clone();
        self.forget_statements();
        if !self.is_shared() {
            self.hub.publish_catalog(catalog);
        }
    }
}
