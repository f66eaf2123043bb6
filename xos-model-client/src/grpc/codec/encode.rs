//! From values to bytes: only the id and what is to be stored.

use bytes::Bytes;

use super::NonAscii;
use super::plan::{Place, Plan, Type, Writable};
use crate::accessor::{Caller, FieldPos, Touch};
use crate::error::{Error, ErrorKind, FieldFault, Result};
use crate::grpc::wire::{put_bool, put_double, put_float, put_int32, put_int32s, put_text, put_uint32};
use crate::value::{ObjectId, Value};

/// A call that sets fields of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMessage {
    /// The message: the id and the fields.
    pub message: Bytes,
    /// What goes into the metadata `update_fields`: never empty.
    pub update_fields: String,
}

/// A message with nothing but an id: what `Get` and `Delete` ask with.
pub fn encode_id(id: ObjectId) -> Bytes {
    let mut out = Vec::with_capacity(8);
    put_int32(&mut out, 1, id.get());
    out.into()
}

impl Plan {
    /// The message of a new object with these fields; what is not given has the core's default.
    ///
    /// What the core gives itself - `id`, `updated`, `leaf_model_name` - is left out.
    ///
    /// # Errors
    ///
    /// A value that its field cannot hold, or that cannot be sent.
    pub fn encode_create(&self, fields: &[(FieldPos, Value)]) -> Result<Bytes> {
        let mut out = Vec::with_capacity(256);
        let ascending = is_ascending(fields);
        for (at, (position, value)) in fields.iter().enumerate() {
            let place = self.place(*position)?;
            let is_replaced = !ascending && is_replaced(fields, at);
            if is_replaced || !matches!(place.writable, Writable::Yes | Writable::Reverse) {
                continue;
            }
            // Nothing, where a new object has nothing anyway, is said best by saying nothing.
            if value.is_null() && place.writable == Writable::Yes && !place.has_default {
                continue;
            }
            self.put(&mut out, ObjectId::UNSET, place, value)?;
        }
        Ok(out.into())
    }

    /// The call that sets these fields of an object, `None` when nothing is to be stored.
    ///
    /// The core stores what `update_fields` names, and takes a missing list for *all fields*. So it is never empty:
    ///
    /// * A field is named as it is called, a link without `_id`: named with it, the core would not look whether the
    ///   object that it leads to is deleted.
    /// * A many-to-many list is named only when it is emptied. One with members is applied because it is in the
    ///   message; naming it as well *clears* it when it is the same as before (xos-framework.md §4.2, a bug of the
    ///   core).
    /// * `updated` is named when it has to move: the core computes it, but stores it only then. It is also named when
    ///   there is nothing else to name, a list with members being all that is set: the name of some field has to be
    ///   there, and a list that changes moves `updated` anyway. Where the list is the same as before, a synchronizer
    ///   stores the old time again.
    ///
    /// # Errors
    ///
    /// A value that its field cannot hold, or that cannot be sent.
    pub fn encode_set(
        &self,
        id: ObjectId,
        fields: &[(FieldPos, Value)],
        by: Caller,
        touch: Touch,
    ) -> Result<Option<SetMessage>> {
        let mut out = Vec::with_capacity(256);
        put_int32(&mut out, 1, id.get());
        let mut names = Names(String::with_capacity(16 * (fields.len() + 1)));
        let ascending = is_ascending(fields);
        let mut sets_members = false;
        for (at, (position, value)) in fields.iter().enumerate() {
            let place = self.place(*position)?;
            if !ascending && is_replaced(fields, at) {
                continue;
            }
            match place.writable {
                Writable::Yes | Writable::Reverse | Writable::Missing => {}
                Writable::Updated => continue,
                Writable::Id if is_id(value, id) => continue,
                Writable::Id | Writable::LeafModelName => {
                    return Err(self.not_sendable(id, place, "is given by the core and cannot be changed"));
                }
            }
            let before = out.len();
            self.put(&mut out, id, place, value)?;
            // A list without members leaves no bytes.
            if place.kind == Type::Links && out.len() > before {
                sets_members = true;
            } else {
                names.add(&place.name);
            }
        }
        let moves = touch == Touch::Updated || !by.is_synchronizer();
        if self.has_updated && (moves || (sets_members && names.0.is_empty())) {
            names.add("updated");
        }
        if names.0.is_empty() {
            if sets_members {
                let what = format!(
                    "set a list of {} alone: the model has no \"updated\", and no other field is named",
                    self.shape.model()
                );
                return Err(ErrorKind::Unsupported(what).into());
            }
            return Ok(None);
        }
        Ok(Some(SetMessage { message: out.into(), update_fields: names.0 }))
    }

    fn place(&self, position: FieldPos) -> Result<&Place> {
        self.places.get(usize::from(position)).ok_or_else(|| {
            let problem = format!("position {position} is outside of the shape of {}", self.shape.model());
            Error::invalid(self.shape.model().clone(), ObjectId::UNSET, vec![FieldFault::whole(problem)])
        })
    }

    fn put(&self, out: &mut Vec<u8>, id: ObjectId, place: &Place, value: &Value) -> Result<()> {
        if place.writable == Writable::Reverse {
            let reason = "is the way back of links; set the link at its other end";
            return Err(self.not_sendable(id, place, reason));
        }
        if place.writable == Writable::Missing {
            return Err(self.no_such_field(place));
        }
        let number = place.number;
        let range = |int: &i64| self.convert(id, place, int.to_string());
        match (place.kind, value) {
            (Type::Text, Value::Text(text)) => self.put_text(out, id, place, text)?,
            (Type::Text, Value::Secret(secret)) => self.put_text(out, id, place, secret.expose())?,
            (Type::Int32, Value::Int(int)) => {
                put_int32(out, number, i32::try_from(*int).map_err(|_| range(int))?);
            }
            (Type::UInt32, Value::Int(int)) => {
                put_uint32(out, number, u32::try_from(*int).map_err(|_| range(int))?);
            }
            (Type::Bool, Value::Bool(bool)) => put_bool(out, number, *bool),
            (Type::Float, Value::Float(float)) if float.is_finite() => put_float(out, number, *float),
            (Type::Float, Value::Int(int)) => put_float(out, number, *int as f32),
            (Type::Date, Value::Time(time)) if time.seconds().is_finite() => {
                put_double(out, number, time.seconds());
            }
            (Type::Date, Value::Int(seconds)) => put_double(out, number, *seconds as f64),
            (Type::Float, Value::Float(_)) | (Type::Date, Value::Time(_)) => {
                return Err(self.convert(id, place, "one that is not finite"));
            }
            // Link 0 is how a link is unset.
            (Type::Link, Value::Link(link)) => put_int32(out, number, link.get()),
            (Type::Link, Value::Null) => put_int32(out, number, 0),
            (Type::Link, Value::Int(link)) => {
                put_int32(out, number, i32::try_from(*link).map_err(|_| range(link))?);
            }
            (Type::Links, Value::Links(ids)) => {
                let mut ids: Vec<i32> = ids.iter().map(|id| id.get()).collect();
                ids.sort_unstable();
                ids.dedup();
                put_int32s(out, number, &ids);
            }
            (Type::Links, Value::Null) => {}
            (_, Value::Null) => {
                let reason = "was set to nothing, which cannot be sent to a core: only a link can be unset; use an empty value";
                return Err(self.not_sendable(id, place, reason));
            }
            (_, other) => return Err(self.convert(id, place, other.kind_name())),
        }
        Ok(())
    }

    fn put_text(&self, out: &mut Vec<u8>, id: ObjectId, place: &Place, text: &str) -> Result<()> {
        if text.contains('\0') {
            return Err(self.invalid(id, place, "must not contain the character NUL"));
        }
        if text.is_ascii() {
            put_text(out, place.number, text);
        } else if place.escaped {
            put_text(out, place.number, &ascii(text, place.max_length));
        } else if self.non_ascii == NonAscii::Sent {
            put_text(out, place.number, text);
        } else {
            let character = text.chars().find(|c| !c.is_ascii()).unwrap_or_default();
            let message = format!(
                "this core holds ASCII only: with {character:?} in it, every list of {} would fail; write it without",
                self.shape.model()
            );
            return Err(self.invalid(id, place, message));
        }
        Ok(())
    }

    fn no_such_field(&self, place: &Place) -> Error {
        let model = self.shape.model().clone();
        ErrorKind::NoSuchField { model, field: place.field_name(), like: None }.into()
    }

    fn invalid(&self, id: ObjectId, place: &Place, message: impl Into<String>) -> Error {
        let fault = FieldFault::of(place.field_name(), message);
        Error::invalid(self.shape.model().clone(), id, vec![fault])
    }

    fn not_sendable(&self, id: ObjectId, place: &Place, reason: &'static str) -> Error {
        let model = self.shape.model().clone();
        ErrorKind::NotSendable { model, id, field: place.field_name(), reason }.into()
    }
}

/// Names with commas and no blanks between them, each once.
struct Names(String);

impl Names {
    fn add(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(name);
    }
}

/// Whether each position comes once, as it nearly always does.
fn is_ascending(fields: &[(FieldPos, Value)]) -> bool {
    fields.is_sorted_by(|(one, _), (next, _)| one < next)
}

/// Whether a later value for the same position replaces this one.
fn is_replaced(fields: &[(FieldPos, Value)], at: usize) -> bool {
    let position = fields[at].0;
    fields[at + 1..].iter().any(|(other, _)| *other == position)
}

fn is_id(value: &Value, id: ObjectId) -> bool {
    match value {
        Value::Int(int) => *int == i64::from(id.get()),
        Value::Link(link) => *link == id,
        _ => false,
    }
}

/// The text with escapes for what is no ASCII, cut where it would not fit any more: a status that is not stored at
/// all would be worse.
fn ascii(text: &str, max_length: Option<u32>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if c.is_ascii() { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    if let Some(most) = max_length {
        out.truncate(most as usize);
    }
    out
}
