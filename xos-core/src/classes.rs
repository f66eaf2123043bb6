//! The classes of the core that an object is of, where clients see their names.

use xos_model_client::{ModelInfo, Schema};

/// The name of a model's class in the core. The models of the core, and others with Python code of their own, are
/// generated under another name, and a class with that code inherits from it.
pub fn declared_class(model: &ModelInfo) -> String {
    let suffix = if is_declared_apart(model) { "_decl" } else { "" };
    format!("{}{suffix}", model.name())
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

/// The hash of a password is for nobody.
pub(crate) fn is_secret(schema: &Schema, model: &ModelInfo, field: &str) -> bool {
    let is_user = |model: &ModelInfo| model.name() == "User" && model.def.app_label == "core";
    field == "password" && model.chain.iter().filter_map(|id| schema.by_id(*id)).any(is_user)
}
