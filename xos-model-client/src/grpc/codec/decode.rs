//! From bytes to records.

use super::plan::{Place, Plan, Type};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::wire::{Reader, WireFault, WireType};
use crate::record::Record;
use crate::value::{ObjectId, Timestamp, Value};

impl Plan {
    /// The object that a message is.
    ///
    /// A field that is not there is [`Value::Null`], a list that is not there is empty, of several values of one
    /// field the last one counts. What the shape does not ask for is left out, whether the schema knows it or not.
    ///
    /// # Errors
    ///
    /// Bytes that are no message, a text that is no UTF-8, a value of another type than the schema says: the error
    /// names the object and, where it is known, the field.
    pub fn decode(&self, bytes: &[u8]) -> Result<Record> {
        let mut values = vec![Value::Null; self.places.len()];
        for at in &self.lists {
            values[usize::from(*at)] = Value::Links(Vec::new());
        }
        let mut reader = Reader::new(bytes);
        loop {
            let (number, wire_type) = match reader.tag() {
                Ok(Some(tag)) => tag,
                Ok(None) => break,
                Err(fault) => return Err(self.broken(bytes, fault)),
            };
            let wanted = self.by_number.get(number as usize).copied().flatten();
            let Some((at, kind)) = wanted else {
                reader.skip(number, wire_type).map_err(|fault| self.broken(bytes, fault))?;
                continue;
            };
            let at = usize::from(at);
            read(&mut reader, kind, wire_type, &mut values[at])
                .map_err(|fault| self.fault(bytes, &self.places[at], wire_type, fault))?;
        }
        for (twin, first) in &self.twins {
            values[usize::from(*twin)] = values[usize::from(*first)].clone();
        }
        Ok(Record::new(self.shape.clone(), values))
    }

    /// The objects that a list has, in its order. One that cannot be read is its own failure.
    ///
    /// # Errors
    ///
    /// Bytes that are no list.
    pub fn decode_list(&self, bytes: &[u8]) -> Result<Vec<Result<Record>>> {
        let items = u32::from(self.items);
        let mut found = Vec::new();
        let mut reader = Reader::new(bytes);
        loop {
            match reader.tag() {
                Ok(Some((number, WireType::Bytes))) if number == items => {
                    let item = reader.bytes().map_err(|fault| self.broken_list(fault))?;
                    found.push(self.decode(item));
                }
                Ok(Some((number, wire_type))) => {
                    reader.skip(number, wire_type).map_err(|fault| self.broken_list(fault))?;
                }
                Ok(None) => return Ok(found),
                Err(fault) => return Err(self.broken_list(fault)),
            }
        }
    }

    /// A message that is none.
    #[cold]
    fn broken(&self, bytes: &[u8], fault: WireFault) -> Error {
        ErrorKind::Convert {
            model: self.shape.model().clone(),
            id: id_of(bytes),
            field: "(the whole object)".to_owned(),
            expected: "a protobuf message".to_owned(),
            found: fault.to_string(),
        }
        .into()
    }

    #[cold]
    fn broken_list(&self, fault: WireFault) -> Error {
        ErrorKind::Convert {
            model: self.shape.model().clone(),
            id: ObjectId::UNSET,
            field: "(the whole list)".to_owned(),
            expected: "a protobuf message with a list of objects".to_owned(),
            found: fault.to_string(),
        }
        .into()
    }

    #[cold]
    fn fault(&self, bytes: &[u8], place: &Place, wire_type: WireType, fault: Fault) -> Error {
        let found = match fault {
            Fault::Wire(fault) => fault.to_string(),
            Fault::Type => format!("{} on the wire", wire_type.describe()),
            Fault::Text => "a text that is no UTF-8".to_owned(),
        };
        self.convert(id_of(bytes), place, found)
    }
}

/// Why a value cannot be read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are no protobuf.
    Wire(WireFault),
    /// It has another type on the wire.
    Type,
    /// It is no UTF-8.
    Text,
}

impl From<WireFault> for Fault {
    fn from(fault: WireFault) -> Self {
        Fault::Wire(fault)
    }
}

/// Reads the value of one field. A list is added to the one that is there already.
///
/// # Errors
///
/// Bytes that are no value of this type.
#[inline(always)]
#[allow(clippy::inline_always, reason = "the loop over the fields is a third slower without")]
pub fn read(
    reader: &mut Reader<'_>,
    kind: Type,
    wire_type: WireType,
    value: &mut Value,
) -> Result<(), Fault> {
    match (kind, wire_type) {
        (Type::Text, WireType::Bytes) => {
            let text = std::str::from_utf8(reader.bytes()?).map_err(|_| Fault::Text)?;
            *value = Value::Text(text.to_owned());
        }
        // Of a longer varint the lower 32 bits count, as in every protobuf library.
        (Type::Int32, WireType::Varint) => *value = Value::Int(i64::from(reader.varint()? as i32)),
        (Type::UInt32, WireType::Varint) => *value = Value::Int(i64::from(reader.varint()? as u32)),
        (Type::Bool, WireType::Varint) => *value = Value::Bool(reader.varint()? != 0),
        (Type::Float, WireType::Fixed32) => *value = Value::Float(f32::from_bits(reader.fixed32()?)),
        (Type::Date, WireType::Fixed64) => {
            *value = Value::Time(Timestamp::from_seconds(f64::from_bits(reader.fixed64()?)));
        }
        (Type::Link, WireType::Varint) => *value = Value::Link(ObjectId::new(reader.varint()? as i32)),
        (Type::Links, WireType::Bytes | WireType::Varint) => {
            // The decoder started with an empty list.
            let Value::Links(ids) = value else { return Err(Fault::Type) };
            if wire_type == WireType::Varint {
                ids.push(ObjectId::new(reader.varint()? as i32));
            } else {
                let packed = reader.bytes()?;
                let mut list = Reader::new(packed);
                while list.offset() < packed.len() {
                    ids.push(ObjectId::new(list.varint()? as i32));
                }
            }
        }
        _ => return Err(Fault::Type),
    }
    Ok(())
}

/// The id in a message that may be broken, as far as it can be found.
fn id_of(bytes: &[u8]) -> ObjectId {
    let mut id = ObjectId::UNSET;
    let mut reader = Reader::new(bytes);
    while let Ok(Some((number, wire_type))) = reader.tag() {
        if (number, wire_type) == (1, WireType::Varint) {
            let Ok(found) = reader.varint() else { break };
            id = ObjectId::new(found as i32);
        } else if reader.skip(number, wire_type).is_err() {
            break;
        }
    }
    id
}
