//! Who owns an object that names no owner.

use xos_model_client::{ModelId, Value};

use crate::store::{Db, Draft, Outcome};

/// The first live object of the owner class becomes the owner when none is given, or one that is missing, deleted or
/// of another class. The real core takes any of them; here it is the oldest.
pub(super) fn choose(draft: &mut Draft<'_>, db: &Db, field: usize, class: ModelId) -> Outcome<()> {
    let Some(owner) = draft.get(field) else { return Ok(()) };
    if let Some(id) = owner.as_link()
        && matches!(db.whereabouts(class, id)?, Some((_, false)))
    {
        return Ok(());
    }
    if let Some(first) = db.first_live(class)? {
        let value = Value::Link(first);
        if !draft.is_new() && db.value(draft.info.id, draft.id, field)? == value {
            // It has that owner already: the write changes nothing.
            draft.drop_change(field);
        } else {
            draft.put(field, value);
        }
        return Ok(());
    }
    let name = db.catalog.info(class)?.name().clone();
    draft.put(field, Value::Null);
    draft.fault(field, format!("Cannot find eligible owner of class {name}: create one first"));
    Ok(())
}
