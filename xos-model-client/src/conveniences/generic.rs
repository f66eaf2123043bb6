//! Links to objects of any model: a content type, as the core's framework calls a model, and an id.

use crate::model::Model;
use crate::schema::{ModelInfo, Schema};

/// What the core puts behind the names of classes that are generated apart.
const APART: &str = "_decl";

/// What an object of the model says of itself: `core.slice_decl`, `hello-world.helloworldservice`.
pub(super) fn content_type(model: &ModelInfo) -> String {
    let is_of_core = model.def.app_label == "core" && model.def.base.is_some();
    let apart = if model.def.custom_python || is_of_core { APART } else { "" };
    format!("{}.{}{apart}", model.def.app_label, model.name().to_ascii_lowercase())
}

/// The model of a content type, with or without `_decl` at its end.
pub(super) fn model_of<'s>(schema: &'s Schema, content_type: &str) -> Option<&'s ModelInfo> {
    let (label, class) = content_type.trim().split_once('.')?;
    let is_it = |class: &str| {
        let of_class = |model: &&ModelInfo| {
            model.def.app_label == label
                && model.name().eq_ignore_ascii_case(class)
                && !model.name().is_empty()
        };
        schema.models().iter().find(of_class)
    };
    is_it(class).or_else(|| is_it(class.strip_suffix(APART)?))
}

/// Whether a content type and an id that is that of an `M` mean the `M`: any view on it counts, such as that of its
/// base.
pub(super) fn means<M: Model>(schema: &Schema, content_type: &str) -> bool {
    let (Some(found), Some(own)) = (model_of(schema, content_type), schema.model(M::MODEL_NAME)) else {
        return false;
    };
    found.root == own.root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Service, ServiceInstance, Slice, core_models};

    #[test]
    fn a_content_type_is_known_with_and_without_its_end() {
        let schema = Schema::new(core_models()).unwrap();
        assert_eq!(content_type(schema.model("Slice").unwrap()), "core.slice_decl");
        for (text, expected) in [
            ("core.slice_decl", Some("Slice")),
            ("core.slice", Some("Slice")),
            ("core.Slice", Some("Slice")),
            ("other.slice", None),
            ("slice", None),
            ("core.", None),
            ("", None),
        ] {
            assert_eq!(model_of(&schema, text).map(|model| model.name().as_ref()), expected, "{text}");
        }
        assert!(means::<Slice>(&schema, "core.slice") && !means::<Slice>(&schema, "core.site_decl"));
        assert!(means::<Service>(&schema, "core.service_decl"));
        assert!(!means::<ServiceInstance>(&schema, "core.service_decl"));
    }
}
