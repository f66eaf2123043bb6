//! The protobuf files of a core, compiled: what reflection tells, and the answer of `GetSchema`.

use std::collections::HashMap;
use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use xos_model_client::Schema;
use xos_model_client::grpc::__wire::{Reader, WireType, put_bytes, put_text};

use super::proto::xos_proto;

/// The file that is made of the models.
const XOS: &str = "xos.proto";

/// The files that are the same in every core, in the order in which `GetSchema` tells them after `xos.proto`.
const FIXED: [(&str, &str); 6] = [
    ("xosoptions.proto", include_str!("protos/xosoptions.proto")),
    ("modeldefs.proto", include_str!("protos/modeldefs.proto")),
    ("dynamicload.proto", include_str!("protos/dynamicload.proto")),
    ("filetransfer.proto", include_str!("protos/filetransfer.proto")),
    ("utility.proto", include_str!("protos/utility.proto")),
    ("common.proto", include_str!("protos/common.proto")),
];

/// Files that `GetSchema` does not tell: its own, and what clients have from elsewhere.
const UNTOLD: [(&str, &str); 3] = [
    ("schema.proto", include_str!("protos/schema.proto")),
    ("google/api/annotations.proto", include_str!("protos/annotations.proto")),
    ("google/api/http.proto", include_str!("protos/http.proto")),
];

/// The compiled files of a core with certain models.
#[derive(Debug)]
pub struct Descriptors {
    pool: DescriptorPool,
    /// Each file as a `FileDescriptorProto`, by name.
    files: HashMap<String, Bytes>,
    schema_answer: Bytes,
}

impl Descriptors {
    /// Compiles the files for these models: tens of milliseconds of work.
    ///
    /// # Errors
    ///
    /// What the compiler says: models whose names do not fit together in protobuf.
    pub fn compile(schema: &Schema) -> Result<Self, String> {
        Self::of_text(&xos_proto(schema))
    }

    /// Compiles the files around this text of `xos.proto`.
    ///
    /// # Errors
    ///
    /// As [`compile`](Descriptors::compile).
    pub fn of_text(xos: &str) -> Result<Self, String> {
        let told = |error: protox::Error| format!("the models do not fit together in protobuf: {error}");
        let mut resolver = ChainFileResolver::new();
        resolver.add(GoogleFileResolver::new());
        resolver.add(Files { xos: xos.to_owned() });
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true).include_source_info(false);
        for name in told_files().chain([UNTOLD[0].0]) {
            compiler.open_file(name).map_err(told)?;
        }
        let set = compiler.encode_file_descriptor_set();
        // A pool made from bytes keeps the extensions of the options.
        let pool = DescriptorPool::decode(set.as_slice()).map_err(|error| error.to_string())?;
        let mut descriptors =
            Descriptors { pool, files: files_of(&set.into())?, schema_answer: Bytes::new() };
        descriptors.schema_answer = descriptors.schema_answer(xos)?;
        Ok(descriptors)
    }

    /// The same with more files, such as those of services that are no part of XOS.
    ///
    /// # Errors
    ///
    /// Bytes that are no `FileDescriptorSet`.
    pub fn with_files(mut self, set: &'static [u8]) -> Result<Self, String> {
        self.pool.decode_file_descriptor_set(set).map_err(|error| error.to_string())?;
        for (name, file) in files_of(&Bytes::from_static(set))? {
            self.files.entry(name).or_insert(file);
        }
        Ok(self)
    }

    /// The answer of `GetSchema`.
    pub fn answer(&self) -> Bytes {
        self.schema_answer.clone()
    }

    /// All that is described.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
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

    /// A file and all that it imports, itself first; `None` when there is no such file.
    pub fn file_and_imports(&self, name: &str) -> Option<Vec<Bytes>> {
        let mut names = vec![self.pool.get_file_by_name(name)?.name().to_owned()];
        let mut next = 0;
        while let Some(file) = names.get(next).and_then(|name| self.pool.get_file_by_name(name)) {
            next += 1;
            for import in file.dependencies() {
                if !names.iter().any(|known| known == import.name()) {
                    names.push(import.name().to_owned());
                }
            }
        }
        Some(names.iter().filter_map(|name| self.files.get(name).cloned()).collect())
    }

    /// The bytes of a `Schemas`, whose parts may be large: written by hand, not as a dynamic message.
    fn schema_answer(&self, xos: &str) -> Result<Bytes, String> {
        let mut answer = Vec::new();
        for name in told_files() {
            let text = FIXED.iter().find(|(fixed, _)| *fixed == name).map_or(xos, |(_, text)| *text);
            let mut file = Vec::new();
            put_text(&mut file, 1, name);
            put_text(&mut file, 2, text);
            put_bytes(&mut file, 3, &zlib(&self.set_of(name)?)?);
            put_bytes(&mut answer, 1, &file);
        }
        put_text(&mut answer, 2, XOS);
        put_text(&mut answer, 3, XOS);
        Ok(answer.into())
    }

    /// A file with all that it imports as a `FileDescriptorSet`: each after what it needs.
    fn set_of(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut set = Vec::new();
        self.add_to(&mut set, &mut Vec::new(), name)?;
        Ok(set)
    }

    fn add_to(&self, set: &mut Vec<u8>, added: &mut Vec<String>, name: &str) -> Result<(), String> {
        if added.iter().any(|known| known == name) {
            return Ok(());
        }
        added.push(name.to_owned());
        let missing = || format!("{name} was not compiled");
        for import in self.pool.get_file_by_name(name).ok_or_else(missing)?.dependencies() {
            self.add_to(set, added, import.name())?;
        }
        put_bytes(set, 1, self.files.get(name).ok_or_else(missing)?);
        Ok(())
    }
}

/// The files that `GetSchema` tells.
fn told_files() -> impl Iterator<Item = &'static str> {
    [XOS].into_iter().chain(FIXED.iter().map(|(name, _)| *name))
}

struct Files {
    /// The text of `xos.proto`. The compiler keeps its resolver, so the text is its own.
    xos: String,
}

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let fixed = FIXED.iter().chain(&UNTOLD).find(|(fixed, _)| *fixed == name).map(|(_, text)| *text);
        match fixed.or((name == XOS).then_some(self.xos.as_str())) {
            Some(text) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The files of a `FileDescriptorSet` by name, each as it was: to decode and encode them would lose what is unknown.
fn files_of(set: &Bytes) -> Result<HashMap<String, Bytes>, String> {
    let told = |fault: xos_model_client::grpc::__wire::WireFault| fault.to_string();
    let mut files = HashMap::new();
    let mut reader = Reader::new(set);
    while let Some((number, wire_type)) = reader.tag().map_err(told)? {
        if (number, wire_type) != (1, WireType::Bytes) {
            reader.skip(number, wire_type).map_err(told)?;
            continue;
        }
        let file = set.slice_ref(reader.bytes().map_err(told)?);
        let mut parts = Reader::new(&file);
        let mut name = None;
        while let Some((number, wire_type)) = parts.tag().map_err(told)? {
            if (number, wire_type) == (1, WireType::Bytes) {
                name = Some(String::from_utf8_lossy(parts.bytes().map_err(told)?).into_owned());
            } else {
                parts.skip(number, wire_type).map_err(told)?;
            }
        }
        files.insert(name.ok_or("a file of the descriptors has no name")?, file);
    }
    Ok(files)
}

fn zlib(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| error.to_string())
}
