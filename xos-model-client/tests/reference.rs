//! Compares the core models, one by one and field by field, with the recorded facts about the core 4.0.4.
//!
//! The record lies beside the repository, not in it. Where it is absent the test says so, and each rule it checks has
//! a test in `core_models.rs` that needs nothing from outside.
#![allow(clippy::unwrap_used)] // A test may stop where it is.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value as Json, json};
use xos_model_client::models::core_models;
use xos_model_client::{DefaultValue, FieldDef, Kind, ModelDef, ModelInfo, Presence, Schema};

/// Notes a skipped test where `.ci/run` finds it, and says so past the capture of the test harness.
fn skip(why: &str) {
    let line = format!("skipped: xos-model-client/tests/reference.rs: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut file = OpenOptions::new().create(true).append(true).open(target.join("skipped.txt")).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// The recorded models, `None` where the record is absent.
fn recorded() -> Option<Vec<Json>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference/core-models.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        skip(&format!("{} is not there", path.display()));
        return None;
    };
    let record: Json = serde_json::from_str(&text).unwrap();
    Some(record["models"].as_array().unwrap().clone())
}

#[test]
fn core_models_are_those_of_the_core() {
    let Some(recorded) = recorded() else { return };
    let defs: Vec<&ModelDef> = core_models().collect();
    let names: Vec<&str> = recorded.iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(defs.iter().map(|def| def.name.as_ref()).collect::<Vec<_>>(), names);
    let schema = Schema::new(core_models()).unwrap();

    let mut wrong = Vec::new();
    for model in &recorded {
        let info = schema.model(model["name"].as_str().unwrap()).unwrap();
        let mut compare = |what: &str, ours: Json, theirs: Json| {
            if ours != theirs {
                wrong.push(format!("{}, {what}:\n   ours {ours}\n theirs {theirs}", info.name()));
            }
        };
        compare_model(info, model, &mut compare);
        compare_fields(&info.def, model, &mut compare);
        compare_wire(&schema, info, model, &mut compare);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

type Compare<'a> = &'a mut dyn FnMut(&str, Json, Json);

fn compare_model(info: &ModelInfo, model: &Json, compare: Compare<'_>) {
    let def = &info.def;
    // Mixins of the Python implementation are no models.
    let base = model["bases"].as_array().unwrap().first().filter(|base| *base != "AbstractBaseUser");
    compare("base", json!(def.base), base.cloned().unwrap_or(Json::Null));
    compare("abstract", json!(def.is_abstract), model["abstract"].clone());
    compare("custom_python", json!(def.custom_python), model["custom_python"].clone());
    compare("app_label", json!(def.app_label), model["app_label"].clone());
    compare("plural", json!(info.plural), model["plural"].clone());
    compare("verbose_name", json!(def.verbose_name), model["options"]["verbose_name"].clone());
    compare("policy", json!(def.policy), model["policy"].clone());
    let validators: Vec<Json> = def
        .validators
        .iter()
        .map(|validator| json!({"policy": validator.policy, "message": validator.message}))
        .collect();
    compare("validators", json!(validators), model["validators"].clone());
    let groups: BTreeSet<Vec<&str>> = info.unique_together().into_iter().collect();
    compare("unique_together", json!(groups), model["unique_together"].clone());
    let feedback: Vec<&str> =
        def.fields.iter().filter(|field| field.feedback).map(|field| field.name.as_ref()).collect();
    compare("feedback", json!(feedback), model["own_feedback_state_fields"].clone());
    if !def.is_abstract {
        let wire_name = |name: &str| {
            let link = info.field(name).is_some_and(|field| field.target.is_some());
            if link { format!("{name}_id") } else { name.to_owned() }
        };
        let keys: Vec<Json> = info
            .tosca_keys()
            .iter()
            .map(|group| match group.as_slice() {
                [one] => json!(wire_name(one)),
                several => json!(several.iter().map(|name| wire_name(name)).collect::<Vec<_>>()),
            })
            .collect();
        compare("tosca_keys", json!(keys), model["tosca_keys"].clone());
    }
}

fn compare_fields(def: &ModelDef, model: &Json, compare: Compare<'_>) {
    let own: Vec<&FieldDef> = def.fields.iter().filter(|field| !field.is_id()).collect();
    let theirs = model["fields"].as_array().unwrap();
    let names: Vec<&str> = own.iter().map(|field| field.name.as_ref()).collect();
    let their_names: Vec<&str> = theirs.iter().map(|field| field["name"].as_str().unwrap()).collect();
    compare("fields", json!(names), json!(their_names));
    for (field, their) in own.iter().zip(theirs) {
        let options = &their["options"];
        let mut is = |what: &str, ours: Json, theirs: Json| {
            compare(&format!("field {}, {what}", field.name), ours, theirs);
        };
        is("number", json!(field.number), their["number"].clone());
        let modifier = if field.presence == Presence::Required { "required" } else { "optional" };
        is("modifier", json!(modifier), their["modifier"].clone());
        is("xproto type", json!(xproto_type(field.kind)), their["xproto_type"].clone());
        is("content_type", json!(content_type(field.kind)), options["content_type"].clone());
        is("max_length", json!(field.max_length), options["max_length"].clone());
        for (what, ours) in [
            ("text", field.text),
            ("unique", field.unique),
            ("db_index", field.db_index),
            ("feedback_state", field.feedback),
            ("bookkeeping_state", field.bookkeeping),
            ("gui_hidden", field.gui_hidden),
            ("auto_now_add", field.auto_now_add),
            ("tosca_key", field.tosca_key),
        ] {
            is(what, json!(ours), json!(options[what].as_bool().unwrap_or(false)));
        }
        is("has a default", json!(field.default.is_some()), json!(options.get("default").is_some()));
        is("default", default(field), options["default"].clone());
        let choices: Vec<Json> =
            field.choices.iter().map(|choice| json!([choice.value, choice.label])).collect();
        is("choices", json!(choices), options.get("choices").cloned().unwrap_or(json!([])));
        is("unique_with", json!(field.unique_with), options.get("unique_with").cloned().unwrap_or(json!([])));
        is("tosca_key_one_of", json!(field.tosca_key_one_of), options["tosca_key_one_of"].clone());
        let link = &their["link"];
        is("link to", json!(field.link.as_ref().map(|link| &link.target)), link["model"].clone());
        is("reverse", json!(field.link.as_ref().map(|link| &link.reverse)), link["reverse_name"].clone());
        is(
            "reverse id",
            json!(field.link.as_ref().map(|link| link.reverse_number)),
            link["reverse_id"].clone(),
        );
        let many = link["type"] == "manytomany";
        is("many", json!(field.kind == Kind::Links), json!(many));
        is("help", json!(field.help.is_empty()), json!(false));
    }
}

fn xproto_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip | Kind::Date => "string",
        Kind::Int32 | Kind::Link | Kind::Links => "int32",
        Kind::UInt32 => "uint32",
        Kind::Bool => "bool",
        Kind::Float => "float",
    }
}

fn content_type(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Stripped => Some("stripped"),
        Kind::Url => Some("url"),
        Kind::Ip => Some("ip"),
        Kind::Date => Some("date"),
        _ => None,
    }
}

fn default(field: &FieldDef) -> Json {
    match &field.default {
        None | Some(DefaultValue::Null) => Json::Null,
        Some(DefaultValue::Text(text)) => json!(text),
        Some(DefaultValue::Int(int)) => json!(int),
        Some(DefaultValue::Bool(bool)) => json!(bool),
        Some(DefaultValue::Float(float)) => json!(float),
        Some(DefaultValue::Now) => json!({"call": "now"}),
        Some(DefaultValue::First) => json!({"call": format!("get_first_{}", field.name)}),
    }
}

/// Every field of the protobuf message: number, name and, for ways back, where they come from.
fn compare_wire(schema: &Schema, info: &ModelInfo, model: &Json, compare: Compare<'_>) {
    // An abstract model has no message.
    let Some(theirs) = model["wire_fields"].as_array().filter(|_| !info.def.is_abstract) else { return };
    let mut ours: Vec<Json> = info
        .fields
        .iter()
        .map(|field| {
            let suffix = match field.def.kind {
                Kind::Link => "_id",
                Kind::Links => "_ids",
                _ => "",
            };
            json!({"number": field.wire_number, "name": format!("{}{suffix}", field.def.name)})
        })
        .collect();
    for id in &info.chain {
        for link in &schema.by_id(*id).unwrap().reverse {
            let from = schema.by_id(link.from).unwrap().name();
            ours.push(json!({
                "number": link.wire_number,
                "name": format!("{}_ids", link.name),
                "reverse_of": {"model": from, "field": link.field},
            }));
        }
    }
    ours.sort_by_key(|field| field["number"].as_u64());
    let theirs: Vec<Json> = theirs
        .iter()
        // What the core adds to every message is no field of a model.
        .filter(|field| field["declared_in"] != "*")
        .map(|field| {
            let mut kept = json!({"number": field["number"], "name": field["name"]});
            if let Some(of) = field.get("reverse_of") {
                kept["reverse_of"] = of.clone();
            }
            kept
        })
        .collect();
    compare("wire fields", json!(ours), json!(theirs));
}
