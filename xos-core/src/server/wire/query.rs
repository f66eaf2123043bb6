//! A `Query` message, read.

use xos_model_client::grpc::__wire::{Reader, WireType};

use super::Misread;

/// What a `Query` message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryMessage {
    /// The kind's number; 0 when there is none.
    pub kind: i32,
    /// The conditions.
    pub elements: Vec<Element>,
}

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The operator's number.
    pub operator: i32,
    /// Whether it must not hold.
    pub invert: bool,
    /// The field, a path, or either with a lookup of Django behind it.
    pub name: String,
    /// What the field is compared with, `None` when nothing is said.
    pub value: Option<Operand>,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// `sValue`.
    Text(String),
    /// `iValue`.
    Number(i32),
}

impl QueryMessage {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// Bytes that are no protobuf, a value of another type, a text that is no UTF-8.
    pub fn read(bytes: &[u8]) -> Result<Self, Misread> {
        let mut query = QueryMessage::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire_type)) = reader.tag()? {
            match (number, wire_type) {
                (1, WireType::Varint) => query.kind = reader.varint()? as i32,
                (2, WireType::Bytes) => query.elements.push(Element::read(reader.bytes()?)?),
                (1 | 2, _) => return Err(other_type(["kind", "elements"], number, wire_type)),
                _ => reader.skip(number, wire_type)?,
            }
        }
        Ok(query)
    }
}

impl Element {
    fn read(bytes: &[u8]) -> Result<Self, Misread> {
        let mut element = Element::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, wire_type)) = reader.tag()? {
            match (number, wire_type) {
                (1, WireType::Varint) => element.operator = reader.varint()? as i32,
                (2, WireType::Varint) => element.invert = reader.varint()? != 0,
                (3, WireType::Bytes) => element.name = text("name", reader.bytes()?)?,
                (4, WireType::Bytes) => {
                    element.value = Some(Operand::Text(text("sValue", reader.bytes()?)?));
                }
                (5, WireType::Varint) => element.value = Some(Operand::Number(reader.varint()? as i32)),
                (1..=5, _) => {
                    let names = ["operator", "invert", "name", "sValue", "iValue"];
                    return Err(other_type(names, number, wire_type));
                }
                _ => reader.skip(number, wire_type)?,
            }
        }
        Ok(element)
    }
}

fn text(field: &str, bytes: &[u8]) -> Result<String, Misread> {
    let problem = "a text that is no UTF-8".to_owned();
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Misread { field: Some(field.to_owned()), problem })
}

fn other_type<const N: usize>(names: [&str; N], number: u32, wire_type: WireType) -> Misread {
    let field = names.get(number as usize - 1).map(|name| (*name).to_owned());
    Misread { field, problem: format!("{} is none of its values", wire_type.describe()) }
}
