//! The models of a schema as the protobuf text that a core serves.

use std::fmt::Write as _;

use xos_model_client::{FieldInfo, Kind, ModelInfo, Schema};

/// The number of `class_names` in each message.
pub const CLASS_NAMES: u32 = 2046;

/// The number of `self_content_type_id` in each message.
pub const SELF_CONTENT_TYPE_ID: u32 = 2047;

/// `xos.proto`: a message for each model and one for its plural, and the service `xos` with their operations.
pub fn xos_proto(schema: &Schema) -> String {
    let mut text = String::from(
        "syntax = \"proto3\";\n\npackage xos;\n\nimport \"google/protobuf/empty.proto\";\nimport \"common.proto\";\nimport \"xosoptions.proto\";\n",
    );
    let mut models: Vec<&ModelInfo> = served(schema).collect();
    models.sort_by_key(|model| model.name().clone());
    for model in &models {
        message(&mut text, schema, model);
    }
    text.push_str("\nservice xos {\n");
    for model in &models {
        let (name, plural) = (model.name(), &model.plural);
        let _ = write!(
            text,
            "  rpc List{name}(google.protobuf.Empty) returns ({plural});\n  rpc Filter{name}(Query) returns ({plural});\n  \
             rpc Get{name}(ID) returns ({name});\n  rpc Create{name}({name}) returns ({name});\n  \
             rpc Update{name}({name}) returns ({name});\n  rpc Delete{name}(ID) returns (google.protobuf.Empty);\n"
        );
    }
    text.push_str("}\n");
    text
}

/// The models that have objects, and so messages and operations.
pub fn served(schema: &Schema) -> impl Iterator<Item = &ModelInfo> {
    schema.models().iter().filter(|model| !model.def.is_abstract)
}

/// The name under which the framework of the core knows a model: `core.site` for `Site`.
pub fn content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, model.name().to_ascii_lowercase())
}

/// The name of a model's class in the core. The models of the core, and others with Python code of their own, are
/// generated under another name, and a class with that code inherits from it.
pub fn declared_class(model: &ModelInfo) -> String {
    let suffix = if is_declared_apart(model) { "_decl" } else { "" };
    format!("{}{suffix}", model.name())
}

/// What an object answers for itself: where its generated class is.
pub fn self_content_type(model: &ModelInfo) -> String {
    format!("{}.{}", model.def.app_label, declared_class(model).to_ascii_lowercase())
}

/// Whether a model's generated class has a name of its own.
pub fn is_declared_apart(model: &ModelInfo) -> bool {
    let is_of_core = model.def.app_label == "core" && model.def.base.is_some();
    !model.def.is_abstract && (model.def.custom_python || is_of_core)
}

/// The classes of the core that an object of the model is of, the most specific first: `Site,Site_decl,XOSBase`.
pub fn class_names(schema: &Schema, model: &ModelInfo) -> String {
    let mut names: Vec<String> = Vec::new();
    for model in model.chain.iter().rev().filter_map(|id| schema.by_id(*id)) {
        names.push(model.name().to_string());
        if is_declared_apart(model) {
            names.push(declared_class(model));
        }
    }
    names.join(",")
}

/// The name of a field on the wire: a link ends in `_id`, a list of links in `_ids`.
pub fn wire_name(field: &FieldInfo) -> String {
    match field.def.kind {
        Kind::Link => format!("{}_id", field.def.name),
        Kind::Links => format!("{}_ids", field.def.name),
        _ => field.def.name.to_string(),
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
