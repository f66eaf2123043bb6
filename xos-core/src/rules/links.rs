//! Links lead to live objects of the right model.

use xos_model_client::{ModelId, ObjectId, Value};

use crate::store::{Db, Draft, Outcome, Storage};

/// Checks the links that are to be stored; those of an object that comes back from deletion all.
pub(super) fn are_live(draft: &mut Draft<'_>, db: &Db, all: bool) -> Outcome<()> {
    let layout = draft.layout;
    for (field, column) in layout.columns.iter().enumerate() {
        let Some(target) = column.target else { continue };
        let value = match draft.get(field) {
            Some(value) => value.clone(),
            None if all && column.storage == Storage::Link => draft.value(db, field)?,
            None => continue,
        };
        let ids = match value {
            Value::Link(id) => vec![id],
            Value::Links(ids) => ids,
            _ => continue,
        };
        for id in ids {
            if let Some(problem) = problem(db, target, id)? {
                draft.fault(field, problem);
            }
        }
    }
    Ok(())
}

/// Checks that the links of an object that is deleted lead to something at all: more is not asked of them.
pub(super) fn exist(draft: &mut Draft<'_>, db: &Db) -> Outcome<()> {
    let layout = draft.layout;
    for (field, column) in layout.columns.iter().enumerate() {
        let (Some(target), Some(Value::Link(id))) = (column.target, draft.get(field).cloned()) else {
            continue;
        };
        if id.is_set() && db.whereabouts(target, id)?.is_none() {
            let name = db.catalog.info(target)?.name();
            draft.fault(field, format!("leads to {name} {id}, which does not exist"));
        }
    }
    Ok(())
}

fn problem(db: &Db, target: ModelId, id: ObjectId) -> Outcome<Option<String>> {
    let name = db.catalog.info(target)?.name();
    Ok(match db.whereabouts(target, id)? {
        Some((_, false)) => None,
        Some((_, true)) => {
            Some(format!("leads to {name} {id}, which is deleted; link to an object that is there to stay"))
        }
        None => Some(format!("leads to {name} {id}, which does not exist")),
    })
}
