//! Which objects of a model are wanted.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::model::{FieldName, Model};
use crate::record::Shape;
use crate::value::Value;

/// Which objects are looked at, before conditions: the query kinds of the core.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum QueryKind {
    /// Live objects.
    #[default]
    Live,
    /// Live objects that a synchronizer has to look at: not `no_sync`, not `lazy_blocked`, and `enacted` unset or
    /// older than `updated` or `changed_by_policy`.
    DirtyObjects,
    /// Soft-deleted objects.
    DeletedObjects,
    /// Live objects that a policy has to look at: not `no_policy`, and `policed` unset or older than `updated` or
    /// `changed_by_step`.
    DirtyPolicies,
    /// Soft-deleted objects that a delete policy has to look at: `policed` unset or older than `updated`.
    DeletedPolicies,
}

/// How a field is compared: the operators of the core, with their numbers on the wire.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`; of a many-to-many list: has this member.
    Equal = 0,
    /// `>`
    GreaterThan = 1,
    /// `<`
    LessThan = 2,
    /// `>=`
    GreaterThanOrEqual = 3,
    /// `<=`
    LessThanOrEqual = 4,
    /// Equal but for upper and lower case.
    IExact = 5,
    /// Has this part.
    Contains = 6,
    /// Has this part but for upper and lower case.
    IContains = 7,
    /// A regular expression matches.
    Regex = 8,
    /// A regular expression matches, upper and lower case taken as equal.
    IRegex = 9,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The field, or a path over links with `__` between the names, such as `owner__name`.
    pub field: FieldName,
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub value: Value,
    /// Whether the condition must **not** hold. A field without value does not fulfil a condition, and so fulfils
    /// its inversion.
    pub invert: bool,
}

/// A condition on a field of `M`, for objects of `M` and of models that inherit from it.
pub struct Cond<M> {
    condition: Condition,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Cond<M> {
    pub(crate) fn new(condition: Condition) -> Self {
        Cond { condition, model: PhantomData }
    }

    /// The opposite.
    #[allow(clippy::should_implement_trait, reason = "a method needs no trait in scope")]
    pub fn not(mut self) -> Self {
        self.condition.invert = !self.condition.invert;
        self
    }

    /// Without the type.
    pub fn into_condition(self) -> Condition {
        self.condition
    }
}

impl<M> Clone for Cond<M> {
    fn clone(&self) -> Self {
        Cond { condition: self.condition.clone(), model: PhantomData }
    }
}

impl<M> fmt::Debug for Cond<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

/// Which objects of which model are wanted, and in which shape.
#[derive(Clone, Debug)]
pub struct Query {
    /// The model, and the fields wanted of it.
    pub shape: Arc<Shape>,
    /// Which objects are looked at.
    pub kind: QueryKind,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
}

impl Query {
    /// All live objects of the shape's model.
    pub fn live(shape: Arc<Shape>) -> Self {
        Query { shape, kind: QueryKind::Live, conditions: Vec::new() }
    }

    /// The same model and shape, another kind.
    pub fn of_kind(mut self, kind: QueryKind) -> Self {
        self.kind = kind;
        self
    }

    /// One condition more.
    pub fn with(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }
}
