//! Recipes: neither their faults nor what they did show a value.

use std::sync::Mutex;

use xos_model_client::tosca::{Applied, Recipe};
use xos_sync::prelude::*;

use crate::lab::{Account, CANARY, account, assert_clean};

fn recipe(properties: &str) -> String {
    format!(
        "tosca_definitions_version: tosca_simple_yaml_1_0\nimports:\n  - custom_types/account.yaml\n\
         topology_template:\n  node_templates:\n    arya:\n      type: tosca.nodes.Account\n      properties:\n{properties}"
    )
}

#[xos_sync::test]
async fn a_recipe_that_sets_a_secret_shows_it_nowhere() {
    let core = MockAccessor::new();
    core.load::<Account>().await.unwrap();
    let memory = Mutex::new(Applied::default());
    let text = recipe(&format!("        name: Arya\n        password: '{CANARY}'\n"));
    let parsed = Recipe::parse(&text, "account.yaml").unwrap();
    assert_clean("the recipe", &format!("{parsed:?}"));
    let accessor = core.accessor();
    let report = parsed.apply(accessor.as_ref(), &memory).await.unwrap();
    assert_clean("the report", &format!("{report} {report:?}"));
    assert!(report.to_string().contains("password"), "{report}");
    let arya = core.objects::<Account>().one().await.unwrap();
    assert_eq!(arya.password.expose(), CANARY);
    assert!(
        parsed.apply(accessor.as_ref(), &memory).await.unwrap().wrote_nothing(),
        "the same is not written again"
    );
    let kept = memory.lock().unwrap().clone();
    assert_clean("what is remembered", &format!("{kept:?} {}", serde_json::to_string(&kept).unwrap()));
    assert_clean("the journal", &format!("{:?}", core.journal()));
}

#[xos_sync::test]
async fn a_recipe_with_faults_quotes_no_secret() {
    let core = MockAccessor::new();
    core.create(account("Sansa", "")).await.unwrap();
    let taken = format!("{CANARY} of Sansa").replace('\'', "''");
    let cases = [
        // Not YAML.
        format!("        name: Arya\n        password: {CANARY}: x\n"),
        format!("        name: Arya\n        password: '{CANARY}\n"),
        format!("        name: Arya\n       password: {CANARY}\n"),
        format!("        name: Arya\n        password: *{CANARY}\n"),
        format!("        name: Arya\n        password: [{CANARY}\n"),
        format!("        name: Arya\n        password: !{CANARY} 1\n"),
        format!("        name: Arya\n        password: \"\\{CANARY}\"\n"),
        format!("        name: Arya\n        password: >\n       {CANARY}\n      - {CANARY}: x: y\n"),
        // YAML, and not what the field takes.
        format!("        name: Arya\n        password: '{}'\n", CANARY.repeat(9)),
        format!("        name: Arya\n        password: {{x: '{CANARY}'}}\n"),
        format!("        name: Arya\n        password: ['{CANARY}']\n"),
        format!("        name: Arya\n        password: '{taken}'\n"),
        format!("        name: Arya\n        password: '{CANARY}'\n        password: '{CANARY} 2'\n"),
    ];
    for properties in cases {
        let text = recipe(&properties);
        let faults = match Recipe::parse(&text, "account.yaml") {
            Err(faults) => format!("{faults} {faults:?}"),
            Ok(parsed) => {
                let memory = Mutex::new(Applied::default());
                let error = parsed.apply(core.accessor().as_ref(), &memory).await.unwrap_err();
                format!("{error} {error:?} {}", serde_json::to_string(&*memory.lock().unwrap()).unwrap())
            }
        };
        assert_clean(&properties.replace(CANARY, "SECRET"), &faults);
    }
}
