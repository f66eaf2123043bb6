//! Queries as messages.
//!
//! The core gives names and values to Django as they are. What Django would take for something else, or not at all,
//! is refused here with the words of the embedded core: one question has one answer, whichever core is asked.

use bytes::Bytes;

use super::plan::Plan;
use crate::compared::{ONLY_EQUAL, bool, expected, integer, is_of_text, link, name, parse_time};
use crate::error::{Error, ErrorKind, Result};
use crate::grpc::wire::{put_bool, put_bytes, put_int32, put_text};
use crate::model::Kind;
use crate::query::{Condition, Operator, QueryKind};
use crate::schema::{FieldInfo, ModelInfo};
use crate::value::{ObjectId, Timestamp, Value};

/// The numbers of `Query` and `QueryElement` (xos-framework.md §3.2).
mod tag {
    pub(super) const KIND: u16 = 1;
    pub(super) const ELEMENTS: u16 = 2;
    pub(super) const OPERATOR: u16 = 1;
    pub(super) const INVERT: u16 = 2;
    pub(super) const NAME: u16 = 3;
    pub(super) const TEXT: u16 = 4;
    pub(super) const INT: u16 = 5;
}

/// `ALL`: live objects, conditions ignored. `DEFAULT`, which is 0, is live objects with conditions: without any it
/// is an error of the core.
const ALL: i32 = 1;

/// What a field is compared with: exactly one of the two.
#[derive(Clone, Debug, PartialEq)]
enum Compared {
    Text(String),
    Int(i32),
}

impl Plan {
    /// The message that asks for the objects of a kind for which all conditions hold, and whose id is larger than
    /// `after` where that is set.
    ///
    /// # Errors
    ///
    /// A field that the core does not have, a comparison that means nothing for the field.
    pub fn encode_query(&self, kind: QueryKind, conditions: &[Condition], after: ObjectId) -> Result<Bytes> {
        let info = self.remote.schema.expect_model(self.shape.model())?;
        let mut out = Vec::with_capacity(32 * (conditions.len() + 1));
        let kind = match kind {
            QueryKind::Live if conditions.is_empty() && !after.is_set() => ALL,
            QueryKind::Live => 0,
            QueryKind::DirtyObjects => 2,
            QueryKind::DeletedObjects => 3,
            QueryKind::DirtyPolicies => 4,
            QueryKind::DeletedPolicies => 5,
        };
        if kind != 0 {
            put_int32(&mut out, tag::KIND, kind);
        }
        let mut element = Vec::with_capacity(64);
        for condition in conditions {
            let (name, compared) = self.resolve(info, condition)?;
            element.clear();
            put_element(&mut element, condition.operator, condition.invert, &name, &compared);
            put_bytes(&mut out, tag::ELEMENTS, &element);
        }
        if after.is_set() {
            element.clear();
            put_element(&mut element, Operator::GreaterThan, false, "id", &Compared::Int(after.get()));
            put_bytes(&mut out, tag::ELEMENTS, &element);
        }
        Ok(out.into())
    }

    /// A condition's path in the core's words, and what is at its end compared with what.
    fn resolve(&self, model: &ModelInfo, condition: &Condition) -> Result<(String, Compared)> {
        let mut info = model;
        let mut name = String::with_capacity(condition.field.len() + 8);
        let mut parts = condition.field.split("__").peekable();
        loop {
            let part = parts.next().unwrap_or("");
            let field = info.expect_field(if part == "pk" { "id" } else { part })?;
            name.push_str(&field.def.name);
            if parts.peek().is_none() {
                let compared = compared(field, condition).map_err(|reason| fault(info, condition, reason))?;
                if is_nothing(&condition.value) {
                    name.push_str("__isnull");
                }
                return Ok((name, compared));
            }
            if field.def.link.is_none() {
                let reason = format!("\"{}\" is no link, so nothing follows it", field.def.name);
                return Err(fault(info, condition, reason));
            }
            let Some(target) = field.target.and_then(|target| self.remote.schema.by_id(target)) else {
                let target = field.def.link.as_ref().map(|link| link.target.as_ref()).unwrap_or_default();
                let reason =
                    format!("\"{}\" leads to {target}, which the core does not serve", field.def.name);
                return Err(fault(info, condition, reason));
            };
            info = target;
            name.push_str("__");
        }
    }
}

fn put_element(out: &mut Vec<u8>, operator: Operator, invert: bool, name: &str, compared: &Compared) {
    if operator != Operator::Equal {
        put_int32(out, tag::OPERATOR, operator as i32);
    }
    if invert {
        put_bool(out, tag::INVERT, true);
    }
    put_text(out, tag::NAME, name);
    match compared {
        Compared::Text(text) => put_text(out, tag::TEXT, text),
        Compared::Int(int) => put_int32(out, tag::INT, *int),
    }
}

/// What the field at the end of a path is compared with; or why it cannot be.
fn compared(field: &FieldInfo, condition: &Condition) -> Result<Compared, String> {
    let (kind, operator, value) = (field.def.kind, condition.operator, &condition.value);
    if operator != Operator::Equal && (field.def.is_secret() || value.as_secret().is_some()) {
        return Err(ONLY_EQUAL.to_owned());
    }
    if kind == Kind::Links && operator != Operator::Equal {
        return Err("a list of links can only be asked for one of its members (equal)".to_owned());
    }
    if is_nothing(value) {
        return match operator {
            // `<field>__isnull = 1`
            Operator::Equal => Ok(Compared::Int(1)),
            _ => Err("nothing can only be asked for with \"equal\"".to_owned()),
        };
    }
    if is_of_text(operator) && !kind.is_text() {
        return Err(format!("{} is no text, and {} is for texts only", kind.describe(), name(operator)));
    }
    if kind == Kind::Bool && operator != Operator::Equal {
        return Err(format!(
            "true or false can only be asked for with \"equal\", not with {}",
            name(operator)
        ));
    }
    Ok(match kind {
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => match value {
            Value::Text(_) | Value::Secret(_) => match value.exposed_text().unwrap_or_default() {
                text if text.contains('\0') => {
                    return Err("no text of the core contains the character NUL".to_owned());
                }
                text => Compared::Text(text.to_owned()),
            },
            _ => return Err(expected("a text", value)),
        },
        Kind::Bool => Compared::Int(i32::from(bool(value)?)),
        Kind::Int32 | Kind::UInt32 => number(integer(value)?),
        Kind::Float => Compared::Text(float(value)?),
        Kind::Date => Compared::Text(time(value)?),
        Kind::Link | Kind::Links => number(link(value)?),
    })
}

/// Whether a value stands for "nothing".
fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null) || matches!(value, Value::Link(id) if !id.is_set())
}

/// A number, as a text where it is larger than the 32 bits there are for it.
fn number(int: i64) -> Compared {
    i32::try_from(int).map_or_else(|_| Compared::Text(int.to_string()), Compared::Int)
}

/// A float came over the wire with 32 bits and is kept with 64: only the text of those 64 is equal to it.
fn float(value: &Value) -> Result<String, String> {
    let float = match value {
        Value::Float(float) => *float,
        Value::Int(int) => *int as f32,
        Value::Text(text) => text.parse().map_err(|_| expected("a number", value))?,
        _ => return Err(expected("a number", value)),
    };
    if float.is_finite() {
        Ok(f64::from(float).to_string())
    } else {
        Err("expected a number, found one that is not finite".to_owned())
    }
}

/// A time as Django reads it, to the microsecond: `2024-05-31T12:00:00.123456Z`.
fn time(value: &Value) -> Result<String, String> {
    const WANTED: &str = "a time such as 2024-05-31T12:00:00Z";
    let wrong = || expected(WANTED, value);
    let micros = match value {
        Value::Time(time) => time.micros(),
        Value::Int(seconds) => seconds.checked_mul(1_000_000).ok_or_else(wrong)?,
        Value::Float(seconds) => Timestamp::from_seconds(f64::from(*seconds)).micros(),
        Value::Text(text) => parse_time(text).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    // Python counts from year 1 to year 9999, and 9999 ends sooner where clocks are ahead.
    let time = jiff::Timestamp::from_microsecond(micros).map_err(|_| wrong())?;
    let text = time.to_string();
    if text.starts_with('-') || text.starts_with("0000") { Err(wrong()) } else { Ok(text) }
}

fn fault(info: &ModelInfo, condition: &Condition, reason: String) -> Error {
    let (model, field) = (info.name().clone(), condition.field.to_string());
    ErrorKind::Query { model, field, reason }.into()
}
