//! What the code that the derives write needs; no promise of stability.

use std::fmt;

use crate::error::{ErrorKind, Result};
use crate::record::Record;

pub use crate::field::{Choice, ConvertFault, Field, FieldType, Optional, RecordReader};
pub use crate::model::{
    ChoiceDef, ConstDefault, FieldDef, FieldName, IsA, Kind, Model, ModelDef, Names, ValidatorDef,
};
pub use crate::models::XosBase;
pub use crate::origin::Origin;
pub use crate::record::{Shape, ShapeField};
pub use crate::spec::{FieldSpec, Need, TypeInfo, collect_needs, count_needs};
pub use crate::value::{ObjectId, Value};
pub use std::borrow::Cow;
pub use std::sync::{Arc, LazyLock};

/// Rules that only types can decide.
pub mod rules {
    pub use crate::rules::*;
}

/// One value of an enum of choices.
pub const fn choice(value: &'static str, label: &'static str) -> ChoiceDef {
    ChoiceDef { value: Some(Cow::Borrowed(value)), label: Cow::Borrowed(label) }
}

/// The name of an object, or its model and id.
///
/// # Errors
///
/// Those of the formatter.
pub fn display<M: Model>(object: &M, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match object.display_name() {
        Some(name) => f.write_str(name),
        None => write!(f, "{}-{}", M::MODEL_NAME, object.id()),
    }
}

/// The shape of a model's struct: the fields of its chain, from the root down.
pub fn shape_of<M: Model>() -> Arc<Shape> {
    let mut chain = vec![M::def()];
    while let Some(base) = chain.last().and_then(|def| def.base.clone()) {
        let next =
            chain.last().and_then(|def| def.needs.iter().map(|need| need()).find(|need| need.name == base));
        match next {
            Some(next) => chain.push(next),
            None => break,
        }
    }
    let fields = chain.iter().rev().flat_map(|def| def.fields.iter());
    Arc::new(Shape::of_fields(M::MODEL_NAME, fields))
}

pub(crate) fn from_record<M: Model>(record: Record) -> Result<M> {
    let mut object =
        M::read_values(&mut RecordReader::new(record.values())).map_err(|fault| ErrorKind::Convert {
            model: M::MODEL_NAME.into(),
            id: record.id(),
            field: M::shape().fields().get(fault.at).map(|field| field.name.to_string()).unwrap_or_default(),
            expected: fault.expected.into_owned(),
            found: fault.found,
        })?;
    *object.origin_mut() = Origin::loaded(record);
    Ok(object)
}
