//! The values a field can hold.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The id of an object, as the core gave it: an `int32` from 1 on.
///
/// An object that was not created yet has [`ObjectId::UNSET`].
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectId(i32);

impl ObjectId {
    /// The id of an object that the core does not know yet, and of a link to nothing.
    pub const UNSET: ObjectId = ObjectId(0);

    /// The id with this number.
    pub const fn new(id: i32) -> Self {
        ObjectId(id)
    }

    /// The number, 0 when unset.
    pub const fn get(self) -> i32 {
        self.0
    }

    /// Whether this is the id of an object.
    pub const fn is_set(self) -> bool {
        self.0 != 0
    }
}

impl From<i32> for ObjectId {
    fn from(id: i32) -> Self {
        ObjectId(id)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A point in time as the core keeps it: seconds since 1970 UTC, in a double.
///
/// The double is kept **bit for bit**. `enacted` is compared with `updated`; a clock that was rounded once, on its way
/// through another type, made objects synchronize for ever (SEBA-68). So there is no arithmetic here, only a copy and
/// an order.
#[derive(Copy, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(f64);

impl Timestamp {
    /// The time that nothing has yet: 0, what an unsaved object has in `updated`.
    pub const UNSET: Timestamp = Timestamp(0.0);

    /// A time from seconds since 1970 UTC.
    pub const fn from_seconds(seconds: f64) -> Self {
        Timestamp(seconds)
    }

    /// Seconds since 1970 UTC, the same bits that came in.
    pub const fn seconds(self) -> f64 {
        self.0
    }

    /// A time from whole microseconds since 1970 UTC, what the core's own clock counts in.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros as f64 / 1_000_000.0)
    }

    /// Microseconds since 1970 UTC, rounded: for people and for arithmetic, never for comparing versions.
    pub fn micros(self) -> i64 {
        (self.0 * 1_000_000.0).round() as i64
    }

    /// Now, by the system's clock.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Whether this is a time at all, and not what an unsaved object has.
    pub fn is_set(self) -> bool {
        self.0 != 0.0
    }
}

impl PartialEq for Timestamp {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Timestamp {}

impl PartialOrd for Timestamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timestamp {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.micros()) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{} s since 1970", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One value of a record.
#[derive(Clone, Default, Serialize, Deserialize)]
pub enum Value {
    /// Nothing: an optional field that is not set, a link to nothing.
    #[default]
    Null,
    /// `bool`.
    Bool(bool),
    /// `int32` or `uint32`.
    Int(i64),
    /// `float`, 32 bits on the wire.
    Float(f32),
    /// A date, `double` on the wire.
    Time(Timestamp),
    /// Every kind of string.
    Text(String),
    /// A string that is never shown, and never serialized: a field of type [`Secret`].
    #[serde(skip)]
    Secret(Secret),
    /// A link to one object.
    Link(ObjectId),
    /// A many-to-many list.
    Links(Vec<ObjectId>),
}

impl Value {
    /// What kind of value this is, in words for an error.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Time(_) => "a time",
            Value::Text(_) => "a text",
            Value::Secret(_) => "a secret text",
            Value::Link(_) => "a link",
            Value::Links(_) => "a list of links",
        }
    }

    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, when it is one. A secret is none: see [`as_secret`](Value::as_secret).
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The secret, when it is one.
    pub fn as_secret(&self) -> Option<&Secret> {
        if let Value::Secret(secret) = self { Some(secret) } else { None }
    }

    /// What is stored and sent of a text, secret or not. For codecs and stores; it is not to be shown.
    #[doc(hidden)]
    pub fn exposed_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Secret(secret) => Some(secret.expose()),
            _ => None,
        }
    }

    /// The same, a text being a secret.
    #[doc(hidden)]
    pub fn into_secret(self) -> Self {
        match self {
            Value::Text(text) => Value::Secret(Secret::new(text)),
            other => other,
        }
    }

    /// The integer, when it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Value::Int(int) = self { Some(*int) } else { None }
    }

    /// The bool, when it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The time, when it is one.
    pub fn as_time(&self) -> Option<Timestamp> {
        if let Value::Time(time) = self { Some(*time) } else { None }
    }

    /// The linked object, when it is a link that is set.
    pub fn as_link(&self) -> Option<ObjectId> {
        if let Value::Link(id) = self { id.is_set().then_some(*id) } else { None }
    }
}

impl PartialEq for Value {
    /// Values of one kind are compared. A secret is as equal as its text: what a program knows to be a secret, a core
    /// may take for a text.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Int(one), Value::Int(other)) => one == other,
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Time(one), Value::Time(other)) => one == other,
            (Value::Link(one), Value::Link(other)) => one == other,
            (Value::Links(one), Value::Links(other)) => one == other,
            _ => match (self.exposed_text(), other.exposed_text()) {
                (Some(one), Some(other)) => one == other,
                _ => false,
            },
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            Value::Int(value) => f.debug_tuple("Int").field(value).finish(),
            Value::Float(value) => f.debug_tuple("Float").field(value).finish(),
            Value::Time(value) => f.debug_tuple("Time").field(value).finish(),
            Value::Text(value) => f.debug_tuple("Text").field(value).finish(),
            Value::Secret(value) => value.fmt(f),
            Value::Link(value) => f.debug_tuple("Link").field(value).finish(),
            Value::Links(value) => f.debug_tuple("Links").field(value).finish(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("(none)"),
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Time(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
            Value::Secret(_) => f.write_str("(secret)"),
            Value::Link(value) => value.fmt(f),
            Value::Links(value) => write!(f, "{value:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_keeps_its_bits() {
        for bits in [0x41D7_E9A3_1234_5678_u64, 1, 0x3FF0_0000_0000_0001] {
            let seconds = f64::from_bits(bits);
            assert_eq!(Timestamp::from_seconds(seconds).seconds().to_bits(), bits);
        }
    }

    #[test]
    fn a_timestamp_reads_as_a_date() {
        assert_eq!(Timestamp::from_micros(1_606_000_000_500_000).to_string(), "2020-11-21T23:06:40.5Z");
    }

    #[test]
    fn times_one_microsecond_apart_are_in_order() {
        assert!(
            Timestamp::from_micros(1_700_000_000_000_001) > Timestamp::from_micros(1_700_000_000_000_000)
        );
    }
}
