#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use prost::Message as _;
use tonic::Code;
use xos_model_client::{ModelAccessor as _, Schema, models, xproto};

use super::describe;
use super::messages::{FieldRelation, FieldValidator, ModelDef, ModelDefs, ModelField, ValidatorValue};
use crate::server::testing::{HELLO, call, recorded, stranger, world};

fn told(text: &str) -> Vec<ModelDef> {
    let document = xproto::parse("test.xproto", text).unwrap();
    let own = document.models().unwrap();
    let mut all: Vec<_> = models::core_models().cloned().collect();
    all.extend(own);
    describe::models(&Schema::new(&all).unwrap())
}

fn model<'a>(models: &'a [ModelDef], name: &str) -> &'a ModelDef {
    models.iter().find(|model| model.name == name).unwrap()
}

fn field<'a>(model: &'a ModelDef, name: &str) -> &'a ModelField {
    model.fields.iter().find(|field| field.name == name).unwrap()
}

fn yes(name: &str) -> FieldValidator {
    FieldValidator { name: name.to_owned(), value: Some(ValidatorValue::Bool(true)) }
}

fn longest(length: i64) -> FieldValidator {
    FieldValidator { name: "maxlength".to_owned(), value: Some(ValidatorValue::Int(length)) }
}

#[test]
fn each_kind_of_field_is_told_as_a_form_needs_it() {
    let models = told(
        r#"
        option app_label = "a";
        message Thing (XOSBase) {
            option verbose_name = "A Thing";
            option description = "One of many";
            required string name = 1 [max_length = 20, content_type = "stripped", help_text = "Its name"];
            optional string notes = 2 [text = True];
            optional string page = 3 [max_length = 200, content_type = "url"];
            optional string kind = 4 [choices = "(('a', 'Ay'), ('b', 'Bee'))", default = "a", max_length = 9];
            required int32 size = 5 [default = -7];
            optional bool on = 6 [default = False, feedback_state = True];
            optional string since = 7 [content_type = "date", default = None];
            optional manytoone service->Service:things = 8:1501 [null = True, help_text = "Whose it is"];
            optional manytoone part_of->Thing:parts = 9:1502 [null = True, gui_hidden = True];
            optional string secret = 10 [max_length = 9, gui_hidden = True];
        }
        "#,
    );
    let thing = model(&models, "Thing");
    assert_eq!((thing.app.as_str(), thing.verbose_name.as_str()), ("a", "A Thing"));
    assert_eq!(thing.description, "One of many");
    assert!(thing.fields.is_sorted_by_key(|field| &field.name));
    assert!(!thing.fields.iter().any(|field| field.name == "secret" || field.name == "part_of_id"));
    let name = field(thing, "name");
    assert_eq!((name.r#type.as_str(), name.hint.as_str()), ("string", "Its name"));
    assert_eq!(name.validators, [yes("required"), longest(20)]);
    assert_eq!(field(thing, "notes").r#type, "text");
    assert_eq!(field(thing, "page").validators, [yes("url"), longest(200)]);
    let kind = field(thing, "kind");
    assert_eq!((kind.r#type.as_str(), kind.default.as_str()), ("select", "a"));
    let options: Vec<_> = kind.options.iter().map(|it| (it.id.as_str(), it.label.as_str())).collect();
    assert_eq!(options, [("a", "Ay"), ("b", "Bee")]);
    assert_eq!(
        (field(thing, "size").r#type.as_str(), field(thing, "size").default.as_str()),
        ("number", "-7")
    );
    let on = field(thing, "on");
    assert_eq!((on.r#type.as_str(), on.default.as_str(), on.read_only), ("boolean", "false", true));
    assert_eq!(
        (field(thing, "since").r#type.as_str(), field(thing, "since").default.as_str()),
        ("date", "null")
    );
    assert_eq!(field(thing, "updated").default, "now()");
    let service = field(thing, "service_id");
    let relation = |model: &str, kind: &str, on: &str| FieldRelation {
        model: model.to_owned(),
        r#type: kind.to_owned(),
        on_field: on.to_owned(),
    };
    assert_eq!(service.relation, Some(relation("Service", "manytoone", "")));
    assert_eq!(
        thing.relations,
        [
            relation("Service", "manytoone", "service"),
            relation("Thing", "manytoone", "part_of"),
            relation("Thing", "onetomany", "part_of"),
        ]
    );
    assert!(model(&models, "Service").relations.contains(&relation("Thing", "onetomany", "service")));
    assert!(!models.iter().any(|model| model.name == "XOSBase"));
}

#[tokio::test]
async fn all_models_are_told_to_whom_is_known() {
    let world = world();
    let answer: ModelDefs = call(&world, "/xos.modeldefs/ListModelDefs", &()).await.unwrap();
    let served = world.core.schema().models().iter().filter(|model| !model.def.is_abstract).count();
    assert_eq!(answer.items.len(), served);
    assert!(answer.items.is_sorted_by_key(|model| &model.name));
    let status = stranger(&world, "/xos.modeldefs/ListModelDefs").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = stranger(&world, "/xos.modeldefs/Other").await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// What a field means, without its words and without the order of what has none.
fn meaning(field: &ModelField) -> String {
    let mut validators: Vec<String> = field.validators.iter().map(|it| format!("{it:?}")).collect();
    validators.sort();
    format!(
        "{} {} {:?} {validators:?} {:?} default {:?} read_only {}",
        field.name, field.r#type, field.relation, field.options, field.default, field.read_only
    )
}

#[test]
fn the_models_mean_what_the_recorded_core_says() {
    let Some(answer) = recorded("modeldefs", "modeldefs") else { return };
    let theirs = ModelDefs::decode(answer.as_slice()).unwrap().items;
    let ours = told(HELLO);
    let names = |models: &[ModelDef]| models.iter().map(|model| model.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    let mut different = Vec::new();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let fields = |model: &ModelDef| -> BTreeMap<String, String> {
            model.fields.iter().map(|field| (field.name.clone(), meaning(field))).collect()
        };
        let relations = |model: &ModelDef| {
            let mut all: Vec<String> = model.relations.iter().map(|it| format!("{it:?}")).collect();
            all.sort();
            all
        };
        let (our_fields, their_fields) = (fields(ours), fields(theirs));
        for name in our_fields.keys().chain(their_fields.keys()) {
            if our_fields.get(name) != their_fields.get(name) {
                let text =
                    format!("{}: {:?} != {:?}", ours.name, our_fields.get(name), their_fields.get(name));
                if !different.contains(&text) {
                    different.push(text);
                }
            }
        }
        if relations(ours) != relations(theirs) {
            different.push(format!("{}: {:#?} != {:#?}", ours.name, relations(ours), relations(theirs)));
        }
        if (&ours.app, &ours.verbose_name) != (&theirs.app, &theirs.verbose_name) {
            different.push(format!("{}: {} {}", ours.name, ours.app, ours.verbose_name));
        }
    }
    assert!(different.is_empty(), "{} differences:\n{}", different.len(), different.join("\n"));
}
