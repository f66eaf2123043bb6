//! The protobuf files of a core, compiled: what messages are made with, and the answer of `GetSchema`.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, Value};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use xos_model_client::Schema;

use super::proto::xos_proto;

/// The files that are the same in every core, in the order in which `GetSchema` tells them after `xos.proto`.
const FIXED: [(&str, &str); 6] = [
    ("xosoptions.proto", include_str!("protos/xosoptions.proto")),
    ("modeldefs.proto", include_str!("protos/modeldefs.proto")),
    ("dynamicload.proto", include_str!("protos/dynamicload.proto")),
    ("filetransfer.proto", include_str!("protos/filetransfer.proto")),
    ("utility.proto", include_str!("protos/utility.proto")),
    ("common.proto", include_str!("protos/common.proto")),
];

/// The file of `GetSchema` itself, which the core does not tell.
const SCHEMA: (&str, &str) = ("schema.proto", include_str!("protos/schema.proto"));

/// The compiled files of a core with certain models.
#[derive(Debug)]
pub struct Descriptors {
    pool: DescriptorPool,
    /// All files with what they import, as a `FileDescriptorSet`: what reflection tells.
    pub encoded: Vec<u8>,
    /// The answer of `GetSchema`.
    pub schema_answer: Bytes,
}

impl Descriptors {
    /// Compiles the files for these models. A second time in one process it is only looked up.
    ///
    /// # Errors
    ///
    /// What the compiler says: models whose names do not fit together in protobuf.
    pub fn of(schema: &Schema) -> Result<Arc<Self>, String> {
        static KNOWN: Mutex<Option<HashMap<String, Arc<Descriptors>>>> = Mutex::new(None);
        let text = xos_proto(schema);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(HashMap::new);
        if let Some(found) = known.get(&text) {
            return Ok(found.clone());
        }
        let compiled = Arc::new(compile(&text)?);
        known.insert(text, compiled.clone());
        Ok(compiled)
    }

    /// The message with this full name.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor, String> {
        self.pool.get_message_by_name(name).ok_or_else(|| format!("there is no message {name}"))
    }

    /// An empty message with this name in the package `xos`.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn new_message(&self, name: &str) -> Result<DynamicMessage, String> {
        self.message(&format!("xos.{name}")).map(DynamicMessage::new)
    }

    /// The request message of an operation, such as `/xos.utility/Login`; `None` when there is no such operation.
    pub fn request_of(&self, path: &str) -> Option<MessageDescriptor> {
        self.method(path).map(|method| method.input())
    }

    /// The message that an operation answers with.
    pub fn answer_of(&self, path: &str) -> Option<MessageDescriptor> {
        self.method(path).map(|method| method.output())
    }

    fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|found| found.name() == method)
    }
}

struct Files {
    /// The text of `xos.proto`. The compiler keeps its resolver, so the text is its own.
    xos: String,
}

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let fixed = FIXED.iter().chain([&SCHEMA]).find(|(fixed, _)| *fixed == name).map(|(_, text)| *text);
        match fixed.or((name == "xos.proto").then_some(self.xos.as_str())) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn compile(xos: &str) -> Result<Descriptors, String> {
    let names = || ["xos.proto"].into_iter().chain(FIXED.iter().map(|(name, _)| *name));
    let all = compiler(xos, names().chain([SCHEMA.0]), false)?;
    let encoded = all.encode_file_descriptor_set();
    // A pool made from bytes keeps the extensions of the options.
    let pool = DescriptorPool::decode(encoded.as_slice()).map_err(|error| error.to_string())?;
    let file = pool.get_message_by_name("schema.ProtoFile").ok_or("schema.proto has no ProtoFile")?;
    let mut files = Vec::new();
    for name in names() {
        let text = FIXED.iter().find(|(fixed, _)| *fixed == name).map_or(xos, |(_, text)| *text);
        let descriptor = compiler(xos, [name], true)?.encode_file_descriptor_set();
        let mut message = DynamicMessage::new(file.clone());
        message.set_field_by_name("file_name", Value::String(name.to_owned()));
        message.set_field_by_name("proto", Value::String(text.to_owned()));
        message.set_field_by_name("descriptor", Value::Bytes(zlib(&descriptor)?.into()));
        files.push(Value::Message(message));
    }
    let schemas = pool.get_message_by_name("schema.Schemas").ok_or("schema.proto has no Schemas")?;
    let mut answer = DynamicMessage::new(schemas);
    answer.set_field_by_name("protos", Value::List(files));
    Ok(Descriptors { schema_answer: answer.encode_to_vec().into(), pool, encoded })
}

fn compiler<'a>(
    xos: &str,
    names: impl IntoIterator<Item = &'a str>,
    source_info: bool,
) -> Result<protox::Compiler, String> {
    let told = |error: protox::Error| format!("xos.proto does not compile: {error}");
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Files { xos: xos.to_owned() });
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(source_info);
    for name in names {
        compiler.open_file(name).map_err(told)?;
    }
    Ok(compiler)
}

fn zlib(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| error.to_string())
}
