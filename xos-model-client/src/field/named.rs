//! Typed names of fields, for queries.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::FieldType;
use crate::link::{Link, Links};
use crate::model::{FieldName, IsA, Model};
use crate::query::{Cond, Condition, Operator};
use crate::value::Value;

/// A field of model `M` with type `T`: the typed constants that the derive makes, such as `Slice::NAME`.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Query, models::Slice};
///
/// let one = Slice::NAME.eq("mysite_demo1");
/// let others = Slice::NAME.eq("mysite_demo1").not();
/// let by_site = Slice::SITE.eq(3);
/// # let _ = (one, others, by_site);
/// ```
pub struct Field<M, T> {
    name: FieldName,
    types: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Field<M, T> {
    /// The field with this name.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Field { name: Cow::Borrowed(name), types: PhantomData }
    }

    /// The name in the core; a path has `__` between its names.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<M: Model, T: FieldType> Field<M, T> {
    fn compare(self, operator: Operator, value: Value) -> Cond<M> {
        Cond::new(Condition { field: self.name, operator, value, invert: false })
    }

    /// The field has this value. A secret can be asked for like this only. A link is compared with an id or another link; a many-to-many list with one of its
    /// members.
    pub fn eq(self, value: impl Into<T::Query>) -> Cond<M> {
        self.compare(Operator::Equal, value.into().into())
    }

    /// The field is greater.
    pub fn gt(self, value: impl Into<T::Query>) -> Cond<M> {
        const { only_equal(T::SECRET) };
        self.compare(Operator::GreaterThan, value.into().into())
    }

    /// The field is greater or equal.
    pub fn ge(self, value: impl Into<T::Query>) -> Cond<M> {
        const { only_equal(T::SECRET) };
        self.compare(Operator::GreaterThanOrEqual, value.into().into())
    }

    /// The field is less.
    pub fn lt(self, value: impl Into<T::Query>) -> Cond<M> {
        const { only_equal(T::SECRET) };
        self.compare(Operator::LessThan, value.into().into())
    }

    /// The field is less or equal.
    pub fn le(self, value: impl Into<T::Query>) -> Cond<M> {
        const { only_equal(T::SECRET) };
        self.compare(Operator::LessThanOrEqual, value.into().into())
    }
}

/// Asked for what is greater, a core would tell a secret letter by letter.
const fn only_equal(secret: bool) {
    assert!(!secret, "a secret can be asked for with `eq` only");
}

impl<M: Model, T: FieldType<Query = String>> Field<M, T> {
    /// The text is this one but for upper and lower case.
    pub fn iexact(self, text: impl Into<String>) -> Cond<M> {
        self.compare(Operator::IExact, Value::Text(text.into()))
    }

    /// The text has this part.
    pub fn contains(self, part: impl Into<String>) -> Cond<M> {
        self.compare(Operator::Contains, Value::Text(part.into()))
    }

    /// The text has this part but for upper and lower case.
    pub fn icontains(self, part: impl Into<String>) -> Cond<M> {
        self.compare(Operator::IContains, Value::Text(part.into()))
    }

    /// The regular expression matches somewhere in the text.
    pub fn regex(self, pattern: impl Into<String>) -> Cond<M> {
        self.compare(Operator::Regex, Value::Text(pattern.into()))
    }

    /// The regular expression matches somewhere in the text, upper and lower case taken as equal.
    pub fn iregex(self, pattern: impl Into<String>) -> Cond<M> {
        self.compare(Operator::IRegex, Value::Text(pattern.into()))
    }
}

impl<M: Model, T: LinkType> Field<M, T> {
    /// A field of the object that this link leads to.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_model_client::models::{Service, ServiceInstance};
    ///
    /// let hellos = ServiceInstance::OWNER.to(Service::NAME).eq("HelloWorld");
    /// # let _ = hellos;
    /// ```
    pub fn to<B, U>(self, field: Field<B, U>) -> Field<M, U>
    where
        T::Target: IsA<B>,
    {
        Field { name: Cow::Owned(format!("{}__{}", self.name, field.name)), types: PhantomData }
    }
}

/// A link, required or optional.
pub trait LinkType: FieldType {
    /// The model it leads to.
    type Target: Model;
}
impl<M: Model> LinkType for Link<M> {
    type Target = M;
}
impl<M: Model> LinkType for Option<Link<M>> {
    type Target = M;
}
impl<M: Model> LinkType for Links<M> {
    type Target = M;
}

impl<M, T> Clone for Field<M, T> {
    fn clone(&self) -> Self {
        Field { name: self.name.clone(), types: PhantomData }
    }
}

impl<M, T> fmt::Debug for Field<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
