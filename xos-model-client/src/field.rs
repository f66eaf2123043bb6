//! The types a field can have, and typed names of fields for queries.

mod named;

use std::borrow::Cow;
use std::fmt;

use crate::link::{Link, Links};
use crate::model::{ChoiceDef, ConstDefault, Kind, Model};
use crate::spec::{Need, TypeInfo};
use crate::value::{ObjectId, Timestamp, Value};

pub use self::named::{Field, LinkType};
pub use crate::query::Condition;

/// A value that its field cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertFault {
    /// What the field's type expects.
    pub expected: Cow<'static, str>,
    /// What was found.
    pub found: String,
    /// The position in the shape, filled in by the reader.
    pub at: usize,
}

impl ConvertFault {
    /// A fault of this kind of expectation.
    #[doc(hidden)]
    pub fn new(expected: &'static str, found: &Value) -> Self {
        ConvertFault { expected: expected.into(), found: found.kind_name().to_owned(), at: 0 }
    }
}

impl fmt::Display for ConvertFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// A type that a field of a model can have.
///
/// | Rust | xproto |
/// |---|---|
/// | `String` | required string |
/// | `i32`, `u32`, `bool`, `f32` | required int32, uint32, bool, float |
/// | [`Timestamp`] | required string, `content_type = "date"` |
/// | [`Secret`](crate::Secret) | required string, never shown |
/// | an enum with `#[derive(XosChoice)]` | required string, `choices` |
/// | [`Link<M>`] | required manytoone |
/// | [`Links<M>`] | optional manytomany |
/// | `Option<T>` of these | optional |
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a model's field",
    label = "not a type that XOS has",
    note = "use String, Secret, i32, u32, bool, f32, Timestamp, Link<M>, Links<M>, an enum with #[derive(XosChoice)], or an Option of one of them",
    note = "64-bit numbers do not exist on XOS's wire: int32, uint32 and float are all there is"
)]
pub trait FieldType: Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// What the field holds.
    const KIND: Kind;
    /// Whether the field may have no value.
    const OPTIONAL: bool = false;
    /// Whether the value is never shown.
    const SECRET: bool = false;
    /// Where a link leads.
    const LINK: Option<&'static str> = None;
    /// The model that a link leads to.
    #[doc(hidden)]
    const TARGET: Option<Need> = None;
    /// The values it may have; empty for all.
    const CHOICES: &'static [ChoiceDef] = &[];
    /// The values that an `Option` of it may have.
    #[doc(hidden)]
    const CHOICES_OR_NONE: &'static [ChoiceDef] = Self::CHOICES;
    /// All of this in one.
    #[doc(hidden)]
    const INFO: TypeInfo = TypeInfo {
        kind: Self::KIND,
        optional: Self::OPTIONAL,
        secret: Self::SECRET,
        link: Self::LINK,
        target: Self::TARGET,
        choices: Self::CHOICES,
    };
    /// What a query compares the field with.
    type Query: Into<Value>;

    /// What a field without default starts with.
    fn empty() -> Self;
    /// As a value.
    fn to_value(&self) -> Value;
    /// From a value.
    ///
    /// # Errors
    ///
    /// The value is of another kind, or too large.
    fn from_value(value: &Value) -> Result<Self, ConvertFault>;
    /// What a new object has in a field with this default.
    #[doc(hidden)]
    fn from_default(default: ConstDefault) -> Self {
        let value = match default {
            ConstDefault::Null | ConstDefault::Now | ConstDefault::First => return Self::empty(),
            ConstDefault::Text(text) => Value::Text(text.to_owned()),
            ConstDefault::Int(int) => Value::Int(int),
            ConstDefault::Bool(bool) => Value::Bool(bool),
            ConstDefault::Float(float) => Value::Float(float),
        };
        Self::from_value(&value).unwrap_or_else(|_| Self::empty())
    }
    /// The next value of a record.
    #[doc(hidden)]
    fn read(reader: &mut RecordReader<'_>) -> Result<Self, ConvertFault> {
        reader.next()
    }
    /// The text that a person would call the object by, when this is its name.
    #[doc(hidden)]
    fn as_name(&self) -> Option<&str> {
        None
    }
}

/// An enum with `#[derive(XosChoice)]`: a text field that may have certain values only.
///
/// # Examples
///
/// ```
/// # // An author depends on xos-sync alone and leaves `crate` out.
/// use xos_model_client::{Choice, XosChoice};
///
/// #[derive(XosChoice, Clone, Debug, PartialEq)]
/// #[xos(crate = xos_model_client)]
/// pub enum Plane {
///     #[xos(label = "Control Plane")]
///     Control,
///     /// A plane that this program does not know.
///     Other(String),
/// }
///
/// assert_eq!((Plane::Control.as_str(), Plane::Control.label()), ("control", "Control Plane"));
/// assert_eq!(Plane::from("data"), Plane::Other("data".into()));
/// ```
pub trait Choice {
    /// What is stored, such as `control`.
    fn as_str(&self) -> &str;
    /// What people see, such as `Control Plane`.
    fn label(&self) -> &str;
}

/// Types that may stand in an `Option`. `Option<Option<T>>` and `Option<Links<M>>` mean nothing.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be the type of a model's field",
    label = "has no optional form",
    note = "a many-to-many list is empty rather than absent: use Links<M> without Option"
)]
pub trait Optional {}

macro_rules! scalar {
    ($type:ty, $kind:ident, $query:ty, $empty:expr, |$this:ident| $to:expr, |$value:ident| $from:expr) => {
        #[diagnostic::do_not_recommend]
        impl FieldType for $type {
            const KIND: Kind = Kind::$kind;
            type Query = $query;
            fn empty() -> Self {
                $empty
            }
            fn to_value(&self) -> Value {
                let $this = self;
                $to
            }
            fn from_value($value: &Value) -> Result<Self, ConvertFault> {
                $from.ok_or_else(|| ConvertFault::new(Kind::$kind.describe(), $value))
            }
        }
        #[diagnostic::do_not_recommend]
        impl Optional for $type {}
    };
}

/// The core leaves a field out of an answer when it is NULL. Where the field is required, that is its empty value.
fn or_empty<T>(value: &Value, empty: T, found: Option<T>) -> Option<T> {
    if value.is_null() { Some(empty) } else { found }
}

#[diagnostic::do_not_recommend]
impl FieldType for String {
    const KIND: Kind = Kind::Text;
    type Query = String;
    fn empty() -> Self {
        String::new()
    }
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        or_empty(value, String::new(), value.exposed_text().map(str::to_owned))
            .ok_or_else(|| ConvertFault::new(Kind::Text.describe(), value))
    }
    fn as_name(&self) -> Option<&str> {
        (!self.is_empty()).then_some(self)
    }
}
#[diagnostic::do_not_recommend]
impl Optional for String {}

scalar!(i32, Int32, i32, 0, |this| Value::Int(i64::from(*this)), |value| or_empty(
    value,
    0,
    value.as_int().and_then(|int| i32::try_from(int).ok())
));
scalar!(u32, UInt32, u32, 0, |this| Value::Int(i64::from(*this)), |value| or_empty(
    value,
    0,
    value.as_int().and_then(|int| u32::try_from(int).ok())
));
scalar!(bool, Bool, bool, false, |this| Value::Bool(*this), |value| or_empty(value, false, value.as_bool()));
scalar!(f32, Float, f32, 0.0, |this| Value::Float(*this), |value| match value {
    Value::Null => Some(0.0),
    Value::Float(float) => Some(*float),
    Value::Int(int) => Some(*int as f32),
    _ => None,
});
scalar!(
    Timestamp,
    Date,
    Timestamp,
    Timestamp::UNSET,
    |this| if this.is_set() { Value::Time(*this) } else { Value::Null },
    |value| or_empty(value, Timestamp::UNSET, value.as_time())
);

#[diagnostic::do_not_recommend]
impl FieldType for ObjectId {
    const KIND: Kind = Kind::Int32;
    type Query = ObjectId;
    fn empty() -> Self {
        ObjectId::UNSET
    }
    fn to_value(&self) -> Value {
        Value::Int(i64::from(self.get()))
    }
    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        i32::from_value(value).map(ObjectId::new)
    }
}

impl<M: Model> FieldType for Link<M> {
    const KIND: Kind = Kind::Link;
    const LINK: Option<&'static str> = Some(M::MODEL_NAME);
    const TARGET: Option<Need> = Some(M::def);
    type Query = ObjectId;
    fn empty() -> Self {
        Link::unset()
    }
    fn to_value(&self) -> Value {
        if self.is_set() { Value::Link(self.id()) } else { Value::Null }
    }
    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        match value {
            Value::Null => Ok(Link::unset()),
            Value::Link(id) => Ok(Link::to(*id)),
            _ => Err(ConvertFault::new(Kind::Link.describe(), value)),
        }
    }
}
impl<M: Model> Optional for Link<M> {}

impl<M: Model> FieldType for Links<M> {
    const KIND: Kind = Kind::Links;
    const OPTIONAL: bool = true;
    const LINK: Option<&'static str> = Some(M::MODEL_NAME);
    const TARGET: Option<Need> = Some(M::def);
    type Query = ObjectId;
    fn empty() -> Self {
        Links::new()
    }
    fn to_value(&self) -> Value {
        Value::Links(self.ids().to_vec())
    }
    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        match value {
            Value::Null => Ok(Links::new()),
            Value::Links(ids) => Ok(ids.iter().copied().collect()),
            _ => Err(ConvertFault::new(Kind::Links.describe(), value)),
        }
    }
}

impl<T: FieldType + Optional> FieldType for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;
    const SECRET: bool = T::SECRET;
    const LINK: Option<&'static str> = T::LINK;
    const TARGET: Option<Need> = T::TARGET;
    const CHOICES: &'static [ChoiceDef] = T::CHOICES_OR_NONE;
    type Query = T::Query;
    fn empty() -> Self {
        None
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
    fn as_name(&self) -> Option<&str> {
        self.as_ref().and_then(T::as_name)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}
impl From<i32> for Value {
    fn from(int: i32) -> Self {
        Value::Int(i64::from(int))
    }
}
impl From<u32> for Value {
    fn from(int: u32) -> Self {
        Value::Int(i64::from(int))
    }
}
impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Value::Bool(bool)
    }
}
impl From<f32> for Value {
    fn from(float: f32) -> Self {
        Value::Float(float)
    }
}
impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Value::Time(time)
    }
}
impl From<ObjectId> for Value {
    fn from(id: ObjectId) -> Self {
        Value::Link(id)
    }
}

/// Gives the values of a record one after the other, for `read_values`.
#[doc(hidden)]
#[derive(Debug)]
pub struct RecordReader<'a> {
    values: &'a [Value],
    at: usize,
}

impl<'a> RecordReader<'a> {
    pub(crate) fn new(values: &'a [Value]) -> Self {
        RecordReader { values, at: 0 }
    }

    /// The next value as a `T`.
    ///
    /// # Errors
    ///
    /// It is none.
    #[allow(clippy::should_implement_trait, reason = "each value has another type")]
    pub fn next<T: FieldType>(&mut self) -> Result<T, ConvertFault> {
        let at = self.at;
        self.at += 1;
        let value = self.values.get(at).unwrap_or(&Value::Null);
        T::from_value(value).map_err(|fault| ConvertFault { at, ..fault })
    }
}
