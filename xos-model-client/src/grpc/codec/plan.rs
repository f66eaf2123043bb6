//! What a shape means on the wire, resolved once.

use std::fmt;
use std::sync::Arc;

use http::uri::PathAndQuery;

use super::NonAscii;
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::describe::{Method, Paths, RemoteSchema};
use crate::model::{DefaultValue, FieldDef, Kind};
use crate::models::core_models;
use crate::record::{Shape, ShapeField};
use crate::schema::{ModelInfo, ReverseLink};
use crate::value::ObjectId;

/// How the value of a field is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `string`.
    Text,
    /// `int32`.
    Int32,
    /// `uint32`.
    UInt32,
    /// `bool`.
    Bool,
    /// `float`.
    Float,
    /// `double`: seconds since 1970 UTC.
    Date,
    /// `int32`: an id.
    Link,
    /// `repeated int32`: ids.
    Links,
}

impl Type {
    /// How a kind of field is written.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => Type::Text,
            Kind::Int32 => Type::Int32,
            Kind::UInt32 => Type::UInt32,
            Kind::Bool => Type::Bool,
            Kind::Float => Type::Float,
            Kind::Date => Type::Date,
            Kind::Link => Type::Link,
            Kind::Links => Type::Links,
        }
    }
}

/// Who may write a field.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Writable {
    /// Whoever may write the object.
    Yes,
    /// Nobody: the core gives it when it makes the object. Sent back, it is left out.
    Id,
    /// Nobody: the core sets it to the time of a save. Sent back, it is left out.
    Updated,
    /// Nobody, once the object is there.
    LeafModelName,
    /// Nobody: it is the way back of a link of another model.
    Reverse,
    /// Nobody: this core does not have it. It reads as nothing.
    Missing,
}

/// One position of a shape.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name as the core writes it in `update_fields`: a link without `_id`, a list with `_ids`.
    pub(super) name: Box<str>,
    pub(super) number: u16,
    pub(super) kind: Type,
    pub(super) writable: Writable,
    /// The longest text, in characters.
    pub(super) max_length: Option<u32>,
    /// Whether a text in it is written as ASCII with escapes, whatever it was.
    pub(super) escaped: bool,
    /// Whether a new object without it gets something else than nothing.
    pub(super) has_default: bool,
}

/// Texts that a synchronizer writes about an object: they must never fail, and never poison the model.
const ESCAPED: [&str; 4] = ["backend_register", "backend_status", "backend_handle", "policy_status"];

/// What a shape means on the wire of one core.
pub struct Plan {
    pub(super) remote: Arc<RemoteSchema>,
    pub(super) non_ascii: NonAscii,
    pub(super) shape: Arc<Shape>,
    pub(super) places: Box<[Place]>,
    /// By number on the wire: where a value belongs and how it is written, `None` for what the shape does not ask for.
    pub(super) by_number: Box<[Option<(u16, Type)>]>,
    /// The positions of lists: an absent one is empty.
    pub(super) lists: Box<[u16]>,
    /// Positions that ask for the same field as an earlier one, and that one.
    pub(super) twins: Box<[(u16, u16)]>,
    pub(super) items: u16,
    /// Whether the model has `updated`.
    pub(super) has_updated: bool,
    paths: Paths,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({:?})", self.shape)
    }
}

impl Plan {
    pub(super) fn new(remote: Arc<RemoteSchema>, non_ascii: NonAscii, shape: &Arc<Shape>) -> Result<Self> {
        let info = remote.schema.expect_model(shape.model())?;
        let Some(served) = remote.served(info.id) else {
            let what = format!(
                "read or write {} itself: it has no calls; ask for a model that inherits from it",
                info.name()
            );
            return Err(ErrorKind::Unsupported(what).into());
        };
        let places: Vec<Place> = shape
            .fields()
            .iter()
            .map(|field| match info.field(&field.name) {
                Some(found) => Ok(place(&found.def, found.wire_number)),
                None => match reverse(&remote, info, &field.name) {
                    Some(link) => Ok(place_of_reverse(link)),
                    None if is_of_some_core(&remote, info, &field.name) => Ok(place_of_missing(field)),
                    None => Err(no_such_field(info, &field.name)),
                },
            })
            .collect::<Result<_>>()?;
        let most = places.iter().map(|place| usize::from(place.number)).max().unwrap_or(0);
        let mut by_number: Vec<Option<(u16, Type)>> = vec![None; most + 1];
        let mut twins = Vec::new();
        for (place, at) in places.iter().zip(0_u16..) {
            match &mut by_number[usize::from(place.number)] {
                Some((first, _)) => twins.push((at, *first)),
                none => *none = Some((at, place.kind)),
            }
        }
        let lists = places.iter().zip(0..).filter(|(place, _)| place.kind == Type::Links).map(|(_, at)| at);
        let lists = lists.collect();
        let has_updated = info.field("updated").is_some();
        let (items, paths) = (served.items, served.paths.clone());
        let places = places.into();
        let by_number = by_number.into();
        let twins = twins.into();
        let shape = shape.clone();
        Ok(Plan { remote, non_ascii, shape, places, by_number, lists, twins, items, has_updated, paths })
    }

    /// The shape.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Where a call of the model is, such as `/xos.xos/GetService`.
    ///
    /// # Errors
    ///
    /// A core that does not have the call.
    pub fn path(&self, method: Method) -> Result<&PathAndQuery> {
        self.paths.get(method).ok_or_else(|| {
            let call = method.name(self.shape.model());
            ErrorKind::Unsupported(format!("do {call}: its schema has no such call")).into()
        })
    }

    /// A value that its field cannot hold.
    pub(super) fn convert(&self, id: ObjectId, place: &Place, found: impl Into<String>) -> Error {
        let expected = match place.kind {
            Type::Text => "a text",
            Type::Int32 => "an integer (32 bits)",
            Type::UInt32 => "an integer from 0 on (32 bits)",
            Type::Bool => "true or false",
            Type::Float => "a number",
            Type::Date => "a time",
            Type::Link => "a link to one object",
            Type::Links => "a list of links",
        };
        ErrorKind::Convert {
            model: self.shape.model().clone(),
            id,
            field: place.field_name(),
            expected: expected.to_owned(),
            found: found.into(),
        }
        .into()
    }
}

impl Place {
    /// The name of the field, as people know it.
    pub(super) fn field_name(&self) -> String {
        let name = if self.kind == Type::Links { self.name.strip_suffix("_ids") } else { None };
        name.unwrap_or(&self.name).to_owned()
    }
}

fn place(def: &FieldDef, number: u16) -> Place {
    let name = def.name.as_ref();
    let kind = Type::of(def.kind);
    Place {
        name: if kind == Type::Links { format!("{name}_ids").into() } else { name.into() },
        number,
        kind,
        writable: match name {
            _ if def.is_id() => Writable::Id,
            "updated" => Writable::Updated,
            "leaf_model_name" => Writable::LeafModelName,
            _ => Writable::Yes,
        },
        max_length: def.max_length,
        escaped: ESCAPED.contains(&name),
        has_default: def.default.as_ref().is_some_and(|default| !matches!(default, DefaultValue::Null)),
    }
}

fn place_of_reverse(link: &ReverseLink) -> Place {
    Place {
        name: format!("{}_ids", link.name).into(),
        number: link.wire_number,
        kind: Type::Links,
        writable: Writable::Reverse,
        max_length: None,
        escaped: false,
        has_default: false,
    }
}

/// The way back with this name, with or without `_ids`, of the model or one that it inherits from.
fn reverse<'a>(remote: &'a RemoteSchema, info: &ModelInfo, name: &str) -> Option<&'a ReverseLink> {
    let name = name.strip_suffix("_ids").unwrap_or(name);
    let mut chain = info.chain.iter().rev().filter_map(|id| remote.schema.by_id(*id));
    chain.find_map(|level| level.reverse.iter().find(|link| link.name == name))
}

/// A field that the program knows and this core does not: one of another version of the core, as a rule.
fn place_of_missing(field: &ShapeField) -> Place {
    Place {
        name: field.name.as_ref().into(),
        number: 0,
        kind: Type::of(field.kind),
        writable: Writable::Missing,
        max_length: None,
        escaped: false,
        has_default: false,
    }
}

/// Whether the core that this program was made for has this field.
fn is_of_some_core(remote: &RemoteSchema, info: &ModelInfo, name: &str) -> bool {
    let mut chain = info.chain.iter().filter_map(|id| remote.schema.by_id(*id));
    chain.any(|level| {
        let mut core = core_models().filter(|core| core.name == *level.name());
        core.any(|core| core.fields.iter().any(|field| field.name == name))
    })
}

fn no_such_field(info: &ModelInfo, name: &str) -> Error {
    match info.expect_field(name) {
        Err(error) => error,
        Ok(_) => {
            ErrorKind::NoSuchField { model: info.name().clone(), field: name.to_owned(), like: None }.into()
        }
    }
}
