//! Names, numbers and options that the core's generator, Python or Django do not accept.

use std::collections::HashMap;

use super::{Chain, Checker, Level};
use crate::xproto::choices;
use crate::xproto::document::{Message, Part, Place, Setting};
use crate::xproto::value::{Number, Value};

/// Words of Python 2.
const PYTHON: &[&str] = &[
    "None", "and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "exec", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or", "pass",
    "print", "raise", "return", "try", "while", "with", "yield",
];
/// What every model of Django has already.
const DJANGO: &[&str] = &["check", "clean", "delete", "full_clean", "id", "objects", "pk", "save"];

impl<'a> Checker<'a> {
    pub(super) fn model_name(&mut self, message: &Message) {
        let name = message.name.as_str();
        if let Some(problem) = python_name(name) {
            self.refuse(name, None, message.place, problem);
        }
    }

    pub(super) fn own_number(&mut self, (message, field): (&Message, &str), number: &Number, place: Place) {
        if !number.as_int().is_some_and(|int| (1..=99).contains(&int)) {
            let help = format!("Only field numbers from 1 to 99 are permitted, found {number}");
            self.refuse(&message.name, Some(field), place, help);
        }
    }

    /// What one field alone cannot show: two of one number or name, and names of bases.
    pub(super) fn numbers_and_names(&mut self, message: &'a Message) {
        let chain = match self.chain(message) {
            Chain::Ends(chain) => chain,
            Chain::Circle | Chain::Long => Vec::new(),
        };
        let (mut numbers, mut names) = (HashMap::new(), HashMap::new());
        for part in &message.parts {
            let (name, number, place) = match part {
                Part::Field(field) => (field.name.as_str(), &field.number, field.place),
                Part::Link(link) => (link.name.as_str(), &link.number, link.place),
                _ => continue,
            };
            let (of, field) = (message.name.as_str(), Some(name));
            if let Some(number) = number.as_int()
                && let Some(twin) = numbers.insert(number, name)
            {
                self.refuse(of, field, place, format!("number {number} is used by `{twin}` already"));
            }
            if names.insert(name, place).is_some() {
                self.refuse(of, field, place, "two fields have this name; give one of them another");
            } else if let Some(problem) = field_name(name) {
                self.refuse(of, field, place, problem);
            } else if let Some(level) = chain.iter().find(|level| self.has(**level, name)).copied() {
                let help =
                    format!("its base `{}` has a field of this name; give this one another", level.name());
                self.refuse(of, field, place, help);
            }
            if let Part::Link(_) = part {
                let column = format!("{name}_id");
                if self.has(Level::Own(message), &column) {
                    let help =
                        format!("its column is called `{column}`, and so is another field; rename one");
                    self.refuse(of, field, place, help);
                }
            }
        }
        for part in &message.parts {
            let (name, options) = match part {
                Part::Field(field) => (field.name.as_str(), &field.options),
                Part::Link(link) => (link.name.as_str(), &link.options),
                _ => continue,
            };
            for option in options
                .iter()
                .filter(|option| option.name == "unique_with" || option.name == "tosca_key_one_of")
            {
                for other in option.value.as_text().unwrap_or_default().split(',') {
                    if !names.contains_key(other) {
                        let help = format!(
                            "`{}` names `{other}`, which is no field of this message; names have commas between \
                             them, without spaces",
                            option.name
                        );
                        self.refuse(&message.name, Some(name), option.place, help);
                    }
                }
            }
        }
    }

    /// Values of options on which the generator, or what it makes, fails.
    pub(super) fn options(&mut self, (message, field): (&Message, &str), options: &[Setting], kind: &str) {
        let (of, field) = (message.name.as_str(), Some(field));
        let is_date = options.iter().any(|option| {
            option.name == "content_type" && option.value.as_text().is_some_and(|content| content == "date")
        });
        for Setting { name, value, place } in options {
            match (name.as_str(), value) {
                ("choices", Value::Text(text)) => {
                    if let Err(problem) = choices::read(text.raw()) {
                        self.refuse(of, field, *place, problem);
                    }
                }
                ("choices", _) => {
                    let help = format!("choices are a text with a Python tuple, found {value}");
                    self.refuse(of, field, *place, help);
                }
                ("feedback_state" | "bookkeeping_state" | "gui_hidden" | "text", _)
                    if value.as_bool() == Some(false) =>
                {
                    let help = format!("the core's generator takes `{name} = {value}` as true; leave it out");
                    self.doubt(of, field, *place, help);
                }
                ("default", Value::Text(text))
                    if text.raw().ends_with("()") && !(is_date && text.raw() == "now()") =>
                {
                    let help = format!(
                        "the default {value} ends with `()`, so the core calls a function of that name"
                    );
                    self.doubt(of, field, *place, help);
                }
                ("default", Value::Name(function))
                    if !matches!(function.as_str(), "None" | "True" | "False" | "get_first_site") =>
                {
                    let help = format!(
                        "the default `{function}` is a name, and the core knows `get_first_site` only; write a text in \
                         double quotes"
                    );
                    self.refuse(of, field, *place, help);
                }
                (_, Value::True | Value::False) => {
                    let help =
                        format!("`{name} = {value}`: Python has `True` and `False` only, with a capital");
                    self.refuse(of, field, *place, help);
                }
                ("default", Value::Text(_)) if matches!(kind, "int32" | "uint32" | "float" | "bool") => {
                    let help = format!(
                        "the default {value} is a text, but the field a {kind}; write it without quotes"
                    );
                    self.doubt(of, field, *place, help);
                }
                _ => {}
            }
        }
    }
}

/// Why Python does not accept a name.
fn python_name(name: &str) -> Option<String> {
    if PYTHON.contains(&name) {
        return Some(format!(
            "`{name}` is a word of Python, in which the core is written; give it another name"
        ));
    }
    let found = name.chars().find(|char| !char.is_ascii_alphanumeric() && *char != '_')?;
    Some(format!("a name has letters, digits and underscores only, found `{found}`"))
}

/// Why Django or Python do not accept the name of a field.
fn field_name(name: &str) -> Option<String> {
    if DJANGO.contains(&name) {
        return Some(format!("every model has `{name}` already; give this field another name"));
    }
    if name.contains("__") || name.ends_with('_') {
        let help = "the name of a field has no `__` in it and no `_` at its end: Django uses them for paths";
        return Some(help.to_owned());
    }
    python_name(name)
}
