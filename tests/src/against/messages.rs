//! The messages of the recorded core, by its own descriptors, and ids of a recording for those of a run.

use std::collections::HashMap;
use std::io::Read as _;

use bytes::Bytes;
use flate2::read::ZlibDecoder;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage as _, Value,
};

use crate::stand_in::BoxError;

/// The descriptors that a core told.
#[derive(Debug)]
pub struct Descriptors {
    pool: DescriptorPool,
}

impl Descriptors {
    /// Reads the bytes of an answer of `GetSchema`.
    ///
    /// # Errors
    ///
    /// What is no such answer.
    pub fn read(schema: &[u8]) -> Result<Self, BoxError> {
        let mut pool = DescriptorPool::new();
        // schema.Schemas { repeated ProtoFile protos = 1 }, ProtoFile { bytes descriptor = 3 }
        for file in fields(schema, 1)? {
            for compressed in fields(file, 3)? {
                let mut set = Vec::new();
                ZlibDecoder::new(compressed).read_to_end(&mut set)?;
                pool.decode_file_descriptor_set(set.as_slice())?;
            }
        }
        Ok(Descriptors { pool })
    }

    /// The message that a method, such as `/xos.xos/GetSite`, is asked with.
    pub fn request_of(&self, path: &str) -> Option<MessageDescriptor> {
        self.method(path).map(|method| method.input())
    }

    /// The message that a method answers with.
    pub fn answer_of(&self, path: &str) -> Option<MessageDescriptor> {
        self.method(path).map(|method| method.output())
    }

    /// The message with this full name.
    pub fn message(&self, name: &str) -> Option<MessageDescriptor> {
        self.pool.get_message_by_name(name)
    }

    fn method(&self, path: &str) -> Option<MethodDescriptor> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        self.pool.get_service_by_name(service)?.methods().find(|found| found.name() == method)
    }

    /// An answer, decoded.
    pub fn answer(&self, path: &str, bytes: &[u8]) -> Option<DynamicMessage> {
        DynamicMessage::decode(self.answer_of(path)?, bytes).ok()
    }
}

/// The length-delimited fields of a message with this number.
fn fields(mut message: &[u8], number: u32) -> Result<Vec<&[u8]>, BoxError> {
    use prost_reflect::prost::encoding::{WireType, decode_key, decode_varint};
    let mut found = Vec::new();
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message)?;
        if wire_type != WireType::LengthDelimited {
            return Err(format!("expected a text or bytes, found {wire_type:?}").into());
        }
        let length = usize::try_from(decode_varint(&mut message)?)?;
        let (this, rest) = message.split_at_checked(length).ok_or("the message ends too early")?;
        message = rest;
        if tag == number {
            found.push(this);
        }
    }
    Ok(found)
}

/// The operation of a method of `xos.xos`, and the model.
pub fn model_of(method: &str) -> Option<(&str, &str)> {
    let name = method.strip_prefix("/xos.xos/")?;
    ["List", "Filter", "Get", "Create", "Update", "Delete"]
        .iter()
        .find_map(|operation| Some((*operation, name.strip_prefix(operation)?)))
}

/// The id in a message of a model; 0 when it has none.
pub fn id_of(message: &DynamicMessage) -> i32 {
    message.get_field_by_name("id").and_then(|id| id.as_i32()).unwrap_or_default()
}

/// The messages of a list, in any order that its core liked, by ascending id.
pub fn items_of(message: &DynamicMessage) -> Option<Vec<DynamicMessage>> {
    let items = message.get_field_by_name("items")?;
    let mut items: Vec<_> = items.as_list()?.iter().filter_map(|item| item.as_message().cloned()).collect();
    items.sort_by_key(id_of);
    Some(items)
}

/// The ids and sessions of a run for those of a recording.
#[derive(Default, Debug)]
pub struct Translation {
    /// By the first model of the chain that has objects.
    pub ids: HashMap<(String, i32), i32>,
    /// The sessions.
    pub sessions: HashMap<String, String>,
}

/// The first model of a chain that has objects: ids are its.
pub fn root(model: &str) -> &str {
    match model {
        "HelloWorldService" => "Service",
        "HelloWorldServiceInstance" | "ComputeServiceInstance" => "ServiceInstance",
        other => other,
    }
}

impl Translation {
    /// The id of this run.
    pub fn id(&self, model: &str, id: i32) -> i32 {
        self.ids.get(&(root(model).to_owned(), id)).copied().unwrap_or(id)
    }

    /// Translates all ids in a message of a model.
    pub fn translate(&self, model: &str, message: &mut DynamicMessage) {
        let descriptor = message.descriptor();
        for field in descriptor.fields() {
            if !message.has_field(&field) {
                continue;
            }
            let to = if field.name() == "id" {
                Some(model.to_owned())
            } else {
                leads_to(&descriptor, field.name())
            };
            let Some(to) = to else { continue };
            match message.get_field_mut(&field) {
                Value::I32(id) => *id = self.id(&to, *id),
                Value::List(ids) => {
                    for id in ids {
                        if let Value::I32(id) = id {
                            *id = self.id(&to, *id);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A request with the ids of this run.
    pub fn request(&self, descriptors: &Descriptors, method: &str, bytes: Vec<u8>) -> Bytes {
        let populated =
            (method == "/xos.utility/GetPopulatedServiceInstances").then_some(("Get", "ServiceInstance"));
        let Some((operation, model)) = model_of(method).or(populated) else { return bytes.into() };
        let Some(descriptor) = descriptors.request_of(method) else { return bytes.into() };
        let Ok(mut message) = DynamicMessage::decode(descriptor, bytes.as_slice()) else {
            return bytes.into();
        };
        match operation {
            "Filter" => self.translate_query(model, &mut message),
            "List" => return bytes.into(),
            _ => self.translate(model, &mut message),
        }
        message.encode_to_vec().into()
    }

    /// Translates the ids that the elements of a query name.
    pub fn translate_query(&self, model: &str, message: &mut DynamicMessage) {
        let Some(elements) = message.get_field_by_name_mut("elements") else { return };
        for element in elements.as_list_mut().into_iter().flatten() {
            let Some(element) = element.as_message_mut() else { continue };
            let name = element.get_field_by_name("name").and_then(|name| name.as_str().map(str::to_owned));
            let to = match name.as_deref() {
                Some("id") => model,
                Some("owner" | "owner_id") => "Service",
                _ => continue,
            };
            if element.has_field_by_name("iValue")
                && let Some(id) = element.get_field_by_name("iValue").and_then(|id| id.as_i32())
            {
                element.set_field_by_name("iValue", Value::I32(self.id(to, id)));
            }
            if element.has_field_by_name("sValue")
                && let Some(id) = element.get_field_by_name("sValue").and_then(|id| id.as_str()?.parse().ok())
            {
                element.set_field_by_name("sValue", Value::String(self.id(to, id).to_string()));
            }
        }
    }

    /// Learns the id or the session that was given out.
    pub fn learn(&mut self, method: &str, theirs: &DynamicMessage, ours: &DynamicMessage) {
        if let Some(("Create", model)) = model_of(method) {
            self.ids.insert((root(model).to_owned(), id_of(theirs)), id_of(ours));
        }
        let session = |message: &DynamicMessage| {
            message.get_field_by_name("sessionid").and_then(|session| session.as_str().map(str::to_owned))
        };
        if method == "/xos.utility/Login"
            && let (Some(theirs), Some(ours)) = (session(theirs), session(ours))
        {
            self.sessions.insert(theirs, ours);
        }
    }
}

/// The model that a field of links leads to, from its options.
fn leads_to(message: &MessageDescriptor, field: &str) -> Option<String> {
    let field = message.get_field_by_name(field)?;
    let rule = field.options().extensions().find_map(|(extension, value)| {
        let is_link = ["foreignKey", "reverseForeignKey", "manyToManyForeignKey"].contains(&extension.name());
        is_link.then(|| value.as_message().cloned()).flatten()
    })?;
    Some(rule.get_field_by_name("modelName")?.as_str()?.to_owned())
}
