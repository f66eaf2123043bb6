//! The messages of the service `xos.xos`: what a descriptor says of each model.

use std::collections::HashSet;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind as Proto, MessageDescriptor,
    MethodDescriptor, ServiceDescriptor, Value as Option_,
};

use super::fault;
use super::methods::Method;
use crate::error::Result;
use crate::model::Kind;

/// The service with the calls of all models.
pub(super) const SERVICE: &str = "xos.xos";

/// What a core says of one model.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// The model's name.
    pub(super) name: String,
    /// The name of the message with a list of it.
    pub(super) plural: String,
    /// The number of the list's items.
    pub(super) items: u16,
    /// `app_label.name` in lower case, where the core says it.
    pub(super) content_type: Option<String>,
    /// The calls there are.
    pub(super) methods: Vec<Method>,
    /// The fields, by number.
    pub(super) members: Vec<Member>,
    /// The ways back of links that lead to it, inherited ones too.
    pub(super) backs: Vec<Back>,
    /// Fields that this program cannot read, and why.
    pub(super) unread: Vec<String>,
}

impl Message {
    /// The service that brings it, as far as the core says.
    pub(super) fn app_label(&self) -> Option<&str> {
        self.content_type.as_deref()?.split_once('.').map(|(label, _)| label)
    }
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// Its name; of a link without `_id`.
    pub(super) name: String,
    /// Its number on the wire.
    pub(super) number: u16,
    /// Its kind, as far as the type on the wire tells: every string is a [`Kind::Text`].
    pub(super) kind: Kind,
    /// Where it leads, and what the other end calls the way back.
    pub(super) link: Option<(String, Option<String>)>,
    pub(super) max_length: Option<u32>,
    pub(super) non_null: bool,
    pub(super) unique: bool,
    pub(super) gui_hidden: bool,
    pub(super) feedback: bool,
    pub(super) bookkeeping: bool,
}

/// The way back of a link.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Back {
    /// Its name, without `_ids`.
    pub(super) name: String,
    /// Its number on the wire.
    pub(super) number: u16,
    /// The model that has the link.
    pub(super) from: String,
}

/// The models of a descriptor set, `None` when it has no service `xos.xos`.
///
/// The library that reads descriptors panics on some that break protobuf's rules inside of an option. They come from
/// outside, so the panic is caught and is an error like any other.
pub(super) fn read(set: &[u8]) -> Result<Option<Vec<Message>>> {
    match std::panic::catch_unwind(|| described(set)) {
        Ok(read) => read,
        Err(_) => Err(fault("the descriptor has an option that is no valid protobuf".to_owned())),
    }
}

fn described(set: &[u8]) -> Result<Option<Vec<Message>>> {
    let pool = DescriptorPool::decode(set)
        .map_err(|error| fault(format!("the descriptor is not valid: {error}")))?;
    let service = pool.get_service_by_name(SERVICE);
    Ok(service.map(|service| messages(&pool, &service)))
}

fn messages(pool: &DescriptorPool, service: &ServiceDescriptor) -> Vec<Message> {
    let options = Options::of(pool);
    let mut found: Vec<Message> = Vec::new();
    // A model is what `List<M>` lists.
    for method in service.methods() {
        let Some((model, items)) = listed(&method) else { continue };
        let mut message = Message {
            name: model.name().to_owned(),
            plural: method.output().name().to_owned(),
            items,
            content_type: options.content_type(&model),
            methods: Vec::new(),
            members: Vec::new(),
            backs: Vec::new(),
            unread: Vec::new(),
        };
        for field in model.fields() {
            options.add(&field, &mut message);
        }
        message.members.sort_by_key(|member| member.number);
        message.backs.sort_by_key(|back| back.number);
        found.push(message);
    }
    let names: HashSet<String> = service.methods().map(|method| method.name().to_owned()).collect();
    for message in &mut found {
        let there = |method: &Method| names.contains(&method.name(&message.name));
        message.methods = Method::ALL.into_iter().filter(there).collect();
    }
    found
}

/// The model whose objects a method lists, and the number of the list's items.
fn listed(method: &MethodDescriptor) -> Option<(MessageDescriptor, u16)> {
    let name = method.name().strip_prefix("List")?;
    let items = method.output().fields().find(FieldDescriptor::is_list)?;
    let Proto::Message(model) = items.kind() else { return None };
    (model.name() == name).then_some((model, u16::try_from(items.number()).ok()?))
}

/// The options of fields and messages, by name.
struct Options<'a> {
    pool: &'a DescriptorPool,
}

impl<'a> Options<'a> {
    fn of(pool: &'a DescriptorPool) -> Self {
        Options { pool }
    }

    fn option(&self, options: &DynamicMessage, name: &str) -> Option<Option_> {
        let extension = self.pool.get_extension_by_name(&format!("xos.{name}"))?;
        options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
    }

    fn flag(&self, options: &DynamicMessage, name: &str) -> bool {
        self.option(options, name).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    /// A part of an option that is a message, as a text that is not empty.
    fn text(&self, options: &DynamicMessage, name: &str, part: &str) -> Option<String> {
        let value = self.part(options, name, part)?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn part(&self, options: &DynamicMessage, name: &str, part: &str) -> Option<Option_> {
        let value = self.option(options, name)?;
        Some(value.as_message()?.get_field_by_name(part)?.into_owned())
    }

    fn content_type(&self, model: &MessageDescriptor) -> Option<String> {
        let value = self.option(&model.options(), "contentTypeId")?;
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Adds a field of a model's message to what is known of the model.
    fn add(&self, field: &FieldDescriptor, message: &mut Message) {
        let Ok(number) = u16::try_from(field.number()) else {
            message.unread.push(format!("{} has the number {}", field.name(), field.number()));
            return;
        };
        let options = field.options();
        if let Some(from) = self.text(&options, "reverseForeignKey", "modelName") {
            let name = without(field.name(), "_ids");
            message.backs.push(Back { name, number, from });
            return;
        }
        let list = field.cardinality() == Cardinality::Repeated;
        // What the core computes for each answer (`class_names`, `self_content_type_id`) has no presence.
        if !list && !field.supports_presence() {
            return;
        }
        let leads_to = |option: &str| self.text(&options, option, "modelName");
        let (name, kind, link) = if list {
            match (leads_to("manyToManyForeignKey"), field.kind()) {
                (Some(target), Proto::Int32) => {
                    (without(field.name(), "_ids"), Kind::Links, Some((target, None)))
                }
                _ => {
                    message.unread.push(format!("{} is a list of no links", field.name()));
                    return;
                }
            }
        } else {
            match (leads_to("foreignKey"), field.kind()) {
                (Some(target), Proto::Int32) => {
                    let back = self.text(&options, "foreignKey", "reverseFieldName");
                    (without(field.name(), "_id"), Kind::Link, Some((target, back)))
                }
                (_, Proto::Int32) => (field.name().to_owned(), Kind::Int32, None),
                (_, Proto::Uint32) => (field.name().to_owned(), Kind::UInt32, None),
                (_, Proto::Bool) => (field.name().to_owned(), Kind::Bool, None),
                (_, Proto::Float) => (field.name().to_owned(), Kind::Float, None),
                (_, Proto::Double) => (field.name().to_owned(), Kind::Date, None),
                (_, Proto::String) => (field.name().to_owned(), Kind::Text, None),
                (_, other) => {
                    message.unread.push(format!("{} is of the type {other:?}", field.name()));
                    return;
                }
            }
        };
        let val = |part: &str| self.part(&options, "val", part);
        message.members.push(Member {
            name,
            number,
            kind,
            link,
            max_length: val("maxLength")
                .and_then(|value| value.as_i32())
                .and_then(|length| u32::try_from(length).ok())
                .filter(|length| *length > 0),
            non_null: val("nonNull").and_then(|value| value.as_bool()).unwrap_or(false),
            unique: val("unique").and_then(|value| value.as_bool()).unwrap_or(false),
            gui_hidden: self.flag(&options, "guiHidden"),
            feedback: self.flag(&options, "feedbackState"),
            bookkeeping: self.flag(&options, "bookkeepingState"),
        });
    }
}

fn without(name: &str, suffix: &str) -> String {
    name.strip_suffix(suffix).unwrap_or(name).to_owned()
}
