//! Random values for the fields of a model, by its definition.

use xos_model_client::{FieldInfo, Kind, ModelInfo, Presence, Schema, Timestamp, Value};

use super::random::Random;

/// The longest text, where a field has room for it.
const LONGEST: usize = 12;

/// Another day of the year 2023, in seconds since 1970.
const SOME_DAY: f64 = 1_672_531_200.0;

/// A value for a field; links are chosen by whoever knows the objects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given {
    Plain(Value),
    /// An object of the workload, by its number.
    Link(usize),
    Links(Vec<usize>),
}

/// Whether clients give this field a value.
pub(super) fn is_given(field: &FieldInfo) -> bool {
    let def = &field.def;
    !(def.is_id() || def.bookkeeping || def.feedback || def.gui_hidden || def.auto_now_add)
}

/// Whether a new object has to have it.
pub(super) fn is_needed(field: &FieldInfo) -> bool {
    field.def.presence == Presence::Required && field.def.default.is_none()
}

/// Where a link leads: the owner is of the class that the model names, if it does.
pub(super) fn target<'s>(schema: &'s Schema, model: &ModelInfo, field: &FieldInfo) -> Option<&'s ModelInfo> {
    let target = schema.by_id(field.target?)?;
    let class = model.owner_class(schema).and_then(|class| schema.model(class));
    match class {
        Some(class) if field.def.name == "owner" && schema.is_a(class.id, target.id) => Some(class),
        _ => Some(target),
    }
}

/// A value of a field that is no link; `None` for links.
pub(super) fn value(random: &Random, field: &FieldInfo) -> Option<Value> {
    let def = &field.def;
    if !def.choices.is_empty() {
        let choice = random.pick(&def.choices)?;
        return Some(match &choice.value {
            Some(value) => Value::Text(value.to_string()),
            None => Value::Null,
        });
    }
    let room = def.max_length.map_or(LONGEST, |length| (length as usize).min(LONGEST));
    let text = || {
        // What has to be unique is as long as it may be.
        let length = if def.unique || !def.unique_with.is_empty() || def.tosca_key {
            room
        } else {
            1 + random.below(room.max(1) as u64) as usize
        };
        random.text(length)
    };
    let value = match def.kind {
        Kind::Text | Kind::Stripped => Value::Text(text()),
        Kind::Url => Value::Text(format!("http://{}.example/", random.text(6))),
        Kind::Ip => {
            Value::Text(format!("10.{}.{}.{}", random.below(256), random.below(256), 1 + random.below(254)))
        }
        Kind::Int32 | Kind::UInt32 if def.unique => Value::Int(random.below(1 << 30) as i64),
        Kind::Int32 | Kind::UInt32 => Value::Int(1 + random.below(1000) as i64),
        Kind::Bool => Value::Bool(random.one_in(2)),
        Kind::Float => Value::Float(random.below(1000) as f32 / 8.0),
        Kind::Date => Value::Time(Timestamp::from_seconds(SOME_DAY + random.below(31_536_000) as f64)),
        Kind::Link | Kind::Links => return None,
    };
    Some(value)
}
