//! Where a core's models and those of the program differ.

use xos_model_client::models::core_models;
use xos_model_client::{ChoiceDef, FieldDef, Kind, ModelDef, Presence, Schema};

use crate::{WORLD, known};

/// What is said of `Slice` when the program has it like this; what matters has a `!` before it.
fn changed(change: impl FnOnce(&mut Vec<FieldDef>)) -> Vec<String> {
    let mut def = core_models().find(|def| def.name == "Slice").unwrap().clone();
    let mut fields = def.fields.to_vec();
    change(&mut fields);
    def.fields = fields.into();
    told(&[&def])
}

fn told(own: &[&ModelDef]) -> Vec<String> {
    let found = WORLD.remote.differences(own);
    found.iter().map(|found| format!("{}{found}", if found.matters { "! " } else { "" })).collect()
}

fn field<'a>(fields: &'a mut [FieldDef], name: &str) -> &'a mut FieldDef {
    fields.iter_mut().find(|field| field.name == name).unwrap()
}

#[test]
fn the_same_models_do_not_differ() {
    assert_eq!(told(&known()), Vec::<String>::new());
}

#[test]
fn what_would_break_reading_or_writing_matters() {
    let mut missing = core_models().find(|def| def.name == "Slice").unwrap().clone();
    missing.name = "Slize".into();
    assert_eq!(told(&[&missing]), ["! model Slize: the core does not have it; load it first"]);
    assert_eq!(
        changed(|fields| field(fields, "description").name = "text".into()),
        [
            "! model Slice, field \"text\": the core does not have it",
            "model Slice, field \"description\": the core has it, this program does not"
        ]
    );
    assert_eq!(
        changed(|fields| field(fields, "max_instances").kind = Kind::Bool),
        [
            "! model Slice, field \"max_instances\": in the core it is an integer (32 bits), in this program true or false"
        ]
    );
    assert_eq!(
        changed(|fields| field(fields, "site").link.as_mut().unwrap().target = "Node".into()),
        ["! model Slice, field \"site\": in the core it leads to Site, in this program to Node"]
    );
}

#[test]
fn the_rest_is_told_and_does_not_matter() {
    for (change, expected) in [
        (
            (|fields| field(fields, "name").max_length = Some(100)) as fn(&mut Vec<FieldDef>),
            "model Slice, field \"name\": the core takes 80 characters, this program 100",
        ),
        (
            |fields| field(fields, "enabled").presence = Presence::Optional,
            "model Slice, field \"enabled\": the core requires a value, this program does not",
        ),
        (
            |fields| field(fields, "description").presence = Presence::Required,
            "model Slice, field \"description\": this program requires a value, the core does not",
        ),
        (
            |fields| field(fields, "description").feedback = true,
            "model Slice, field \"description\": it is feedback in this program, not in the core",
        ),
        (
            |fields| {
                let choice = ChoiceDef { value: Some("host".into()), label: "Host".into() };
                field(fields, "network").choices = vec![choice].into();
            },
            "this program host",
        ),
        (
            |fields| fields.retain(|field| field.name != "description"),
            "the core has it, this program does not",
        ),
    ] {
        let found = changed(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected) && !found[0].starts_with('!'), "{found:?}");
    }
    // A text is a text on the wire, whatever the program checks in it.
    assert_eq!(changed(|fields| field(fields, "name").kind = Kind::Url), Vec::<String>::new());
}

#[test]
fn another_base_matters_when_objects_would_be_others() {
    let mut def = core_models().find(|def| def.name == "Slice").unwrap().clone();
    def.base = Some("Site".into());
    assert_eq!(
        told(&[&def]),
        ["! model Slice: in the core it inherits from XOSBase, in this program from Site"]
    );
    let truth = Schema::new(core_models()).unwrap();
    assert_eq!(truth.models().len(), WORLD.remote.schema.models().len());
}
