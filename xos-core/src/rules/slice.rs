//! Slices and the networks they may use.

use xos_model_client::Value;

use crate::store::{Db, Draft, Outcome};

/// Older recipes say "Private Only" for a slice that has no network.
pub(super) fn private_is_none(draft: &mut Draft<'_>, field: usize) {
    if draft.get(field).and_then(Value::as_text) == Some("Private Only") {
        draft.put(field, Value::Null);
    }
}

/// The validator `slice_name_no_spaces`.
pub(super) fn name_has_no_spaces(draft: &mut Draft<'_>, field: usize, message: &str) {
    if draft.get(field).and_then(Value::as_text).is_some_and(|name| name.contains(' ')) {
        draft.fault(field, message);
    }
}

/// The validator `network_slice_validator`: the slice is among those that the network permits, or owns the network,
/// or the network permits all.
pub(super) fn may_use_network(draft: &mut Draft<'_>, db: &Db, network: usize, slice: usize) -> Outcome<()> {
    if !draft.touches(&[network, slice]) {
        return Ok(());
    }
    let (Some(model), Some(network_id), Some(slice_id)) = (
        draft.column(network).target,
        draft.value(db, network)?.as_link(),
        draft.value(db, slice)?.as_link(),
    ) else {
        return Ok(());
    };
    if db.whereabouts(model, network_id)?.is_none() {
        // Told by the check of links already.
        return Ok(());
    }
    let info = db.catalog.info(model)?;
    let value = |name: &str| match info.shape.position(name) {
        Some(field) => db.value(model, network_id, field),
        None => Ok(Value::Null),
    };
    let permitted = value("permit_all_slices")? == Value::Bool(true)
        || value("owner")?.as_link() == Some(slice_id)
        || matches!(value("permitted_slices")?, Value::Links(ids) if ids.contains(&slice_id));
    if !permitted {
        draft.fault(
            slice,
            format!(
                "Slice {slice_id} is not allowed to connect to networks {network_id}: permit it there (permitted_slices or permit_all_slices)"
            ),
        );
    }
    Ok(())
}
