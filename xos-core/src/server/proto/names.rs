//! The names that the core's framework gives to models and fields, where clients see them.

use xos_model_client::{FieldInfo, Kind, ModelInfo, Schema};

/// The models that have objects, and so messages and operations.
pub fn served(schema: &Schema) -> impl Iterator<Item = &ModelInfo> {
    schema.models().iter().filter(|model| !model.def.is_abstract)
}

/// The name under which the framework of the core knows a model: `core.site` for `Site`.
pub fn content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, model.name().to_ascii_lowercase())
}

/// The name of a model's class in the core. The models of the core, and others with Python code of their own, are
/// generated under another name, and a class with that code inherits from it.
pub fn declared_class(model: &ModelInfo) -> String {
    let suffix = if is_declared_apart(model) { "_decl" } else { "" };
    format!("{}{suffix}", model.name())
}

/// What an object answers for itself: where its generated class is.
pub fn self_content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, declared_class(model).to_ascii_lowercase())
}

/// Whether a model's generated class has a name of its own.
pub fn is_declared_apart(model: &ModelInfo) -> bool {
    let is_of_core = model.def.app_label == "core" && model.def.base.is_some();
    !model.def.is_abstract && (model.def.custom_python || is_of_core)
}

/// The classes of the core that an object of the model is of, the most specific first: `Site,Site_decl,XOSBase`.
pub fn class_names(schema: &Schema, model: &ModelInfo) -> String {
    let mut names: Vec<String> = Vec::new();
    for model in model.chain.iter().rev().filter_map(|id| schema.by_id(*id)) {
        names.push(model.name().to_string());
        if is_declared_apart(model) {
            names.push(declared_class(model));
        }
    }
    names.join(",")
}

/// The name of a field on the wire: a link ends in `_id`, a list of links in `_ids`.
pub fn wire_name(field: &FieldInfo) -> String {
    match field.def.kind {
        Kind::Link => format!("{}_id", field.def.name),
        Kind::Links => format!("{}_ids", field.def.name),
        _ => field.def.name.to_string(),
    }
}
