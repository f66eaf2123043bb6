//! Protobuf files as a core generates them, written here and compiled by an independent compiler.
#![allow(dead_code, reason = "not every program that takes this in needs all of it")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use xos_model_client::grpc::__codec::RemoteSchema;
use xos_model_client::{Kind, ModelDef, ModelInfo, Presence, Schema};

/// What every core's file begins with.
const HEAD: &str = r#"
syntax = "proto3";
package xos;
import "google/protobuf/empty.proto";
import "google/protobuf/descriptor.proto";

message ValRule { int32 maxLength = 1; bool nonNull = 2; bool unique = 3; }
message ForeignKeyRule { string modelName = 1; string reverseFieldName = 2; }
message ReverseForeignKeyRule { string modelName = 1; }
message ManyToManyForeignKeyRule { string modelName = 1; }
extend google.protobuf.FieldOptions {
  ValRule val = 1001;
  ForeignKeyRule foreignKey = 1002;
  ReverseForeignKeyRule reverseForeignKey = 1003;
  ManyToManyForeignKeyRule manyToManyForeignKey = 1004;
  bool guiHidden = 1005;
  bool feedbackState = 1006;
  bool bookkeepingState = 1007;
}
extend google.protobuf.MessageOptions { string contentTypeId = 1001; }

message ID { int32 id = 1; }
message QueryElement {
  enum QueryOperator {
    EQUAL = 0; GREATER_THAN = 1; LESS_THAN = 2; GREATER_THAN_OR_EQUAL = 3; LESS_THAN_OR_EQUAL = 4;
    IEXACT = 5; CONTAINS = 6; ICONTAINS = 7; REGEX = 8; IREGEX = 9;
  }
  QueryOperator operator = 1;
  bool invert = 2;
  string name = 3;
  oneof value { string sValue = 4; int32 iValue = 5; }
}
message Query {
  enum QueryKind {
    DEFAULT = 0; ALL = 1; SYNCHRONIZER_DIRTY_OBJECTS = 2; SYNCHRONIZER_DELETED_OBJECTS = 3;
    SYNCHRONIZER_DIRTY_POLICIES = 4; SYNCHRONIZER_DELETED_POLICIES = 5;
  }
  QueryKind kind = 1;
  repeated QueryElement elements = 2;
}
"#;

/// What `XOSBase` gives to every model.
pub(crate) const BASE: &str = r"
  oneof id_present { int32 id = 1; }
  oneof updated_present { double updated = 3 [(bookkeepingState) = true]; }
  oneof enacted_present { double enacted = 4 [(bookkeepingState) = true]; }
  oneof backend_register_present { string backend_register = 6 [(val).maxLength = 1024, (feedbackState) = true]; }
  oneof backend_status_present { string backend_status = 9 [(val).maxLength = 1024, (feedbackState) = true]; }
  oneof deleted_present { bool deleted = 11 [(bookkeepingState) = true]; }
  oneof leaf_model_name_present { string leaf_model_name = 18 [(val).maxLength = 1024, (bookkeepingState) = true]; }
";

/// A file with these models: name, plural, fields.
pub(crate) fn file(models: &[(&str, &str, String)]) -> String {
    let mut text = HEAD.to_owned();
    let mut calls = String::new();
    for (name, plural, fields) in models {
        write!(
            text,
            "message {name} {{\n{fields}\n  string class_names = 2046;\n  string self_content_type_id = 2047;\n}}\n\
             message {plural} {{ repeated {name} items = 1; }}\n"
        )
        .unwrap();
        write!(
            calls,
            "  rpc List{name}(google.protobuf.Empty) returns ({plural}) {{}}\n\
             \x20 rpc Filter{name}(Query) returns ({plural}) {{}}\n\
             \x20 rpc Get{name}(ID) returns ({name}) {{}}\n\
             \x20 rpc Create{name}({name}) returns ({name}) {{}}\n\
             \x20 rpc Update{name}({name}) returns ({name}) {{}}\n\
             \x20 rpc Delete{name}(ID) returns (google.protobuf.Empty) {{}}\n"
        )
        .unwrap();
    }
    write!(text, "service xos {{\n{calls}}}\n").unwrap();
    text
}

/// The file that a core with the models of a schema has.
pub(crate) fn file_of(schema: &Schema) -> String {
    let models = schema.models().iter().filter(|model| !model.def.is_abstract && !model.name().is_empty());
    let models: Vec<(String, String, String)> = models
        .map(|model| (model.name().to_string(), model.plural.clone(), fields_of(schema, model)))
        .collect();
    let models: Vec<(&str, &str, String)> = models
        .iter()
        .map(|(name, plural, fields)| (name.as_str(), plural.as_str(), fields.clone()))
        .collect();
    file(&models)
}

fn fields_of(schema: &Schema, model: &ModelInfo) -> String {
    let mut text =
        format!("  option (contentTypeId) = \"{}.{}\";\n", model.def.app_label, model.name().to_lowercase());
    for field in &model.fields {
        let (name, number) = (&field.def.name, field.wire_number);
        let mut options = Vec::new();
        if let Some(length) = field.def.max_length {
            options.push(format!("(val).maxLength = {length}"));
        }
        // The core says it only where the author wrote `null = False`; so do half of ours.
        if field.def.presence == Presence::Required && number % 2 == 0 {
            options.push("(val).nonNull = true".to_owned());
        }
        for (option, is_set) in [
            ("guiHidden", field.def.gui_hidden),
            ("feedbackState", field.def.feedback),
            ("bookkeepingState", field.def.bookkeeping),
        ] {
            if is_set {
                options.push(format!("({option}) = true"));
            }
        }
        let link = field.def.link.as_ref();
        let target = link.map(|link| link.target.to_string()).unwrap_or_default();
        let back = link.and_then(|link| link.reverse.clone()).unwrap_or_default();
        let (proto, suffix) = match field.def.kind {
            Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => ("string", ""),
            Kind::Int32 => ("int32", ""),
            Kind::UInt32 => ("uint32", ""),
            Kind::Bool => ("bool", ""),
            Kind::Float => ("float", ""),
            Kind::Date => ("double", ""),
            Kind::Link => {
                options.push(format!("(foreignKey).modelName = \"{target}\""));
                if !back.is_empty() {
                    options.push(format!("(foreignKey).reverseFieldName = \"{back}\""));
                }
                ("int32", "_id")
            }
            Kind::Links => {
                options.push(format!("(manyToManyForeignKey).modelName = \"{target}\""));
                ("int32", "_ids")
            }
        };
        let options = if options.is_empty() { String::new() } else { format!(" [{}]", options.join(", ")) };
        if field.def.kind == Kind::Links {
            writeln!(text, "  repeated {proto} {name}{suffix} = {number}{options};").unwrap();
        } else {
            writeln!(text, "  oneof {name}_present {{ {proto} {name}{suffix} = {number}{options}; }}")
                .unwrap();
        }
    }
    for level in &model.chain {
        for link in &schema.by_id(*level).unwrap().reverse {
            let from = schema.by_id(link.from).unwrap().name();
            writeln!(
                text,
                "  repeated int32 {}_ids = {} [(reverseForeignKey).modelName = \"{from}\"];",
                link.name, link.wire_number
            )
            .unwrap();
        }
    }
    text
}

struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "xos.proto" {
            File::from_source(name, &self.0)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

/// The descriptor set of a file, with what it imports.
pub(crate) fn compile(text: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Source(text.to_owned()));
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file("xos.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// The answer of `GetSchema` with a descriptor set.
pub(crate) fn answer(set: &[u8]) -> Vec<u8> {
    fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        out.push(number << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(set).unwrap();
    let mut file = Vec::new();
    put(&mut file, 1, b"xos.proto");
    put(&mut file, 2, b"text");
    put(&mut file, 3, &encoder.finish().unwrap());
    let mut answer = Vec::new();
    put(&mut answer, 1, &file);
    answer
}

/// The models of a file, as we read them and as the independent library does.
pub(crate) fn read(text: &str, known: &[&ModelDef]) -> (Arc<RemoteSchema>, DescriptorPool) {
    let set = compile(text);
    let remote = RemoteSchema::read(&answer(&set), known, None).unwrap();
    (Arc::new(remote), DescriptorPool::decode(set.as_slice()).unwrap())
}
