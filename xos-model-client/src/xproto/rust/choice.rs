//! Choices as enums.

use std::collections::{HashMap, HashSet};

use super::names::{Names, camel_case, value_of};
use super::{attribute, docs, line};
use crate::model::{ChoiceDef, DefaultValue, FieldDef, ModelDef, Presence};

/// The longest value that a variant may have.
const LONGEST: usize = 1024;

/// The enums of a document.
#[derive(Default)]
pub(super) struct Choices {
    all: Vec<Enum>,
    /// Where those made for fields of a name stand.
    by_field: HashMap<String, Vec<usize>>,
    written: usize,
}

/// One enum.
#[derive(Clone)]
pub(super) struct Enum {
    name: String,
    /// The field that it was made for.
    field: String,
    choices: Vec<ChoiceDef>,
}

impl Choices {
    /// The name of the enum for the choices of a field; fields of one name and the same choices share it. `None` when
    /// no enum can say the choices.
    pub(super) fn of(&mut self, model: &ModelDef, field: &FieldDef, names: &mut Names) -> Option<String> {
        if !field.kind.is_text() || !can_be_enum(field) {
            return None;
        }
        let of_name = self.by_field.entry(field.name.to_string()).or_default();
        let mut known = of_name.iter().filter_map(|at| self.all.get(*at));
        if let Some(known) = known.find(|known| *known.choices == *field.choices) {
            return Some(known.name.clone());
        }
        of_name.push(self.all.len());
        let short = camel_case(&field.name);
        let name = if names.is_taken(&short) {
            names.free(&format!("{}{short}", names.model(&model.name)), "Choice")
        } else {
            names.free(&short, "Choice")
        };
        self.all.push(Enum {
            name: name.clone(),
            field: field.name.to_string(),
            choices: field.choices.to_vec(),
        });
        Some(name)
    }

    /// Those that were not taken before.
    pub(super) fn take_new(&mut self) -> Vec<Enum> {
        let new = self.all.get(self.written..).unwrap_or_default().to_vec();
        self.written = self.all.len();
        new
    }
}

/// Whether each choice can be a variant, `None` the label of no value, and the default one of them.
fn can_be_enum(field: &FieldDef) -> bool {
    let longest = field.max_length.map_or(LONGEST, |length| LONGEST.min(length as usize));
    let mut values = HashSet::new();
    let mut is_any = false;
    for (at, choice) in field.choices.iter().enumerate() {
        let fits = match choice.value.as_deref() {
            Some(value) => !value.is_empty() && value.len() <= longest && value.is_ascii(),
            // The derive puts it first, and only where there may be no value.
            None => at == 0 && field.presence == Presence::Optional,
        };
        if !fits || choice.label.is_empty() || !choice.label.is_ascii() || !values.insert(&choice.value) {
            return false;
        }
        is_any |= choice.value.is_some();
    }
    // The derive wants the default to be one of them.
    let default = match &field.default {
        Some(DefaultValue::Text(text)) => Some(text),
        _ => None,
    };
    is_any
        && default.is_none_or(|text| field.choices.iter().any(|choice| choice.value.as_ref() == Some(text)))
}

impl Enum {
    /// As Rust.
    pub(super) fn write(&self, crate_attribute: Option<String>) -> String {
        let mut out = String::new();
        docs(&mut out, 0, &format!("The values of `{}`.", self.field));
        line(&mut out, 0, "#[derive(XosChoice, Clone, Debug, PartialEq)]");
        let none = self.choices.iter().find(|choice| choice.value.is_none());
        let none = none.map(|choice| format!("none = {:?}", choice.label));
        let attributes: Vec<String> = none.into_iter().chain(crate_attribute).collect();
        if !attributes.is_empty() {
            attribute(&mut out, 0, &attributes);
        }
        line(&mut out, 0, &format!("pub enum {} {{", self.name));
        let mut taken = HashSet::from(["Self".to_owned()]);
        for choice in &self.choices {
            let Some(value) = choice.value.as_deref() else { continue };
            let variant = free(&camel_case(value), &mut taken);
            let mut attributes = Vec::new();
            if value_of(&variant).as_deref() != Some(value) {
                attributes.push(format!("value = {value:?}"));
            }
            if choice.label != variant {
                attributes.push(format!("label = {:?}", choice.label));
            }
            if !attributes.is_empty() {
                attribute(&mut out, 1, &attributes);
            }
            line(&mut out, 1, &format!("{variant},"));
        }
        docs(&mut out, 1, "A value that this program does not know");
        let other = free(if taken.contains("Other") { "Unknown" } else { "Other" }, &mut taken);
        line(&mut out, 1, &format!("{other}(String),"));
        line(&mut out, 0, "}");
        out
    }
}

/// A variant that the enum does not have yet.
fn free(name: &str, taken: &mut HashSet<String>) -> String {
    let mut found = name.to_owned();
    let mut count = 2;
    while !taken.insert(found.clone()) {
        found = format!("{name}{count}");
        count += 1;
    }
    found
}
