//! An object on its way into the store.

use xos_model_client::{FieldFault, ModelInfo, ObjectId, Value};

use super::catalog::{Column, Layout};
use super::db::Db;
use super::fault::{Fault, Outcome};
use super::values::Storage;

/// What is to be stored of an object: all its fields when it is new, else those that change.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// The object's leaf model.
    pub(crate) info: &'a ModelInfo,
    pub(crate) layout: &'a Layout,
    /// Unset for a new object.
    pub(crate) id: ObjectId,
    /// Whether it will be soft-deleted: then most rules do not count any more.
    pub(crate) doomed: bool,
    /// Rules that are broken.
    pub(crate) faults: Vec<FieldFault>,
    /// By field, ascending.
    changes: Vec<(usize, Value)>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(info: &'a ModelInfo, layout: &'a Layout, id: ObjectId, doomed: bool) -> Self {
        Draft { info, layout, id, doomed, faults: Vec::new(), changes: Vec::new() }
    }

    pub(crate) fn is_new(&self) -> bool {
        !self.id.is_set()
    }

    /// What is to be stored of each field.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (usize, &Value)> {
        self.changes.iter().map(|(field, value)| (*field, value))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The new value of a field, when it has one.
    pub(crate) fn get(&self, field: usize) -> Option<&Value> {
        let at = self.changes.binary_search_by_key(&field, |(field, _)| *field).ok()?;
        Some(&self.changes[at].1)
    }

    /// Whether one of these fields changes.
    pub(crate) fn touches(&self, fields: &[usize]) -> bool {
        fields.iter().any(|field| self.get(*field).is_some())
    }

    pub(crate) fn put(&mut self, field: usize, value: Value) {
        match self.changes.binary_search_by_key(&field, |(field, _)| *field) {
            Ok(at) => self.changes[at].1 = value,
            Err(at) => self.changes.insert(at, (field, value)),
        }
    }

    /// Takes a change back.
    pub(crate) fn drop_change(&mut self, field: usize) {
        self.changes.retain(|(other, _)| *other != field);
    }

    /// The value that a field will have.
    pub(crate) fn value(&self, db: &Db, field: usize) -> Outcome<Value> {
        match self.get(field) {
            Some(value) => Ok(value.clone()),
            None if self.is_new() => Ok(Value::Null),
            None => db.value(self.info.id, self.id, field),
        }
    }

    pub(crate) fn column(&self, field: usize) -> &'a Column {
        &self.layout.columns[field]
    }

    /// Whether a list changes.
    pub(crate) fn changes_lists(&self) -> bool {
        self.changes.iter().any(|(field, _)| self.column(*field).storage == Storage::Links)
    }

    /// Notes a broken rule of one field.
    pub(crate) fn fault(&mut self, field: usize, message: impl Into<String>) {
        let name = self.column(field).plain.clone();
        self.faults.push(FieldFault::of(name, message));
    }

    /// Fails when a rule is broken, with all of them.
    pub(crate) fn settle(&mut self) -> Outcome<()> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(Fault::invalid(self.info.name(), self.id, std::mem::take(&mut self.faults)))
    }
}
