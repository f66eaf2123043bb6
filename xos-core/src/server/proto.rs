//! The models of a schema as the protobuf text that a core serves.

mod names;

use std::fmt::Write as _;

use xos_model_client::{FieldInfo, Kind, ModelInfo, Schema};

pub use self::names::{
    class_names, content_type, declared_class, is_declared_apart, self_content_type, served, wire_name,
};

/// The number of `class_names` in each message.
pub(super) const CLASS_NAMES: u16 = 2046;

/// The number of `self_content_type_id` in each message.
pub(super) const SELF_CONTENT_TYPE_ID: u16 = 2047;

/// What is before the messages. Each field is in a `oneof` of its own, so that it is known whether it was sent.
const HEAD: &str = r#"syntax = "proto3";

package xos;

import "google/protobuf/empty.proto";
import "google/api/annotations.proto";
import "common.proto";
import "xosoptions.proto";
"#;

/// `xos.proto`: a message for each model and one for its plural, and the service `xos` with their operations.
pub fn xos_proto(schema: &Schema) -> String {
    let mut text = String::from(HEAD);
    let mut models: Vec<&ModelInfo> = served(schema).collect();
    models.sort_by_key(|model| model.name().clone());
    for model in &models {
        message(&mut text, schema, model);
    }
    text.push_str("\nservice xos {\n");
    for model in &models {
        operations(&mut text, model);
    }
    text.push_str("}\n");
    text
}

/// The operations of a model, each but the filter with its place for clients of REST.
fn operations(text: &mut String, model: &ModelInfo) {
    let (name, plural) = (model.name().as_ref(), model.plural.as_str());
    let all = format!("/xosapi/v1/{}/{}", model.def.app_label, plural.to_ascii_lowercase());
    let one = format!("{all}/{{id}}");
    let empty = "google.protobuf.Empty";
    for (word, takes, gives, verb, path) in [
        ("List", empty, plural, "get", &all),
        ("Filter", "Query", plural, "", &all),
        ("Get", "ID", name, "get", &one),
        ("Create", name, name, "post", &all),
        ("Update", name, name, "put", &one),
        ("Delete", "ID", empty, "delete", &one),
    ] {
        let _ = write!(text, "  rpc {word}{name}({takes}) returns ({gives})");
        if verb.is_empty() {
            text.push_str(";\n");
            continue;
        }
        let body = if matches!(verb, "post" | "put") { "      body: \"*\"\n" } else { "" };
        let _ = write!(
            text,
            " {{\n    option (google.api.http) = {{\n      {verb}: \"{path}\"\n{body}    }};\n  }}\n"
        );
    }
}

fn message(text: &mut String, schema: &Schema, model: &ModelInfo) {
    let _ = write!(
        text,
        "\nmessage {} {{\n  option (contentTypeId) = \"{}\";\n",
        model.name(),
        content_type(model)
    );
    for field in &model.fields {
        one_field(text, schema, field);
    }
    for level in model.chain.iter().filter_map(|id| schema.by_id(*id)) {
        for reverse in &level.reverse {
            let from = schema.by_id(reverse.from).map_or("", |from| from.name().as_ref());
            let _ = writeln!(
                text,
                "  repeated int32 {}_ids = {} [(reverseForeignKey).modelName = \"{from}\"];",
                reverse.name, reverse.wire_number
            );
        }
    }
    let _ = write!(
        text,
        "  string class_names = {CLASS_NAMES} [(bookkeepingState) = true];\n  string self_content_type_id = {SELF_CONTENT_TYPE_ID} [(bookkeepingState) = true];\n}}\n\n\
         message {} {{\n  repeated {} items = 1;\n}}\n",
        model.plural,
        model.name()
    );
}

fn one_field(text: &mut String, schema: &Schema, field: &FieldInfo) {
    let (name, number) = (wire_name(field), field.wire_number);
    let target =
        field.target.and_then(|target| schema.by_id(target)).map_or("", |model| model.name().as_ref());
    if field.def.kind == Kind::Links {
        let _ = writeln!(
            text,
            "  repeated int32 {name} = {number} [(manyToManyForeignKey).modelName = \"{target}\"];"
        );
        return;
    }
    let options = options(field, target);
    let options = if options.is_empty() { options } else { format!(" [{options}]") };
    let _ = writeln!(
        text,
        "  oneof {}_present {{\n    {} {name} = {number}{options};\n  }}",
        field.def.name,
        proto_type(field.def.kind)
    );
}

/// What a kind of field is on the wire.
fn proto_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => "string",
        Kind::UInt32 => "uint32",
        Kind::Bool => "bool",
        Kind::Float => "float",
        Kind::Date => "double",
        Kind::Int32 | Kind::Link | Kind::Links => "int32",
    }
}

fn options(field: &FieldInfo, target: &str) -> String {
    let mut options = Vec::new();
    let def = &field.def;
    if let Some(longest) = def.max_length {
        options.push(format!("(val).maxLength = {longest}"));
    }
    if def.gui_hidden {
        options.push("(guiHidden) = true".to_owned());
    }
    if def.feedback {
        options.push("(feedbackState) = true".to_owned());
    }
    if def.bookkeeping {
        options.push("(bookkeepingState) = true".to_owned());
    }
    if let Some(link) = &def.link {
        options.push(format!("(foreignKey).modelName = \"{target}\""));
        if let Some(reverse) = link.reverse.as_deref().filter(|reverse| *reverse != "_") {
            options.push(format!("(foreignKey).reverseFieldName = \"{reverse}\""));
        }
    }
    options.join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
