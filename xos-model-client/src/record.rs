//! A record, and the shape it is laid out in.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{FieldDef, FieldName, Kind, ModelName};
use crate::value::{ObjectId, Value};

/// The position of a committed change in the core's history: each change of an object gets the next one.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

/// One field of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeField {
    /// The name in the core; of a link without `_id`.
    pub name: FieldName,
    /// What the caller takes it for.
    pub kind: Kind,
}

/// The ordered list of fields that a caller wants of a model.
///
/// A typed caller passes the static shape of its struct, so that a record becomes a struct by position. An accessor
/// resolves names to columns or wire numbers once per shape and keeps that under [`id`](Shape::id).
pub struct Shape {
    id: u64,
    model: ModelName,
    fields: Box<[ShapeField]>,
    index: HashMap<FieldName, u16>,
    /// The positions of fields whose values are never shown, ascending.
    secrets: Box<[u16]>,
}

impl Shape {
    /// The shape with these fields of this model.
    pub fn new(model: impl Into<ModelName>, fields: impl IntoIterator<Item = ShapeField>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let fields: Box<[ShapeField]> = fields.into_iter().collect();
        let index = fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at as u16)).collect();
        Shape {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            model: model.into(),
            fields,
            index,
            secrets: Box::default(),
        }
    }

    /// The shape with these fields of this model, which knows the secret ones.
    pub fn of_fields<'f>(
        model: impl Into<ModelName>,
        fields: impl IntoIterator<Item = &'f FieldDef>,
    ) -> Self {
        let mut secrets = Vec::new();
        let fields = fields.into_iter().zip(0_u16..).map(|(field, at)| {
            secrets.extend(field.is_secret().then_some(at));
            ShapeField { name: field.name.clone(), kind: field.kind }
        });
        let fields: Vec<ShapeField> = fields.collect();
        Shape { secrets: secrets.into(), ..Shape::new(model, fields) }
    }

    /// Whether a field is a secret.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// Whether the field at a position is a secret.
    pub fn is_secret(&self, position: usize) -> bool {
        self.secrets.iter().any(|at| usize::from(*at) == position)
    }

    /// A number that no other shape in this process has: the key under which plans for this shape are kept.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The model whose fields these are.
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The fields, in order.
    pub fn fields(&self) -> &[ShapeField] {
        &self.fields
    }

    /// Where the field with this name is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).map(|at| *at as usize)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({}, {} fields)", self.model, self.fields.len())
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            || (self.model == other.model && self.fields == other.fields && self.secrets == other.secrets)
    }
}

/// The values of one object, in the order of a shape. Cheap to clone: the values are shared.
#[derive(Clone, PartialEq)]
pub struct Record {
    shape: Arc<Shape>,
    values: Arc<[Value]>,
    revision: Option<Revision>,
}

impl Record {
    /// A record of this shape. Missing values are [`Value::Null`], surplus ones are dropped.
    pub fn new(shape: Arc<Shape>, mut values: Vec<Value>) -> Self {
        values.resize(shape.fields().len(), Value::Null);
        // Whoever reads a record cannot show a secret by accident, wherever the record came from.
        for at in &shape.secrets {
            if let Some(value) = values.get_mut(usize::from(*at)) {
                *value = std::mem::take(value).into_secret();
            }
        }
        Record { shape, values: values.into(), revision: None }
    }

    /// The same values under another shape, which must have the same fields in the same order.
    pub fn with_shape(self, shape: Arc<Shape>) -> Self {
        if shape.fields().len() == self.values.len() && shape.secrets == self.shape.secrets {
            return Record { shape, ..self };
        }
        let record = Record::new(shape, self.values.to_vec());
        Record { revision: self.revision, ..record }
    }

    /// The same, as it was at this revision.
    pub fn at_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// The shape.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The values, in the order of the shape.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The core's revision that it was read at, where the core counts them.
    pub fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The value of the field with this name, `None` when the shape has no such field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.values.get(self.shape.position(field)?)
    }

    /// The id, unset when the shape has none.
    pub fn id(&self) -> ObjectId {
        match self.get("id") {
            Some(Value::Int(id)) => ObjectId::new(*id as i32),
            Some(Value::Link(id)) => *id,
            _ => ObjectId::UNSET,
        }
    }

    /// Each field with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&ShapeField, &Value)> {
        self.shape.fields().iter().zip(self.values.iter())
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets of a service: a record shows what it is, not what it holds.
        write!(f, "Record({} {})", self.shape.model(), self.id())
    }
}
