//! The tables and indexes of the models.
//!
//! The first model of a chain is the *bottom*: its table holds identity, leaf model, revision, bookkeeping and status
//! of every object of the chain. Each further model has a table of its own fields, with the same id.

use std::fmt::Write;

use xos_model_client::{DefaultValue, FieldDef, ModelInfo, Value};

use super::catalog::{Column, Layout};
use super::values::{Storage, quoted};

/// Live objects that a synchronizer has to look at. One text for index and queries: spelt otherwise, the index is not
/// used. No model can have a second field of these names, so they need no table before them.
pub(crate) const DIRTY: &str = "deleted = 0 AND no_sync = 0 AND lazy_blocked = 0 \
     AND (enacted IS NULL OR enacted < updated OR enacted < changed_by_policy)";

/// Live objects that a policy has to look at.
pub(crate) const DIRTY_POLICY: &str = "deleted = 0 AND no_policy = 0 \
     AND (policed IS NULL OR policed < updated OR policed < changed_by_step)";

/// Soft-deleted objects.
pub(crate) const DELETED: &str = "deleted = 1";

/// Live objects.
pub(crate) const LIVE: &str = "deleted = 0";

/// Soft-deleted objects that a delete policy has to look at.
pub(crate) const DELETED_POLICY: &str = "deleted = 1 AND (policed IS NULL OR policed < updated)";

/// The tables of the core itself; a model's table never begins with an underscore.
pub(crate) const META: &str = "
CREATE TABLE _state (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE _model (id INTEGER PRIMARY KEY, name TEXT NOT NULL, service TEXT NOT NULL, table_name TEXT NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0, def TEXT NOT NULL) STRICT;
CREATE TABLE _service (name TEXT PRIMARY KEY, version TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE _tombstone (revision INTEGER PRIMARY KEY, root INTEGER NOT NULL, id INTEGER NOT NULL,
    leaf INTEGER NOT NULL) STRICT;
CREATE TABLE _memory (namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (namespace, key)) STRICT, WITHOUT ROWID;
";

/// The statements that make the table of a model, with its indexes and tables of pairs.
pub(crate) fn create(layout: &Layout, info: &ModelInfo, table_of: &dyn Fn(usize) -> String) -> Vec<String> {
    let mut columns = Vec::new();
    if layout.is_bottom() {
        columns.push("id INTEGER PRIMARY KEY AUTOINCREMENT".to_owned());
        columns.push("leaf INTEGER NOT NULL".to_owned());
        columns.push("revision INTEGER NOT NULL".to_owned());
        columns.push("by_whom INTEGER NOT NULL".to_owned());
    } else {
        let above = info.chain.iter().rev().nth(1).map_or(0, |id| id.0 as usize);
        columns.push(format!("id INTEGER PRIMARY KEY REFERENCES {}(id)", table_of(above)));
    }
    let mut after = Vec::new();
    for field in layout.own.clone() {
        let (Some(column), Some(info)) = (layout.columns.get(field), info.fields.get(field)) else {
            continue;
        };
        if column.storage == Storage::Links {
            after.extend(pairs(layout, column, &table_of(column.target.map_or(0, |id| id.0 as usize))));
        } else {
            columns.push(definition(column, &info.def, table_of));
            after.extend(index(layout, column, &info.def));
        }
    }
    let mut statements =
        vec![format!("CREATE TABLE {} (\n  {}\n) STRICT", layout.table, columns.join(",\n  "))];
    statements.extend(after);
    statements.extend(layout.unique_groups.iter().map(|group| unique_group(layout, group)));
    if layout.is_bottom() {
        statements.extend(bottom_indexes(layout));
    }
    statements
}

fn bottom_indexes(layout: &Layout) -> Vec<String> {
    let on = |name: &str, columns: &str, rest: &str| {
        format!(
            "CREATE INDEX {} ON {} ({columns}) {rest}",
            quoted(&format!("{}_{name}", layout.plain)),
            layout.table
        )
    };
    vec![
        format!(
            "CREATE UNIQUE INDEX {} ON {} (revision)",
            quoted(&format!("{}_revision", layout.plain)),
            layout.table
        ),
        on("leaf", "leaf, id", ""),
        on("dirty", "leaf, id", &format!("WHERE {DIRTY}")),
        on("policy", "leaf, id", &format!("WHERE {DIRTY_POLICY}")),
        on("deleted", "leaf, id", &format!("WHERE {DELETED}")),
    ]
}

/// One column. It may always be empty: that a field is required is a rule of validation, so that a table can grow.
pub(crate) fn definition(column: &Column, def: &FieldDef, table_of: &dyn Fn(usize) -> String) -> String {
    let mut text = format!("{} {}", column.name, column.storage.column_type());
    if column.storage == Storage::Link {
        let target = column.target.map_or(0, |id| id.0 as usize);
        let _ = write!(text, " REFERENCES {}(id)", table_of(target));
    } else if let Some(default) = constant(def) {
        let _ = write!(text, " DEFAULT {default}");
    }
    text
}

/// The default that rows get that were there before the column.
pub(crate) fn constant(def: &FieldDef) -> Option<String> {
    let default = def.default.as_ref().and_then(DefaultValue::constant);
    match (Storage::of(def.kind), default) {
        (Storage::Bool, Some(Value::Bool(true))) => Some("1".to_owned()),
        (Storage::Bool, _) => Some("0".to_owned()),
        (Storage::Int, Some(Value::Int(int))) => Some(int.to_string()),
        (Storage::Float, Some(Value::Float(float))) => Some(format!("{:?}", f64::from(float))),
        (Storage::Float, Some(Value::Int(int))) => Some(format!("{int}.0")),
        (Storage::Text, Some(Value::Text(text))) => Some(format!("'{}'", text.replace('\'', "''"))),
        _ => None,
    }
}

/// The index of a column, when it has one.
pub(crate) fn index(layout: &Layout, column: &Column, def: &FieldDef) -> Option<String> {
    let wanted = def.unique || def.db_index || column.storage == Storage::Link;
    let unique = if def.unique { "UNIQUE " } else { "" };
    wanted.then(|| {
        format!(
            "CREATE {unique}INDEX {} ON {} ({})",
            index_name(layout, &column.plain),
            layout.table,
            column.name
        )
    })
}

/// The name of the index of a column.
pub(crate) fn index_name(layout: &Layout, column: &str) -> String {
    quoted(&index_of(layout, column))
}

/// The same, not quoted.
pub(crate) fn index_of(layout: &Layout, column: &str) -> String {
    format!("{}.{column}", layout.plain)
}

/// The index that keeps the values of a group of fields together unique.
pub(crate) fn unique_group(layout: &Layout, group: &[usize]) -> String {
    let columns: Vec<&str> = group.iter().map(|field| layout.columns[*field].name.as_str()).collect();
    format!("CREATE UNIQUE INDEX {} ON {} ({})", group_name(layout, group), layout.table, columns.join(", "))
}

/// The name of the index of a group.
pub(crate) fn group_name(layout: &Layout, group: &[usize]) -> String {
    quoted(&group_of(layout, group))
}

/// The same, not quoted.
pub(crate) fn group_of(layout: &Layout, group: &[usize]) -> String {
    let names: Vec<&str> = group.iter().map(|field| layout.columns[*field].plain.as_str()).collect();
    format!("{}.{}", layout.plain, names.join("+"))
}

/// The table of a many-to-many field.
pub(crate) fn pairs(layout: &Layout, column: &Column, target: &str) -> Vec<String> {
    let table = &column.name;
    vec![
        format!(
            "CREATE TABLE {table} (source INTEGER NOT NULL REFERENCES {}(id), \
             target INTEGER NOT NULL REFERENCES {target}(id), PRIMARY KEY (source, target)) STRICT, WITHOUT ROWID",
            layout.table
        ),
        format!(
            "CREATE INDEX {} ON {table} (target)",
            quoted(&format!("{}.{}.target", layout.plain, column.plain))
        ),
    ]
}
