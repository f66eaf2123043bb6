//! Values that only one object may have. Soft-deleted objects hold theirs until they are purged, as in the real core.

use xos_model_client::{FieldFault, ModelInfo};

use crate::sql::SqlError;
use crate::store::{Catalog, Db, Draft, Layout, Outcome, Storage, bound};
#[cfg(feature = "postgres")]
use crate::store::{group_of, index_of};

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
        let held_by = db.connection.one(&sql, [bound(value)], |row| Ok(row.get::<i32>(0)?))?;
        if let Some(id) = held_by.filter(|id| *id != draft.id.get()) {
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
    let held_by = db.connection.one(&sql, values.iter().map(bound), |row| Ok(row.get::<i32>(0)?))?;
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
#[cfg_attr(not(feature = "postgres"), allow(unused_variables, reason = "only PostgreSQL names its indexes"))]
pub(crate) fn explain_constraint(
    error: &SqlError,
    info: &ModelInfo,
    catalog: &Catalog,
) -> Option<Vec<FieldFault>> {
    match error {
        SqlError::Sqlite(rusqlite::Error::SqliteFailure(_, Some(message))) => {
            let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
            let names: Vec<&str> =
                columns.split(", ").filter_map(|column| column.rsplit('.').next()).collect();
            let known = names.iter().all(|name| {
                info.field(name)
                    .is_some_and(|field| Storage::of(field.def.kind) != Storage::Links && !field.def.is_id())
            });
            known.then(|| vec![same(&names)])
        }
        #[cfg(feature = "postgres")]
        SqlError::Server { code, constraint, .. } if code == "23505" => {
            Some(vec![same(&indexed(constraint.as_deref()?, info, catalog)?)])
        }
        // An index of this database holds less than a field may.
        #[cfg(feature = "postgres")]
        SqlError::Server { code, constraint, .. } if code == "54000" => {
            let problem = "is too long for a field with an index in PostgreSQL: at most about 2,700 bytes";
            let names = constraint.as_deref().and_then(|index| indexed(index, info, catalog));
            Some(vec![match names.and_then(|names| names.first().copied()) {
                Some(name) => FieldFault::of(name, problem),
                None => FieldFault::whole(format!("a text {problem}")),
            }])
        }
        _ => None,
    }
}

fn same(names: &[&str]) -> FieldFault {
    let first = names.first().map_or("", |name| name);
    FieldFault::of(first, format!("another object has the same {} (unique)", names.join(", ")))
}

/// The fields of an index of one of the object's tables.
#[cfg(feature = "postgres")]
fn indexed<'a>(index: &str, info: &ModelInfo, catalog: &'a Catalog) -> Option<Vec<&'a str>> {
    use crate::sql::dialect::plain_fit;
    info.chain.iter().filter_map(|level| catalog.layout(*level)).find_map(|layout| {
        let plain = |field: &usize| layout.columns[*field].plain.as_str();
        let one = layout.own.clone().find(|field| plain_fit(&index_of(layout, plain(field))) == index);
        let group = || layout.unique_groups.iter().find(|group| plain_fit(&group_of(layout, group)) == index);
        one.map(|field| vec![plain(&field)]).or_else(|| Some(group()?.iter().map(plain).collect()))
    })
}
