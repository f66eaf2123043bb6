//! What a real core 4.0.4 says of its own models, as xproto, is what this library says of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "xproto/recordings.rs"]
mod recordings;

use std::borrow::Cow;

use xos_model_client::models::core_models;
use xos_model_client::{ModelDef, Schema, xproto};

/// A definition without the words that each side has of its own.
fn without_words(def: &ModelDef) -> ModelDef {
    let mut fields = def.fields.to_vec();
    for field in &mut fields {
        field.help = Cow::Borrowed("");
    }
    ModelDef { help: Cow::Borrowed(""), plural: None, fields: fields.into(), ..def.clone() }
}

#[test]
fn core_models_are_those_of_the_text() {
    let Some(text) = recordings::core_xproto() else { return };
    let document = xproto::parse("core.xproto", &text).unwrap();
    let models = document.models().unwrap();
    let mut wrong = Vec::new();
    for ours in core_models() {
        let theirs = models.iter().find(|model| model.name == ours.name).unwrap();
        let (theirs, ours) = (without_words(theirs), without_words(ours));
        if theirs != ours {
            wrong.push(format!("ours {ours:#?}\ntheirs {theirs:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(models.len(), 37);

    // Plurals that the text gives are those that the rule gives.
    let schema = Schema::new(core_models()).unwrap();
    for model in &models {
        if let (Some(plural), Some(info)) = (&model.plural, schema.model(&model.name)) {
            assert_eq!(info.plural, *plural);
        }
    }
    // They fit together, with those of the service.
    Schema::new(&models).unwrap();
}
