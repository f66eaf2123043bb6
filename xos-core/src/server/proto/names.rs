//! The names that the core's framework gives to models and fields, where clients see them.

use xos_model_client::{FieldInfo, Kind, ModelInfo, Schema};

pub use crate::classes::{class_names, declared_class, is_declared_apart};

/// The models that have objects, and so messages and operations.
pub fn served(schema: &Schema) -> impl Iterator<Item = &ModelInfo> {
    schema.models().iter().filter(|model| !model.def.is_abstract)
}

/// The name under which the framework of the core knows a model: `core.site` for `Site`.
pub fn content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, model.name().to_ascii_lowercase())
}

/// What an object answers for itself: where its generated class is.
pub fn self_content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, declared_class(model).to_ascii_lowercase())
}

/// The name of a field on the wire: a link ends in `_id`, a list of links in `_ids`.
pub fn wire_name(field: &FieldInfo) -> String {
    match field.def.kind {
        Kind::Link => format!("{}_id", field.def.name),
        Kind::Links => format!("{}_ids", field.def.name),
        _ => field.def.name.to_string(),
    }
}
