//! From definitions to xproto text.

use std::borrow::Cow;
use std::collections::HashSet;

use super::choices;
use super::document::{
    Document, Field, File, Item, Link, LinkKind, Message, Modifier, Part, Place, Policy, Setting,
};
use super::fault::{Finding, Findings, Rule, Severity};
use super::token::KEYWORDS;
use super::value::{Number, Quoted, Value};
use crate::model::{DefaultValue, FieldDef, Kind, LinkDef, ModelDef, Presence};

/// Where the description of a model is written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Describe {
    /// As a comment before the message, which no core sees. A description that no comment can hold becomes an option.
    #[default]
    InComment,
    /// As `option description`, which a core shows in its GUI.
    InOption,
}

/// What [`write()`] needs to know besides the models.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// The policies that the models name, and those that these call, in this order.
    pub policies: Vec<Policy>,
    /// Where descriptions go.
    pub describe: Describe,
}

/// The xproto text of these models.
///
/// The file's options `name` and `app_label` are the `app_label` of the first model; a model with another one says so
/// itself. Each field says what its definition says, and `null`, `db_index` and `blank` always, where the generator's
/// validator allows them: `null` and `blank` follow from required or optional. At a link `db_index` is left out when it
/// is not asked for, since the core has an index on links of its own accord.
///
/// The text is ASCII. The same models give the same text.
///
/// # Errors
///
/// What xproto cannot say: names that are words of xproto, texts that are not ASCII, numbers that are not finite.
///
/// # Examples
///
/// ```
/// use xos_model_client::models::Service;
/// use xos_model_client::{Model, XosModel, xproto};
///
/// /// Says hello to everybody.
/// #[derive(XosModel, Clone, Debug)]
/// #[xos(app_label = "hello-world", crate = xos_model_client)]
/// pub struct HelloWorldService {
///     #[xos(base)]
///     pub service: Service,
///     /// The name of who is saying hello
///     #[xos(number = 1)]
///     pub hello_from: String,
/// }
///
/// let text = xproto::write([HelloWorldService::def()], &Default::default())?;
/// assert_eq!(
///     text,
///     r#"option name = "hello-world";
/// option app_label = "hello-world";
///
/// // Says hello to everybody.
/// message HelloWorldService (Service) {
///     required string hello_from = 1 [help_text = "The name of who is saying hello", null = False, db_index = False, blank = False];
/// }
/// "#
/// );
/// # Ok::<(), xproto::Findings>(())
/// ```
pub fn write<'a>(
    models: impl IntoIterator<Item = &'a ModelDef>,
    options: &WriteOptions,
) -> Result<String, Findings> {
    let models: Vec<&ModelDef> = models.into_iter().collect();
    let mut faults = Vec::new();
    for model in &models {
        check(model, &mut faults);
    }
    if !faults.is_empty() {
        return Err(Findings(faults));
    }
    let text = document(&models, options).to_string();
    verify(&text, &models)?;
    Ok(text)
}

fn document(models: &[&ModelDef], options: &WriteOptions) -> Document {
    let label = models.first().map_or("", |model| model.app_label.as_ref());
    let mut items: Vec<Item> = Vec::new();
    if !label.is_empty() {
        items.extend(labels(label).map(Item::Option));
    }
    items.extend(options.policies.iter().cloned().map(Item::Policy));
    items.extend(models.iter().map(|model| Item::Message(message(model, label, options.describe))));
    Document { files: vec![File::new("", items)] }
}

fn labels(label: &str) -> impl Iterator<Item = Setting> {
    ["name", "app_label"].map(|name| Setting::new(name, Value::text(label))).into_iter()
}

fn message(model: &ModelDef, label: &str, describe: Describe) -> Message {
    let in_comment = describe == Describe::InComment && fits_comment(&model.help);
    let mut parts = Vec::new();
    let mut option = |name: &str, value: Option<Value>| {
        parts.extend(value.map(|value| Part::Option(Setting::new(name, value))));
    };
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(Value::text);
    option("owner_class_name", text(&model.owner_class));
    option("verbose_name", text(&model.verbose_name));
    option("plural", text(&model.plural));
    option("abstract", model.is_abstract.then(|| Value::bool(true)));
    option("custom_python", model.custom_python.then(|| Value::bool(true)));
    let validators: Vec<String> =
        model.validators.iter().map(|check| format!("{}:{}", check.policy, check.message)).collect();
    option("validators", (!validators.is_empty()).then(|| Value::text(&validators.join(", "))));
    option("description", (!in_comment && !model.help.is_empty()).then(|| Value::text(&model.help)));
    if model.app_label != label {
        parts.extend(labels(&model.app_label).map(Part::Option));
    }
    parts.extend(model.fields.iter().filter(|field| !field.is_id()).map(|field| match &field.link {
        Some(link) => Part::Link(write_link(field, link)),
        None => Part::Field(write_field(field)),
    }));
    Message {
        name: model.name.to_string(),
        policy: model.policy.as_deref().map(str::to_owned),
        bases: model.base.iter().map(ToString::to_string).collect(),
        parts,
        comment: if in_comment { model.help.to_string() } else { String::new() },
        place: Place::default(),
    }
}

/// Whether a comment gives back this text: words with one space between them.
fn fits_comment(text: &str) -> bool {
    !text.is_empty()
        && text.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn modifier(field: &FieldDef) -> Modifier {
    match field.presence {
        Presence::Required => Modifier::Required,
        Presence::Optional => Modifier::Optional,
    }
}

fn write_field(field: &FieldDef) -> Field {
    let kind = match field.kind {
        Kind::Int32 | Kind::Link | Kind::Links => "int32",
        Kind::UInt32 => "uint32",
        Kind::Bool => "bool",
        Kind::Float => "float",
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip | Kind::Date => "string",
    };
    Field {
        modifier: modifier(field),
        kind: kind.to_owned(),
        name: field.name.to_string(),
        policy: None,
        number: Number::from(i64::from(field.number)),
        options: settings(field),
        place: Place::default(),
    }
}

fn write_link(field: &FieldDef, link: &LinkDef) -> Link {
    // Without a name for the way back, the core's generator fails; `+` is the one for none.
    let reverse = link.reverse.as_deref().filter(|name| *name != "_");
    let number = link.reverse_number.filter(|_| reverse.is_some());
    Link {
        modifier: modifier(field),
        kind: if field.kind == Kind::Links { LinkKind::ManyToMany } else { LinkKind::ManyToOne },
        name: field.name.to_string(),
        policy: None,
        target: link.target.to_string(),
        through: None,
        reverse: Some(reverse.unwrap_or("+").to_owned()),
        number: Number::from(i64::from(field.number)),
        reverse_number: number.map(|number| Number::from(i64::from(number))),
        options: settings(field),
        place: Place::default(),
    }
}

/// What stands in the brackets of a field.
fn settings(field: &FieldDef) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut set =
        |name: &str, value: Option<Value>| settings.extend(value.map(|value| Setting::new(name, value)));
    let flag = |flag: bool| flag.then(|| Value::bool(true));
    set("help_text", (!field.help.is_empty()).then(|| Value::text(&field.help)));
    set("default", field.default.as_ref().map(|value| default(field, value)));
    set("max_length", field.max_length.map(|length| Value::Number(Number::from(i64::from(length)))));
    set("text", flag(field.text));
    set("secret", flag(field.secret));
    let content = match field.kind {
        Kind::Stripped => Some("stripped"),
        Kind::Url => Some("url"),
        Kind::Ip => Some("ip"),
        Kind::Date => Some("date"),
        _ => None,
    };
    set("content_type", content.map(Value::text));
    if !field.choices.is_empty() {
        set("choices", Quoted::from_raw(&choices::write(&field.choices)).map(Value::Text));
    }
    set("unique", flag(field.unique));
    set("unique_with", (!field.unique_with.is_empty()).then(|| Value::text(&field.unique_with.join(","))));
    set("auto_now_add", flag(field.auto_now_add));
    set("feedback_state", flag(field.feedback));
    set("bookkeeping_state", flag(field.bookkeeping));
    set("gui_hidden", flag(field.gui_hidden));
    set("tosca_key", flag(field.tosca_key));
    set("tosca_key_one_of", field.tosca_key_one_of.as_deref().map(Value::text));
    let optional = field.presence == Presence::Optional;
    let (null, index, blank) = match field.kind {
        Kind::Bool => ((!optional).then_some(false), true, false),
        Kind::Link => (Some(optional), field.db_index, true),
        Kind::Links => (None, field.db_index, true),
        _ => (Some(optional), true, true),
    };
    set("null", null.map(Value::bool));
    set("db_index", index.then(|| Value::bool(field.db_index)));
    set("blank", blank.then(|| Value::bool(optional)));
    settings
}

fn default(field: &FieldDef, default: &DefaultValue) -> Value {
    match default {
        DefaultValue::Null => Value::Name("None".to_owned()),
        DefaultValue::Text(text) => Value::text(text),
        DefaultValue::Int(int) => Value::Number(Number::from(*int)),
        DefaultValue::Bool(bool) => Value::bool(*bool),
        // Floats print without an exponent, as xproto needs them. `check` has refused the others.
        DefaultValue::Float(float) => {
            Value::Number(Number::parse(&float.to_string()).unwrap_or_else(|| Number::from(0)))
        }
        DefaultValue::Now => Value::text("now()"),
        DefaultValue::First => {
            let target = field.link.as_ref().map_or("", |link| link.target.as_ref());
            Value::Name(format!("get_first_{}", target.to_ascii_lowercase()))
        }
    }
}

fn fault(model: &ModelDef, field: Option<&FieldDef>, message: String) -> Finding {
    Finding {
        severity: Severity::Error,
        rule: Rule::Core,
        file: String::new(),
        place: Place::default(),
        of: model.name.to_string(),
        field: field.map(|field| field.name.to_string()),
        message,
    }
}

/// What xproto cannot say of a model.
fn check(model: &ModelDef, faults: &mut Vec<Finding>) {
    let mut add = |field: Option<&FieldDef>, message: String| faults.push(fault(model, field, message));
    let names = [Some(&model.name), model.base.as_ref(), model.owner_class.as_ref(), model.policy.as_ref()];
    for name in names.into_iter().flatten() {
        if let Some(problem) = no_name(name) {
            add(None, problem);
        }
    }
    let texts =
        [Some(&model.help), Some(&model.app_label), model.plural.as_ref(), model.verbose_name.as_ref()];
    for problem in texts.into_iter().flatten().filter_map(|text| not_ascii(text)) {
        add(None, problem);
    }
    for check in model.validators.iter() {
        for (text, signs) in [(&check.policy, ",:"), (&check.message, ",:")] {
            if let Some(found) = text.chars().find(|char| signs.contains(*char)) {
                add(
                    None,
                    format!("the validator `{text}` cannot have a `{found}`, which separates validators"),
                );
            }
            if let Some(problem) = not_ascii(text) {
                add(None, problem);
            }
        }
    }
    for field in model.fields.iter().filter(|field| !field.is_id()) {
        let target = field.link.as_ref().map(|link| link.target.as_ref());
        let reverse = field.link.as_ref().and_then(|link| link.reverse.as_deref());
        for name in [Some(field.name.as_ref()), target, reverse].into_iter().flatten() {
            if let Some(problem) = no_name(name) {
                add(Some(field), problem);
            }
        }
        let choices = field.choices.iter().flat_map(|choice| [choice.value.as_ref(), Some(&choice.label)]);
        let default = match &field.default {
            Some(DefaultValue::Text(text)) => Some(text),
            Some(DefaultValue::Float(float)) if !float.is_finite() => {
                add(Some(field), format!("the default {float} cannot be written in xproto"));
                None
            }
            _ => None,
        };
        for problem in [Some(&field.help), default, field.tosca_key_one_of.as_ref()]
            .into_iter()
            .chain(choices)
            .flatten()
            .chain(field.unique_with.iter())
            .filter_map(|text| not_ascii(text))
        {
            add(Some(field), problem);
        }
        if field.default == Some(DefaultValue::First) && target != Some("Site") {
            add(
                Some(field),
                "a core finds the first Site only; give the link another default, or none".to_owned(),
            );
        }
        if let Some(text) = default.filter(|text| text.ends_with("()")) {
            add(
                Some(field),
                format!("the default `{text}` ends with `()`, so the core would call a function"),
            );
        }
    }
}

/// Why this cannot be a name in xproto.
fn no_name(name: &str) -> Option<String> {
    if KEYWORDS.binary_search(&name).is_ok() && !matches!(name, "message" | "max") {
        return Some(format!("`{name}` is a word of xproto, so it cannot be a name; give it another"));
    }
    let ok = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty();
    (!ok).then(|| format!("`{name}` is no name: a name has letters, digits and underscores, a letter first"))
}

fn not_ascii(text: &str) -> Option<String> {
    let found = text.chars().find(|char| !char.is_ascii())?;
    Some(format!("xproto is ASCII only, found `{found}` in \"{text}\"; rewrite it"))
}

/// The text says what the models say, or nothing of it is given away.
fn verify(text: &str, models: &[&ModelDef]) -> Result<(), Findings> {
    let first = |problem: String| {
        let mut finding = fault(models.first().copied().unwrap_or(&EMPTY), None, problem);
        finding.rule = Rule::Sdk;
        Findings(vec![finding])
    };
    let document = super::parse("written.xproto", text).map_err(|errors| first(errors.to_string()))?;
    let known: HashSet<&str> = models
        .iter()
        .flat_map(|model| [Some(&model.name), model.base.as_ref()])
        .flatten()
        .map(AsRef::as_ref)
        .collect();
    let read = document.models_knowing(&known)?;
    let mut faults = Vec::new();
    for (model, read) in models.iter().zip(&read) {
        let meant = normal(model);
        if meant == *read {
            continue;
        }
        let different = meant.fields.iter().zip(read.fields.iter()).find(|(meant, read)| meant != read);
        let mut finding = fault(
            model,
            different.map(|(field, _)| field),
            "its definition cannot be said in xproto".to_owned(),
        );
        if let Some((meant, read)) = different {
            finding.message = format!("its definition {meant:?} would come back as {read:?}");
        }
        finding.rule = Rule::Sdk;
        faults.push(finding);
    }
    if faults.is_empty() { Ok(()) } else { Err(Findings(faults)) }
}

/// A definition as it comes back from the text.
fn normal(model: &ModelDef) -> ModelDef {
    let mut fields: Vec<FieldDef> = model.fields.iter().filter(|field| !field.is_id()).cloned().collect();
    if model.base.is_none() {
        fields.insert(0, super::models::id());
    }
    for field in &mut fields {
        if let Some(link) = &mut field.link {
            link.reverse = link.reverse.take().filter(|name| name != "_");
            link.reverse_number = link.reverse_number.filter(|_| link.reverse.is_some());
        }
    }
    ModelDef { fields: fields.into(), ..model.clone() }
}

static EMPTY: ModelDef = ModelDef {
    name: Cow::Borrowed(""),
    app_label: Cow::Borrowed(""),
    version: Cow::Borrowed(""),
    base: None,
    owner_class: None,
    is_abstract: false,
    plural: None,
    verbose_name: None,
    policy: None,
    validators: Cow::Borrowed(&[]),
    custom_python: false,
    fields: Cow::Borrowed(&[]),
    help: Cow::Borrowed(""),
    needs: &[],
};
