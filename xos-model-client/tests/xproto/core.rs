//! What a real core 4.0.4 says of its own models, as xproto, is what this library says of them.
use std::borrow::Cow;

use crate::recordings;
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

#[test]
fn the_text_of_a_core_passes_the_checks_as_the_lint_says() {
    let Some(text) = recordings::core_xproto() else { return };
    let document = xproto::parse("core.xproto", &text).unwrap();
    // Two texts of the tutorial have no length: all that `xosgenx --lint` has to say.
    let found: Vec<_> =
        document.check().iter().map(|finding| format!("{finding} {:?}", finding.rule)).collect();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains(
            "HelloWorldService.hello_from: String field should have a max_length or text=True Lint"
        )
    );
    assert!(found[1].contains("HelloWorldServiceInstance.hello_to: String field"));
    // The core has them twice, when the same text is checked against what it serves.
    let models = document.models().unwrap();
    assert_eq!(document.check_against(&models).iter().count(), 2);
    assert_eq!(document.policies().count(), 13);
    // Printed, it says the same.
    assert_eq!(xproto::parse("core.xproto", &document.to_string()).unwrap(), document);
}

#[test]
fn a_quantifier_of_a_core_policy_reaches_one_comparison() {
    let Some(text) = recordings::core_xproto() else { return };
    let document = xproto::parse("core.xproto", &text).unwrap();
    let xproto::Formula::Or(parts) = &document.policy("site_policy").unwrap().formula else { panic!() };
    let xproto::Formula::Implies(_, then) = &parts[1] else { panic!() };
    let xproto::Formula::And(parts) = &**then else { panic!() };
    assert!(matches!(&parts[0], xproto::Formula::Exists { variable, .. } if variable == "Privilege"));
    assert_eq!(parts.len(), 4);
    let xproto::Formula::Or(parts) = &document.policy("grant_policy").unwrap().formula else { panic!() };
    let xproto::Formula::And(parts) = &parts[1] else { panic!() };
    assert!(matches!(&parts[0], xproto::Formula::Exists { variable, .. } if variable == "Privilege"));
    assert_eq!(parts.len(), 5);
}
