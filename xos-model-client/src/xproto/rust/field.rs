//! Fields as fields of structs.

use std::collections::HashSet;

use super::names::{identifier, snake_case};
use super::{Writer, attribute, docs, line};
use crate::model::{DefaultValue, FieldDef, Kind, ModelDef, Presence};
use crate::xproto::document::{Message, Part, Setting};

/// A field, ready to be written.
pub(super) struct Field {
    /// Its name in Rust.
    pub(super) ident: String,
    help: String,
    /// What the derive has no word for.
    comments: Vec<String>,
    attributes: Vec<String>,
    kind: String,
}

impl Field {
    pub(super) fn write(&self, out: &mut String) {
        docs(out, 1, &self.help);
        for comment in &self.comments {
            line(out, 1, &format!("// xproto also says: {comment}"));
        }
        attribute(out, 1, &self.attributes);
        line(out, 1, &format!("pub {}: {},", self.ident, self.kind));
    }
}

impl Writer<'_> {
    /// The fields of a model, by names that none of them and no inherited one has.
    pub(super) fn fields(
        &mut self,
        model: &ModelDef,
        message: &Message,
        inherited: &HashSet<String>,
    ) -> Vec<Field> {
        let mut taken = inherited.clone();
        let mut fields = Vec::new();
        for field in model.fields.iter().filter(|field| !field.is_id()) {
            let snake = snake_case(&field.name);
            let mut name = snake.clone();
            let mut count = 2;
            while !taken.insert(name.clone()) {
                name = format!("{snake}_{count}");
                count += 1;
            }
            fields.push(self.field(model, field, &name, message));
        }
        fields
    }

    fn field(&mut self, model: &ModelDef, field: &FieldDef, name: &str, message: &Message) -> Field {
        let ident = identifier(name);
        let mut comments = not_said(message, field);
        let (mut kind, is_enum) = self.kind(model, field);
        if !is_enum && !field.choices.is_empty() {
            comments.push(format!("choices = \"{}\"", crate::xproto::choices::write(&field.choices)));
        }
        if field.presence == Presence::Optional && field.kind != Kind::Links {
            kind = format!("Option<{kind}>");
        }
        if field.presence == Presence::Required && field.kind == Kind::Links {
            comments.push("required".to_owned());
        }
        let wire_name =
            (ident.trim_start_matches("r#") != field.name).then(|| format!("name = {:?}", field.name));
        let mut attributes = vec![format!("number = {}", field.number)];
        attributes.extend(wire_name);
        attributes.extend(values(field, &mut comments));
        Field { ident, help: field.help.to_string(), comments, attributes, kind }
    }

    /// The type, without an `Option`, and whether it is an enum.
    fn kind(&mut self, model: &ModelDef, field: &FieldDef) -> (String, bool) {
        let plain = match field.kind {
            Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip if field.secret => {
                self.used.insert("Secret");
                "Secret"
            }
            Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => {
                let choices = self.choices.of(model, field, &mut self.names);
                let is_enum = choices.is_some();
                return (choices.unwrap_or_else(|| "String".to_owned()), is_enum);
            }
            Kind::Int32 => "i32",
            Kind::UInt32 => "u32",
            Kind::Bool => "bool",
            Kind::Float => "f32",
            Kind::Date => {
                self.used.insert("Timestamp");
                "Timestamp"
            }
            Kind::Link | Kind::Links => {
                let name = if field.kind == Kind::Link { "Link" } else { "Links" };
                self.used.insert(name);
                let target = field.link.as_ref().map_or("", |link| link.target.as_ref());
                return (format!("{name}<{}>", self.model_type(target)), false);
            }
        };
        (plain.to_owned(), false)
    }
}

/// What stands in `#[xos(..)]` behind number and name.
fn values(field: &FieldDef, comments: &mut Vec<String>) -> Vec<String> {
    let mut values = Vec::new();
    let is_string = field.kind.is_text() || field.kind == Kind::Date;
    if let Some(length) = field.max_length {
        if is_string && (1..=i32::MAX.cast_unsigned()).contains(&length) {
            values.push(format!("max_length = {length}"));
        } else {
            comments.push(format!("max_length = {length}"));
        }
    }
    let mut flag = |name: &str, is_set: bool| values.extend(is_set.then(|| name.to_owned()));
    flag("text", field.text && field.kind.is_text() && field.max_length.is_none());
    flag("stripped", field.kind == Kind::Stripped);
    flag("url", field.kind == Kind::Url);
    flag("ip", field.kind == Kind::Ip);
    if field.text && (!field.kind.is_text() || field.max_length.is_some()) {
        comments.push("text = True".to_owned());
    }
    if let Some(default) = &field.default {
        if field.auto_now_add {
            comments.push("default, which `auto_now_add` gives too".to_owned());
        } else if *default == DefaultValue::Null && field.presence == Presence::Required {
            comments.push("default = None, at a required field".to_owned());
        } else {
            values.push(format!("default = {}", written(default)));
        }
    }
    let mut flag = |name: &str, is_set: bool| values.extend(is_set.then(|| name.to_owned()));
    flag("unique", field.unique);
    match &*field.unique_with {
        [] => {}
        [one] => values.push(format!("unique_with = {one:?}")),
        several => {
            let names: Vec<String> = several.iter().map(|name| format!("{name:?}")).collect();
            values.push(format!("unique_with({})", names.join(", ")));
        }
    }
    let mut flag = |name: &str, is_set: bool| values.extend(is_set.then(|| name.to_owned()));
    flag("index", field.db_index);
    flag("feedback", field.feedback);
    flag("bookkeeping", field.bookkeeping && !field.feedback);
    flag("gui_hidden", field.gui_hidden);
    flag("auto_now_add", field.auto_now_add && field.kind == Kind::Date);
    flag("tosca_key", field.tosca_key);
    if field.bookkeeping && field.feedback {
        comments.push("bookkeeping_state = True".to_owned());
    }
    match &field.tosca_key_one_of {
        Some(other) if !field.tosca_key => values.push(format!("tosca_key_one_of = {other:?}")),
        Some(other) => comments.push(format!("tosca_key_one_of = {other}")),
        None => {}
    }
    if let Some(link) = &field.link {
        values.extend(link.reverse.as_ref().map(|reverse| format!("reverse = {reverse:?}")));
        values.extend(link.reverse_number.map(|number| format!("reverse_number = {number}")));
    }
    values
}

fn written(default: &DefaultValue) -> String {
    match default {
        DefaultValue::Null => "none".to_owned(),
        DefaultValue::Text(text) => format!("{text:?}"),
        DefaultValue::Int(int) => int.to_string(),
        DefaultValue::Bool(bool) => bool.to_string(),
        // With a point, so that it is a float for Rust too.
        DefaultValue::Float(float) => format!("{float:?}"),
        DefaultValue::Now => "now".to_owned(),
        DefaultValue::First => "first".to_owned(),
    }
}

/// The options of a field that definitions have no place for.
fn not_said(message: &Message, field: &FieldDef) -> Vec<String> {
    const SAID: &[&str] = &[
        "auto_now_add",
        "blank",
        "bookkeeping_state",
        "choices",
        "content_type",
        "db_index",
        "default",
        "feedback_state",
        "gui_hidden",
        "help_text",
        "max_length",
        "null",
        "secret",
        "text",
        "tosca_key",
        "tosca_key_one_of",
        "unique",
        "unique_with",
    ];
    let options = message.parts.iter().find_map(|part| match part {
        Part::Field(found) if found.name == field.name => Some(&found.options),
        Part::Link(found) if found.name == field.name => Some(&found.options),
        _ => None,
    });
    let unsaid = |option: &&Setting| !SAID.contains(&option.name.as_str());
    options
        .into_iter()
        .flatten()
        .filter(unsaid)
        .map(|option| format!("{} = {}", option.name, option.value))
        .collect()
}
