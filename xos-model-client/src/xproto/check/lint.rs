//! The rules of `xosgenx --lint`: what is not allowed is an error.

use std::collections::HashSet;

use super::Checker;
use crate::xproto::document::{Field, Link, LinkKind, Message, Modifier, Place, Setting};
use crate::xproto::fault::{Rule, Severity};
use crate::xproto::value::Value;

/// Options that every field may have.
const COMMON: &[&str] = &[
    "bookkeeping_state",
    "feedback_state",
    "gui_hidden",
    "help_text",
    "modifier",
    "tosca_key",
    "tosca_key_one_of",
    "unique",
    "unique_with",
];
const TEXT: &[&str] =
    &["blank", "choices", "content_type", "db_index", "default", "max_length", "null", "text"];
const DATE: &[&str] = &["auto_now_add", "blank", "content_type", "db_index", "default", "max_length", "null"];
const INTEGER: &[&str] = &["blank", "db_index", "default", "max_value", "min_value", "null"];
const FLOAT: &[&str] = &["blank", "db_index", "default", "null"];
const LINK: &[&str] = &["blank", "db_index", "default", "model", "null", "port"];
/// Options that are `True` or `False`.
const BOOLS: &[&str] = &[
    "blank",
    "bookkeeping_state",
    "db_index",
    "feedback_state",
    "gui_hidden",
    "null",
    "text",
    "tosca_key",
    "unique",
];

/// A field or link that is checked.
struct At<'a> {
    message: &'a str,
    name: &'a str,
    kind: &'a str,
    place: Place,
    modifier: Modifier,
    options: &'a [Setting],
}

impl At<'_> {
    /// The value of an option; the first of several counts.
    fn get(&self, name: &str) -> Option<String> {
        let option = self.options.iter().find(|option| option.name == name)?;
        Some(option.value.to_string())
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "True")
    }
}

impl Checker<'_> {
    pub(super) fn lint_field(&mut self, message: &Message, field: &Field) {
        let at = At {
            message: &message.name,
            name: &field.name,
            kind: &field.kind,
            place: field.place,
            modifier: field.modifier,
            options: &field.options,
        };
        match field.kind.as_str() {
            "string" => self.string(&at),
            "int32" | "uint32" => {
                self.modifier(&at);
                self.allowed(&at, INTEGER);
                if at.is_true("blank") && !at.is_true("null") {
                    self.style(
                        &at,
                        "If blank is true then null must also be true: add `null = True`".to_owned(),
                    );
                }
            }
            "float" => {
                self.modifier(&at);
                self.allowed(&at, FLOAT);
            }
            "bool" => {
                self.modifier(&at);
                self.allowed(&at, &["db_index", "default", "null"]);
                for (option, values) in [("default", &["True", "False"][..]), ("null", &["False"])] {
                    if let Some(value) = at.get(option)
                        && !values.contains(&value.as_str())
                    {
                        self.not_allowed(&at, option, &value);
                    }
                }
            }
            other => {
                let help = format!(
                    "Unknown field type {other}; the types are string, int32, uint32, float and bool"
                );
                self.refuse(at.message, Some(at.name), at.place, help);
            }
        }
    }

    pub(super) fn lint_link(&mut self, message: &Message, link: &Link) {
        let at = At {
            message: &message.name,
            name: &link.name,
            kind: link.kind.as_str(),
            place: link.place,
            modifier: link.modifier,
            options: &link.options,
        };
        if link.kind == LinkKind::OneToOne {
            self.style(&at, "Unknown link_type onetoone; write manytoone or manytomany".to_owned());
            return;
        }
        self.modifier(&at);
        self.allowed(&at, LINK);
    }

    fn string(&mut self, at: &At<'_>) {
        let content = at.get("content_type");
        self.modifier(at);
        if content.as_deref() == Some("\"date\"") {
            self.allowed(at, DATE);
            return;
        }
        self.allowed(at, TEXT);
        match content.as_deref() {
            None => {
                if !at.is_true("text") && at.get("max_length").is_none() {
                    self.style(at, "String field should have a max_length or text=True".to_owned());
                }
            }
            Some("\"stripped\"" | "\"url\"" | "\"ip\"") => {}
            Some(other) => {
                let help = format!(
                    "Content type {other} is not allowed; write \"stripped\", \"date\", \"url\" or \"ip\", in quotes"
                );
                self.refuse(at.message, Some(at.name), at.place, help);
            }
        }
        let Some(option) = at.options.iter().find(|option| option.name == "max_length") else { return };
        let number = match &option.value {
            Value::Number(number) => number.as_int(),
            _ => None,
        };
        match number {
            None => {
                let help = format!("max_length must be a number, found {}", option.value);
                self.refuse(at.message, Some(at.name), option.place, help);
            }
            Some(0) => self.style(at, "max_length should not be zero".to_owned()),
            Some(length) => {
                for usual in [256, 1024] {
                    if (1..3).contains(&length.abs_diff(usual)) {
                        let help = format!(
                            "max_length of {length} is close to suggested max_length of {usual}; is it meant?"
                        );
                        let place = (at.message, Some(at.name), option.place);
                        self.add((Severity::Warning, Rule::Lint), place, help);
                    }
                }
            }
        }
    }

    fn style(&mut self, at: &At<'_>, message: String) {
        self.add((Severity::Error, Rule::Lint), (at.message, Some(at.name), at.place), message);
    }

    fn not_allowed(&mut self, at: &At<'_>, name: &str, value: &str) {
        self.style(at, format!("Option {name}={value} is not allowed at a field of type {}", at.kind));
    }

    fn allowed(&mut self, at: &At<'_>, allowed: &[&str]) {
        let mut seen = HashSet::new();
        for Setting { name, value, .. } in at.options {
            let name = name.as_str();
            if !seen.insert(name) {
                continue;
            }
            if !COMMON.contains(&name) && !allowed.contains(&name) {
                self.not_allowed(at, name, &value.to_string());
            }
            if BOOLS.contains(&name) && !matches!(value.to_string().as_str(), "True" | "False") {
                self.style(at, format!("Option `{name}` must be either True or False, but is '{value}'"));
            }
        }
    }

    /// `null` and `blank` follow from the modifier, and must say the same when they are written.
    fn modifier(&mut self, at: &At<'_>) {
        let expected = match at.modifier {
            Modifier::Required => "False",
            Modifier::Optional => "True",
            Modifier::Repeated => {
                self.style(at, "Unknown modifier type 'repeated'; write required or optional".to_owned());
                return;
            }
        };
        let has_null = at.modifier != Modifier::Optional || at.kind != "bool";
        for (option, checked) in [("blank", true), ("null", has_null)] {
            if let Some(value) = at.get(option)
                && checked
                && value != expected
            {
                let modifier = at.modifier.as_str();
                let help = format!(
                    "Option `{option}`=`{value}` is inconsistent with modifier `{modifier}`: write {expected} or leave \
                     it out"
                );
                self.style(at, help);
            }
        }
    }
}
