//! Records as messages and messages as values, by a table that is made once per model and schema.

mod query;

use std::fmt;

use xos_model_client::grpc::__wire::{
    Fault, Reader, Type, WireFault, WireType, put_bool, put_double, put_float, put_int32, put_int32s,
    put_text, put_uint32, put_varint, read,
};
use xos_model_client::{FieldPos, ModelInfo, ObjectId, Schema, Value};

use super::proto::{CLASS_NAMES, SELF_CONTENT_TYPE_ID, class_names, self_content_type};
pub(crate) use crate::classes::is_secret;

pub use self::query::{Element, Operand, QueryMessage};

/// The number of the objects in a list.
const ITEMS: u16 = 1;

/// How the objects of one model are messages.
#[derive(Debug)]
pub struct Table {
    /// The fields, by number: where in a record each is, and how it is written.
    columns: Box<[Column]>,
    /// By number: which field it is.
    by_number: Box<[Option<(FieldPos, Type)>]>,
    /// The numbers of the ways back of links, in the order of the model's chain.
    ways: Box<[u16]>,
    /// What ends each message: the names of its classes.
    tail: Box<[u8]>,
    /// The names of the fields, for errors.
    names: Box<[String]>,
}

#[derive(Debug)]
struct Column {
    number: u16,
    at: usize,
    kind: Type,
    /// Whether its value is never told: only that there is one.
    secret: bool,
}

/// A message of a model, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The id, 0 when it has none.
    pub id: i32,
    /// The fields that are there, by position; of the id only [`id`](Given::id) tells.
    pub fields: Vec<(FieldPos, Value)>,
}

/// Bytes that are not the message that was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The field, where it is known.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "field \"{field}\": {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for Misread {}

impl From<WireFault> for Misread {
    fn from(fault: WireFault) -> Self {
        Misread { field: None, problem: fault.to_string() }
    }
}

impl Table {
    /// The table of a model whose records are laid out by its full shape.
    pub fn new(schema: &Schema, model: &ModelInfo) -> Self {
        let mut columns: Vec<Column> = model
            .fields
            .iter()
            .enumerate()
            .map(|(at, field)| Column {
                number: field.wire_number,
                at,
                kind: Type::of(field.def.kind),
                secret: is_secret(schema, model, &field.def.name),
            })
            .collect();
        let most = columns.iter().map(|column| usize::from(column.number)).max().unwrap_or(0);
        let mut by_number = vec![None; most + 1];
        for column in &columns {
            by_number[usize::from(column.number)] = Some((column.at as FieldPos, column.kind));
        }
        columns.sort_by_key(|column| column.number);
        let levels = model.chain.iter().filter_map(|id| schema.by_id(*id));
        let ways = levels.flat_map(|level| &level.reverse).map(|way| way.wire_number);
        let mut tail = Vec::new();
        put_text(&mut tail, CLASS_NAMES, &class_names(schema, model));
        put_text(&mut tail, SELF_CONTENT_TYPE_ID, &self_content_type(model));
        Table {
            columns: columns.into(),
            by_number: by_number.into(),
            ways: ways.collect(),
            tail: tail.into(),
            names: model.fields.iter().map(|field| field.def.name.to_string()).collect(),
        }
    }

    /// Appends an object: what has no value is absent, zero and empty texts are there. `ways_back` has the ids for each
    /// way back, in the order of the model's chain.
    pub fn put(&self, out: &mut Vec<u8>, values: &[Value], ways_back: &[Vec<i32>]) {
        for column in &self.columns {
            let Some(value) = values.get(column.at) else { continue };
            let number = column.number;
            match value {
                Value::Null | Value::Link(ObjectId::UNSET) => {}
                Value::Text(text) => put_text(out, number, if column.secret { "" } else { text }),
                // Who may read the object may read its secrets, as in the real core.
                Value::Secret(secret) => {
                    put_text(out, number, if column.secret { "" } else { secret.expose() });
                }
                Value::Bool(value) => put_bool(out, number, *value),
                Value::Int(value) if column.kind == Type::UInt32 => put_uint32(out, number, *value as u32),
                Value::Int(value) => put_int32(out, number, *value as i32),
                Value::Float(value) => put_float(out, number, *value),
                Value::Time(time) => put_double(out, number, time.seconds()),
                Value::Link(id) => put_int32(out, number, id.get()),
                Value::Links(ids) => put_ids(out, number, ids),
            }
        }
        for (number, ids) in self.ways.iter().zip(ways_back) {
            put_int32s(out, *number, ids);
        }
        out.extend_from_slice(&self.tail);
    }

    /// Appends an object as one of a list.
    pub fn put_item(&self, out: &mut Vec<u8>, values: &[Value], ways_back: &[Vec<i32>]) {
        put_message(out, ITEMS, |out| self.put(out, values, ways_back));
    }

    /// Reads a message of the model. Unknown fields are left out, of several values of one field the last one counts,
    /// link 0 is [`Value::Null`].
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf, a value of another type, a text that is no UTF-8.
    pub fn read(&self, bytes: &[u8]) -> Result<Given, Misread> {
        let mut values: Vec<Option<Value>> = vec![None; self.names.len()];
        let mut reader = Reader::new(bytes);
        while let Some((number, wire_type)) = reader.tag()? {
            let Some((at, kind)) = self.by_number.get(number as usize).copied().flatten() else {
                reader.skip(number, wire_type)?;
                continue;
            };
            let value = values[usize::from(at)].get_or_insert_with(|| match kind {
                Type::Links => Value::Links(Vec::new()),
                _ => Value::Null,
            });
            read(&mut reader, kind, wire_type, value).map_err(|fault| self.misread(at, wire_type, fault))?;
        }
        let mut given = Given::default();
        for (at, value) in values.into_iter().enumerate() {
            match value {
                None => {}
                Some(Value::Int(id)) if at == 0 => given.id = id as i32,
                Some(Value::Link(id)) if !id.is_set() => given.fields.push((at as FieldPos, Value::Null)),
                Some(value) => given.fields.push((at as FieldPos, value)),
            }
        }
        Ok(given)
    }

    #[cold]
    fn misread(&self, at: FieldPos, wire_type: WireType, fault: Fault) -> Misread {
        let problem = match fault {
            Fault::Wire(fault) => fault.to_string(),
            Fault::Type => format!("{} is none of its values", wire_type.describe()),
            Fault::Text => "a text that is no UTF-8".to_owned(),
        };
        Misread { field: self.names.get(usize::from(at)).cloned(), problem }
    }
}

/// The id in an `ID` message, 0 when it has none.
///
/// # Errors
///
/// Bytes that are no protobuf.
pub fn read_id(bytes: &[u8]) -> Result<i32, Misread> {
    let mut id = 0;
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        match (number, wire_type) {
            (1, WireType::Varint) => id = reader.varint()? as i32,
            (1, _) => {
                let problem = format!("{} is none of its values", wire_type.describe());
                return Err(Misread { field: Some("id".to_owned()), problem });
            }
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(id)
}

/// Checks a message that says nothing.
///
/// # Errors
///
/// Bytes that are no protobuf.
pub(crate) fn read_empty(bytes: &[u8]) -> Result<(), Misread> {
    let mut reader = Reader::new(bytes);
    while let Some((number, wire_type)) = reader.tag()? {
        reader.skip(number, wire_type)?;
    }
    Ok(())
}

/// Appends a message of unknown length, without a buffer of its own.
pub fn put_message(out: &mut Vec<u8>, number: u16, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, u64::from(number) << 3 | 2);
    // Nearly every object takes 128 to 16383 bytes, so that its length takes two.
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = out.len() - start - 2;
    if (128..16384).contains(&length) {
        out[start] = length as u8 | 0x80;
        out[start + 1] = (length >> 7) as u8;
    } else {
        let mut prefix = Vec::with_capacity(10);
        put_varint(&mut prefix, length as u64);
        out.splice(start..start + 2, prefix);
    }
}

fn put_ids(out: &mut Vec<u8>, number: u16, ids: &[ObjectId]) {
    let ids: Vec<i32> = ids.iter().map(|id| id.get()).collect();
    put_int32s(out, number, &ids);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
