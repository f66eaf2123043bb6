//! What the code that the derives write needs; no promise of stability.

use crate::error::{ErrorKind, Result};
use crate::field::RecordReader;
use crate::model::{Model, Names};
use crate::origin::Origin;
use crate::record::Record;

pub use crate::model::{ConstDefault, ValidatorDef, default_of};
pub use crate::record::{Shape, ShapeField};
pub use std::borrow::Cow;
pub use std::sync::{Arc, LazyLock};

/// A field of a model must not hide an inherited one: through `Deref` the inner one could not be reached any more.
///
/// # Panics
///
/// At compile time, when a name is in both.
#[allow(clippy::panic)]
pub const fn no_shadowing(base: &Names, own: &[&str]) {
    let mut level = Some(base);
    while let Some(names) = level {
        let mut at = 0;
        while at < names.own.len() {
            let mut mine = 0;
            while mine < own.len() {
                assert!(
                    !same(names.own[at].as_bytes(), own[mine].as_bytes()),
                    "a field of this model has the name of an inherited field; give it another name"
                );
                mine += 1;
            }
            at += 1;
        }
        level = names.base;
    }
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The shape of a model's struct: the fields of its chain, from the root down.
pub fn shape_of<M: Model>() -> Arc<Shape> {
    let mut chain = vec![M::def()];
    while let Some(base) = chain.last().and_then(|def| def.base.clone()) {
        let next = chain.last().and_then(|def| def.needs.iter().map(|need| need()).find(|need| need.name == base));
        match next {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    let fields = chain.iter().rev().flat_map(|def| def.fields.iter());
    Arc::new(Shape::new(M::MODEL_NAME, fields.map(|field| ShapeField { name: field.name.clone(), kind: field.kind })))
}

pub(crate) fn from_record<M: Model>(record: Record) -> Result<M> {
    let mut object = M::read_values(&mut RecordReader::new(record.values())).map_err(|fault| ErrorKind::Convert {
        model: M::MODEL_NAME.into(),
        id: record.id(),
        field: M::shape().fields().get(fault.at).map(|field| field.name.to_string()).unwrap_or_default(),
        expected: fault.expected.into_owned(),
        found: fault.found,
    })?;
    *object.origin_mut() = Origin::loaded(record);
    Ok(object)
}
