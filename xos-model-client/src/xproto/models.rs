//! From a document to the definitions of its models.

mod field;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::document::{Document, Message, Part, Place, Scope, Setting};
use super::fault::{Finding, Findings, Rule, Severity};
use crate::model::{FieldDef, Kind, ModelDef, Presence, ValidatorDef};
use crate::models::core_models;

/// Python classes that models inherit from and that are no models.
pub(super) const MIXINS: &[&str] = &["AbstractBaseUser", "AttributeMixin", "PlModelMixIn"];

/// The last name of a dotted one: in a core, models have no packages.
pub(super) fn last_name(dotted: &str) -> &str {
    dotted.rsplit('.').next().unwrap_or(dotted)
}

impl Document {
    /// The definitions of all models, in order.
    ///
    /// A definition has what the derive knows of a model. Options that it has no place for are left out: `null` and
    /// `blank` (which follow from `required` and `optional`), `min_value` and `max_value`, `singular`, `kind`,
    /// `sync_implemented` and others that only the GUI uses. A model without base, such as `XOSBase`, gets the field
    /// `id` that the core gives it. Where there is no `description`, the comment directly before the message is taken.
    ///
    /// # Errors
    ///
    /// Everything that no definition can say: types that XOS does not have, wrong numbers, unknown bases.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_model_client::{Kind, xproto};
    ///
    /// let document = xproto::parse("a.xproto", r#"
    ///     option app_label = "volt";
    ///     message ONUDevice (XOSBase) {
    ///         option plural = "ONUDevices";
    ///         required string serial_number = 1 [max_length = 256, tosca_key = True, unique = True];
    ///         optional manytoone service->Service:onus = 2:1001 [db_index = True];
    ///     }
    /// "#)?;
    /// let models = document.models().unwrap();
    /// assert_eq!(models[0].plural.as_deref(), Some("ONUDevices"));
    /// assert_eq!(models[0].fields[1].kind, Kind::Link);
    /// # Ok::<(), xproto::SyntaxErrors>(())
    /// ```
    pub fn models(&self) -> Result<Vec<ModelDef>, Findings> {
        self.models_knowing(&HashSet::new())
    }

    /// As [`models`](Document::models), where bases may also be models that the core has from other services.
    ///
    /// # Errors
    ///
    /// As [`models`](Document::models).
    pub fn models_against<'a>(
        &self,
        known: impl IntoIterator<Item = &'a ModelDef>,
    ) -> Result<Vec<ModelDef>, Findings> {
        self.models_knowing(&known.into_iter().map(|model| model.name.as_ref()).collect())
    }

    pub(super) fn models_knowing(&self, more: &HashSet<&str>) -> Result<Vec<ModelDef>, Findings> {
        let scope = self.scope();
        let mut known: HashSet<&str> = core_models().map(|model| model.name.as_ref()).collect();
        known.extend(more);
        known.extend(self.messages().map(|message| message.name.as_str()));
        let mut faults = Faults { document: self, found: Vec::new() };
        let models: Vec<ModelDef> =
            scope.messages.iter().map(|message| model(&scope, *message, &known, &mut faults)).collect();
        if faults.found.is_empty() { Ok(models) } else { Err(Findings(faults.found)) }
    }
}

/// What is wrong, as it is found.
pub(super) struct Faults<'a> {
    pub(super) document: &'a Document,
    pub(super) found: Vec<Finding>,
}

impl Faults<'_> {
    /// Notes an error about a model or one of its fields.
    fn add(&mut self, message: &Message, field: Option<(&str, Place)>, problem: impl Into<String>) {
        let place = field.map_or(message.place, |(_, place)| place);
        self.found.push(Finding {
            severity: Severity::Error,
            rule: Rule::Sdk,
            file: self.document.file_name(place),
            place,
            of: message.name.clone(),
            field: field.map(|(name, _)| name.to_owned()),
            message: problem.into(),
        });
    }
}

impl Document {
    /// The name of the file that a place is in.
    pub(super) fn file_name(&self, place: Place) -> String {
        self.files.get(place.file as usize).map(|file| file.name.clone()).unwrap_or_default()
    }
}

fn text(option: Option<&Setting>) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(option?.value.as_text()?.into_owned()))
}

fn truth(option: Option<&Setting>) -> bool {
    option.and_then(|option| option.value.as_bool()).unwrap_or(false)
}

fn model<'a>(
    scope: &Scope<'a>,
    at: (usize, &'a Message),
    known: &HashSet<&str>,
    faults: &mut Faults<'_>,
) -> ModelDef {
    let message = at.1;
    let option = |name: &str| scope.option(at, name);
    let mut bases = Vec::new();
    for base in message.bases.iter().map(|base| last_name(base)) {
        if known.contains(base) {
            bases.push(base);
        } else if !MIXINS.contains(&base) {
            faults.add(
                message,
                None,
                format!("its base `{base}` is no model of the core, and none of this text"),
            );
        }
    }
    if bases.len() > 1 {
        faults.add(message, None, format!("a model has one base, found `{}`", bases.join("`, `")));
    }
    let base = bases.first().map(|base| Cow::Owned((*base).to_owned()));
    let app_label = text(option("app_label").or_else(|| option("name"))).unwrap_or_else(|| {
        faults.add(
            message,
            None,
            "has no app_label; write `option app_label = \"service-name\";` at the top",
        );
        Cow::Borrowed("")
    });
    let description = text(option("description"));
    let mut fields = Vec::new();
    if base.is_none() {
        fields.push(id());
    }
    for part in &message.parts {
        let field = match part {
            Part::Field(field) => field::field(message, field, faults),
            Part::Link(link) => field::link(message, link, faults),
            _ => continue,
        };
        fields.extend(field);
    }
    unique_numbers(message, &fields, faults);
    ModelDef {
        name: Cow::Owned(message.name.clone()),
        app_label,
        version: Cow::Borrowed(""),
        base,
        owner_class: text(option("owner_class_name")),
        is_abstract: truth(option("abstract")),
        plural: text(option("plural")),
        verbose_name: text(option("verbose_name")),
        policy: message.policy.clone().map(Cow::Owned),
        validators: Cow::Owned(validators(message, option("validators"), faults)),
        custom_python: truth(option("custom_python").or_else(|| option("legacy"))),
        fields: Cow::Owned(fields),
        help: description.unwrap_or_else(|| Cow::Owned(message.comment.clone())),
        needs: &[],
    }
}

fn unique_numbers(message: &Message, fields: &[FieldDef], faults: &mut Faults<'_>) {
    let (mut numbers, mut names) = (HashMap::new(), HashSet::new());
    for field in fields {
        if let Some(twin) = numbers.insert(field.number, &field.name) {
            let place = (field.name.as_ref(), place_of(message, &field.name));
            faults.add(message, Some(place), format!("number {} is used by `{twin}` already", field.number));
        }
        if !names.insert(&field.name) {
            let place = (field.name.as_ref(), place_of(message, &field.name));
            faults.add(message, Some(place), "two fields have this name; give one of them another");
        }
    }
}

fn place_of(message: &Message, name: &str) -> Place {
    let place = message.parts.iter().rev().find_map(|part| match part {
        Part::Field(field) if field.name == name => Some(field.place),
        Part::Link(link) if link.name == name => Some(link.place),
        _ => None,
    });
    place.unwrap_or(message.place)
}

/// The field that the core gives to each model without base.
pub(super) fn id() -> FieldDef {
    FieldDef { help: Cow::Borrowed("The id that the core gives it"), ..bare("id", 0, Kind::Int32) }
}

/// A required field with no options.
fn bare(name: &str, number: u16, kind: Kind) -> FieldDef {
    FieldDef {
        name: Cow::Owned(name.to_owned()),
        number,
        kind,
        presence: Presence::Required,
        max_length: None,
        text: false,
        default: None,
        choices: Cow::Borrowed(&[]),
        unique: false,
        unique_with: Cow::Borrowed(&[]),
        db_index: false,
        feedback: false,
        bookkeeping: false,
        gui_hidden: false,
        secret: false,
        auto_now_add: false,
        tosca_key: false,
        tosca_key_one_of: None,
        link: None,
        help: Cow::Borrowed(""),
    }
}

/// `policy:message, policy:message`.
fn validators(message: &Message, option: Option<&Setting>, faults: &mut Faults<'_>) -> Vec<ValidatorDef> {
    let Some(Cow::Owned(all)) = text(option) else { return Vec::new() };
    let mut validators = Vec::new();
    for one in all.split(',') {
        match one.split_once(':') {
            Some((policy, words)) if !words.contains(':') => validators.push(ValidatorDef {
                policy: Cow::Owned(policy.trim().to_owned()),
                message: Cow::Owned(words.trim().to_owned()),
            }),
            _ => faults.add(
                message,
                None,
                format!("validators are written `policy:message, policy:message`, found `{}`", one.trim()),
            ),
        }
    }
    validators
}
