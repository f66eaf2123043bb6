//! Values that only one object may have. Soft-deleted objects hold theirs until they are purged, as in the real core.

use rusqlite::OptionalExtension;
use xos_model_client::{FieldFault, ModelInfo};

use crate::store::{Bound, Db, Draft, Layout, Outcome, Storage};

/// Checks the unique fields and groups that are to be stored.
pub(super) fn check(draft: &mut Draft<'_>, db: &Db) -> Outcome<()> {
    let info = draft.info;
    for (field, def) in info.fields.iter().enumerate().filter(|(_, field)| field.def.unique) {
        let Some(value) = draft.get(field) else { continue };
        if value.is_null() {
            continue;
        }
        let column = draft.column(field);
        let sql = format!("SELECT id FROM {} WHERE {} = ?1", draft.layout.tables[column.level], column.name);
        let held_by =
            db.connection.prepare_cached(&sql)?.query_row([Bound(value)], |row| row.get::<_, i32>(0));
        if let Some(id) = held_by.optional()?.filter(|id| *id != draft.id.get()) {
            let problem = held(db, draft.layout, id, "has this value", "the field is unique")?;
            draft.faults.push(FieldFault::of(def.def.name.to_string(), problem));
        }
    }
    for level in &info.chain {
        let layout = db.catalog.expect_layout(*level)?;
        for group in &layout.unique_groups {
            if draft.touches(group) {
                check_group(draft, db, layout, group)?;
            }
        }
    }
    Ok(())
}

fn check_group(draft: &mut Draft<'_>, db: &Db, layout: &Layout, group: &[usize]) -> Outcome<()> {
    let mut values = Vec::with_capacity(group.len());
    for field in group {
        let value = draft.value(db, *field)?;
        if value.is_null() {
            // As in SQL: nothing equals nothing, so such an object is alike no other.
            return Ok(());
        }
        values.push(value);
    }
    let terms: Vec<String> = group
        .iter()
        .enumerate()
        .map(|(at, field)| format!("{} = ?{}", layout.columns[*field].name, at + 1))
        .collect();
    let sql = format!("SELECT id FROM {} WHERE {}", layout.table, terms.join(" AND "));
    let bound = rusqlite::params_from_iter(values.iter().map(Bound));
    let held_by =
        db.connection.prepare_cached(&sql)?.query_row(bound, |row| row.get::<_, i32>(0)).optional()?;
    if let Some(id) = held_by.filter(|id| *id != draft.id.get()) {
        let (first, rest) = names(layout, group);
        let rule = format!("{first} and {rest} are unique together");
        let problem = held(db, layout, id, "has these values", &rule)?;
        draft.faults.push(FieldFault::of(first, problem));
    }
    Ok(())
}

fn names(layout: &Layout, group: &[usize]) -> (String, String) {
    let mut names = group.iter().map(|field| layout.columns[*field].plain.clone());
    let first = names.next().unwrap_or_default();
    (first, names.collect::<Vec<_>>().join(", "))
}

/// Who holds a value, and what to do.
fn held(db: &Db, layout: &Layout, id: i32, what: &str, rule: &str) -> Outcome<String> {
    let there = db.whereabouts(layout.bottom, id.into())?;
    let leaf = there.map_or(layout.id, |(leaf, _)| leaf);
    let name = db.catalog.info(leaf)?.name();
    Ok(match there {
        Some((_, true)) => format!(
            "{name} {id} {what} ({rule}); it is soft-deleted and holds it until it is purged: try again then, or take another value"
        ),
        _ => format!("{name} {id} {what} already ({rule}); take another value"),
    })
}

/// What a broken index of the database means: the last line of defence, should two checks have passed.
pub(crate) fn explain_constraint(error: &rusqlite::Error, info: &ModelInfo) -> Option<Vec<FieldFault>> {
    let rusqlite::Error::SqliteFailure(_, Some(message)) = error else { return None };
    let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
    let names: Vec<&str> = columns.split(", ").filter_map(|column| column.rsplit('.').next()).collect();
    let known = names.iter().all(|name| {
        info.field(name)
            .is_some_and(|field| Storage::of(field.def.kind) != Storage::Links && !field.def.is_id())
    });
    known.then(|| {
        let first = names.first().map_or("", |name| name);
        vec![FieldFault::of(first, format!("another object has the same {} (unique)", names.join(", ")))]
    })
}
