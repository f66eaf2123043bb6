//! What two cores say of their models, side by side: by name, and not as one text.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use xos_model_client::xproto::{self, Document, Message, Part, Setting};
use xos_model_client::{FieldDef, ModelDef};

use super::compare::{shown, told};
use super::formulas::policies;

/// Texts that explain.
const WORDS: [&str; 3] = ["hint", "description", "help"];

/// What differs between two answers of `ListModelDefs`: models, fields, validators and choices by their names, relations
/// in any order.
pub fn model_defs(theirs: &DynamicMessage, ours: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    message("", theirs, ours, &mut found);
    found
}

fn message(path: &str, theirs: &DynamicMessage, ours: &DynamicMessage, found: &mut Vec<String>) {
    for field in theirs.descriptor().fields() {
        let at = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        let (there, here) = (theirs.get_field(&field), ours.get_field(&field));
        match (&*there, &*here) {
            (Value::String(there), Value::String(here)) if WORDS.contains(&field.name()) => {
                words(&at, there, here, found);
            }
            (Value::List(there), Value::List(here)) if matches!(field.kind(), Kind::Message(_)) => {
                list(&at, there, here, found);
            }
            (Value::Message(there), Value::Message(here))
                if theirs.has_field(&field) == ours.has_field(&field) =>
            {
                message(&at, there, here, found);
            }
            _ if theirs.has_field(&field) != ours.has_field(&field) => {
                let is_there = |there: bool, value: &Value| {
                    if there { shown(&told(value, field.name())) } else { "nothing".to_owned() }
                };
                let there = is_there(theirs.has_field(&field), &there);
                found.push(format!("{at}: there {there}, here {}", is_there(ours.has_field(&field), &here)));
            }
            (there, here) => different(&at, &told(there, field.name()), &told(here, field.name()), found),
        }
    }
    if ours.unknown_fields().next().is_some() {
        found.push(format!("{path}: a field that there is none of there"));
    }
}

/// Lists of messages: with names, each with the one of its name; without, as sets.
fn list(at: &str, theirs: &[Value], ours: &[Value], found: &mut Vec<String>) {
    let items = |list: &[Value]| -> Vec<(String, DynamicMessage)> {
        let messages = list.iter().filter_map(Value::as_message);
        messages.map(|message| (key(message), message.clone())).collect()
    };
    let (there, here) = (items(theirs), items(ours));
    for (key, theirs) in &there {
        match here.iter().find(|(other, _)| other == key) {
            Some((_, ours)) => message(&format!("{at}[{key}]"), theirs, ours, found),
            None => found.push(format!("{at}: without {key}")),
        }
    }
    for (key, _) in here.iter().filter(|(key, _)| !there.iter().any(|(other, _)| other == key)) {
        found.push(format!("{at}: with {key}"));
    }
    let count = |all: &[(String, DynamicMessage)]| all.len().to_string();
    different(&format!("{at}.length"), &count(&there), &count(&here), found);
}

fn key(message: &DynamicMessage) -> String {
    let text = |name: &str| Some(message.get_field_by_name(name)?.as_str()?.to_owned());
    // A choice has an id; a relation has no name of its own.
    text("name").or_else(|| text("id")).unwrap_or_else(|| {
        let descriptor = message.descriptor();
        let all: Vec<String> =
            descriptor.fields().map(|field| told(&message.get_field(&field), field.name())).collect();
        all.join(" ")
    })
}

/// Whether there are words; which they are is a core's own.
fn words(at: &str, theirs: &str, ours: &str, found: &mut Vec<String>) {
    if ours.is_empty() {
        different(at, theirs, "", found);
    } else if theirs != ours {
        found.push(format!("{at}: other words"));
    }
}

fn different(at: &str, theirs: &str, ours: &str, found: &mut Vec<String>) {
    if theirs != ours {
        found.push(format!("{at}: there {}, here {}", shown(theirs), shown(ours)));
    }
}

/// What differs between two texts of xproto: the models and the policies by their names, with everything that a
/// definition says; and each option of theirs that no definition has a place for.
pub fn xprotos(theirs: &str, ours: &str) -> Vec<String> {
    let read = |text: &str| {
        let document = xproto::parse("core.xproto", text).map_err(|errors| errors.to_string())?;
        let models = document.models().map_err(|findings| findings.to_string())?;
        Ok::<_, String>((document, models))
    };
    let ((there, their_models), (here, our_models)) = match (read(theirs), read(ours)) {
        (Ok(there), Ok(here)) => (there, here),
        (Err(error), _) => return vec![format!("xproto: theirs cannot be read: {}", shown(&error))],
        (_, Err(error)) => return vec![format!("xproto: ours cannot be read: {}", shown(&error))],
    };
    let mut found = Vec::new();
    found.extend(policies(&there, &here));
    let parts = |models: &[ModelDef]| -> BTreeMap<String, BTreeMap<String, String>> {
        models.iter().map(|model| (model.name.to_string(), parts(model))).collect()
    };
    let (their_parts, our_parts) = (parts(&their_models), parts(&our_models));
    let names = |parts: &BTreeMap<String, BTreeMap<String, String>>| {
        parts.keys().map(|name| (name.clone(), String::new())).collect()
    };
    named("xproto", &names(&their_parts), &names(&our_parts), &mut found);
    for (name, theirs) in &their_parts {
        if let Some(ours) = our_parts.get(name) {
            named(&format!("xproto.{name}"), theirs, ours, &mut found);
        }
    }
    let (their_options, our_options) = (options(&there), options(&here));
    let only = |one: &Options, other: &Options, which: &str| -> Vec<String> {
        let missing = |(name, of): (&String, &BTreeSet<String>)| {
            let of: Vec<&str> = match other.get(name) {
                Some(other) => of.difference(other).map(String::as_str).collect(),
                None => of.iter().map(String::as_str).collect(),
            };
            (!of.is_empty()).then(|| format!("xproto.option: {which} {name} of {}", of.join(", ")))
        };
        one.iter().filter_map(missing).collect()
    };
    found.extend(only(&their_options, &our_options, "without"));
    found.extend(only(&our_options, &their_options, "with"));
    found
}

fn named(
    at: &str,
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    found: &mut Vec<String>,
) {
    for (name, there) in theirs {
        match ours.get(name) {
            Some(here) if WORDS.contains(&name.rsplit('.').next().unwrap_or_default()) => {
                words(&format!("{at}.{name}"), there, here, found);
            }
            Some(here) => different(&format!("{at}.{name}"), there, here, found),
            None => found.push(format!("{at}: without {name}")),
        }
    }
    found.extend(
        ours.keys().filter(|name| !theirs.contains_key(*name)).map(|name| format!("{at}: with {name}")),
    );
}

/// What a definition says, each part by its name; those of a field after the field's.
fn parts(model: &ModelDef) -> BTreeMap<String, String> {
    let ModelDef {
        name,
        app_label,
        version,
        base,
        owner_class,
        is_abstract,
        plural,
        verbose_name,
        policy,
        validators,
        custom_python,
        fields,
        help,
        needs: _,
    } = model;
    let mut parts = BTreeMap::new();
    for (name, value) in [
        ("app_label", format!("{app_label:?}")),
        ("version", format!("{version:?}")),
        ("base", format!("{base:?}")),
        ("owner_class", format!("{owner_class:?}")),
        ("is_abstract", format!("{is_abstract:?}")),
        ("plural", plural.as_deref().map_or_else(|| format!("{name}s"), str::to_owned)),
        ("verbose_name", format!("{verbose_name:?}")),
        ("policy", format!("{policy:?}")),
        ("validators", format!("{validators:?}")),
        ("custom_python", format!("{custom_python:?}")),
        ("help", help.to_string()),
    ] {
        parts.insert(name.to_owned(), value);
    }
    for field in fields.iter() {
        for (name, value) in field_parts(field) {
            parts.insert(format!("{}.{name}", field.name), value);
        }
    }
    parts
}

fn field_parts(field: &FieldDef) -> [(&'static str, String); 20] {
    let FieldDef {
        name: _,
        number,
        kind,
        presence,
        max_length,
        text,
        secret,
        default,
        choices,
        unique,
        unique_with,
        db_index,
        feedback,
        bookkeeping,
        gui_hidden,
        auto_now_add,
        tosca_key,
        tosca_key_one_of,
        link,
        help,
    } = field;
    [
        ("number", format!("{number:?}")),
        ("kind", format!("{kind:?}")),
        ("presence", format!("{presence:?}")),
        ("max_length", format!("{max_length:?}")),
        ("text", format!("{text:?}")),
        ("secret", format!("{secret:?}")),
        ("default", format!("{default:?}")),
        ("choices", format!("{choices:?}")),
        ("unique", format!("{unique:?}")),
        ("unique_with", format!("{unique_with:?}")),
        ("db_index", format!("{db_index:?}")),
        ("feedback", format!("{feedback:?}")),
        ("bookkeeping", format!("{bookkeeping:?}")),
        ("gui_hidden", format!("{gui_hidden:?}")),
        ("auto_now_add", format!("{auto_now_add:?}")),
        ("tosca_key", format!("{tosca_key:?}")),
        ("tosca_key_one_of", format!("{tosca_key_one_of:?}")),
        ("reverse", format!("{:?}", link.as_ref().map(|link| (&link.reverse, link.reverse_number)))),
        ("target", format!("{:?}", link.as_ref().map(|link| &link.target))),
        ("help", help.to_string()),
    ]
}

/// What a definition says already, or what follows from `required` and `optional` in ours.
const DEFINED: [&str; 26] = [
    "abstract",
    "app_label",
    "auto_now_add",
    "blank",
    "bookkeeping_state",
    "choices",
    "content_type",
    "custom_python",
    "db_index",
    "default",
    "description",
    "feedback_state",
    "gui_hidden",
    "help_text",
    "legacy",
    "max_length",
    "null",
    "owner_class_name",
    "plural",
    "text",
    "tosca_key",
    "tosca_key_one_of",
    "unique",
    "unique_with",
    "validators",
    "verbose_name",
];

/// Options by their names, each with what it is an option of.
type Options = BTreeMap<String, BTreeSet<String>>;

/// The options that no definition has a place for, and the bases that are no models.
fn options(document: &Document) -> Options {
    let mut all = Options::new();
    let models: BTreeSet<&str> = document.messages().map(|message| message.name.as_str()).collect();
    for Message { name, bases, parts, .. } in document.messages() {
        let mut add = |of: String, setting: &Setting| {
            if !DEFINED.contains(&setting.name.as_str()) {
                all.entry(setting.name.clone()).or_default().insert(of);
            }
        };
        for part in parts {
            let (of, settings) = match part {
                Part::Option(setting) => {
                    add(name.clone(), setting);
                    continue;
                }
                Part::Field(field) => (&field.name, &field.options),
                Part::Link(link) => (&link.name, &link.options),
                _ => continue,
            };
            for setting in settings {
                add(format!("{name}.{of}"), setting);
            }
        }
        for base in bases.iter().filter(|base| !models.contains(base.as_str())) {
            all.entry(format!("base {base}")).or_default().insert(name.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        option app_label = "a";
        policy mine < ctx.user.is_admin >
        message A::mine (XOSBase) {
            option skip_init = True;
            required string b = 1 [max_length = 9, min_value = 3, help_text = "one"];
            optional manytoone c->Site:as = 2:1001 [null = True];
        }
        message XOSBase { option abstract = True; }
        message Site (XOSBase) {}
    "#;

    #[test]
    fn texts_that_mean_the_same_do_not_differ() {
        let other = ONE.replace("null = True", "blank = True").replace("9, min", "9,\n  min");
        assert_eq!(xprotos(ONE, &other), Vec::<String>::new());
    }

    #[test]
    fn each_difference_has_the_name_of_what_differs() {
        let different = |from: &str, to: &str| xprotos(ONE, &ONE.replace(from, to));
        for (from, to, expected) in [
            ("max_length = 9", "max_length = 8", "xproto.A.b.max_length: there Some(9), here Some(8)"),
            ("\"one\"", "\"two\"", "xproto.A.b.help: other words"),
            (", help_text = \"one\"", "", "xproto.A.b.help: there one, here "),
            ("c->Site", "c->A", "xproto.A.c.target: there Some(\"Site\"), here Some(\"A\")"),
            ("option skip_init = True;", "", "xproto.option: without skip_init of A"),
            ("min_value = 3, ", "", "xproto.option: without min_value of A.b"),
            ("A::mine", "A", "xproto.A.policy: there Some(\"mine\"), here None"),
            ("required string b", "required string d", "xproto.A: with d.auto_now_add"),
            ("message Site (XOSBase) {}", "", "xproto: without Site"),
            ("policy mine < ctx.user.is_admin >", "", "xproto.policy: without mine"),
        ] {
            let found = different(from, to);
            assert!(found.iter().any(|it| it == expected), "{expected}: {found:#?}");
        }
        assert!(different("= 2:1001", "= 2:1002")[0].starts_with("xproto.A.c.reverse: there"));
        assert!(
            different("ctx.user.is_admin", "ctx.user.is_active")[0].starts_with("xproto.policy.mine: there")
        );
        assert!(xprotos(ONE, "message {")[0].starts_with("xproto: ours cannot be read"));
    }
}
