//! A value in the form in which its field is kept.

use xos_model_client::{FieldDef, Kind, Timestamp, Value};

/// The value as it is kept; or what was expected instead of it.
///
/// White space around a stripped text goes; a link to nothing is nothing; a list is in order, each once; a bool that
/// has no value is false, since the core knows no third one.
pub(crate) fn normalise(def: &FieldDef, value: Value) -> Result<Value, String> {
    let kept = match value {
        // What a program takes for a secret is a text of its field.
        Value::Secret(secret) => plain(def, Value::from(secret.expose())),
        value => plain(def, value),
    }?;
    Ok(if def.is_secret() { kept.into_secret() } else { kept })
}

fn plain(def: &FieldDef, value: Value) -> Result<Value, String> {
    let kind = def.kind;
    let wrong = |found: &str| Err(format!("expected {}, found {found}", kind.describe()));
    match (kind, value) {
        (Kind::Bool, Value::Null) => Ok(Value::Bool(false)),
        (Kind::Links, Value::Null) => Ok(Value::Links(Vec::new())),
        (_, Value::Null) => Ok(Value::Null),
        (Kind::Bool, Value::Bool(bool)) => Ok(Value::Bool(bool)),
        (Kind::Int32, Value::Int(int)) if i32::try_from(int).is_ok() => Ok(Value::Int(int)),
        (Kind::UInt32, Value::Int(int)) if u32::try_from(int).is_ok() => Ok(Value::Int(int)),
        (Kind::Int32 | Kind::UInt32, Value::Int(int)) => wrong(&int.to_string()),
        (Kind::Float, Value::Float(float)) if float.is_finite() => Ok(Value::Float(float)),
        (Kind::Float, Value::Int(int)) => Ok(Value::Float(int as f32)),
        (Kind::Date, Value::Time(time)) if time.seconds().is_finite() => Ok(Value::Time(time)),
        (Kind::Date, Value::Int(seconds)) => Ok(Value::Time(Timestamp::from_seconds(seconds as f64))),
        (Kind::Float, Value::Float(_)) | (Kind::Date, Value::Time(_)) => wrong("one that is not finite"),
        (Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip, Value::Text(text)) => {
            if text.contains('\0') {
                return Err("must not contain the character NUL".to_owned());
            }
            let trimmed = text.trim();
            let strip = kind == Kind::Stripped && trimmed.len() != text.len();
            Ok(Value::Text(if strip { trimmed.to_owned() } else { text }))
        }
        (Kind::Link, Value::Link(id)) => Ok(if id.is_set() { Value::Link(id) } else { Value::Null }),
        (Kind::Link, Value::Int(id)) => match i32::try_from(id) {
            Ok(0) => Ok(Value::Null),
            Ok(id) => Ok(Value::Link(id.into())),
            Err(_) => wrong(&id.to_string()),
        },
        (Kind::Links, Value::Links(mut ids)) => {
            ids.sort_unstable();
            ids.dedup();
            Ok(Value::Links(ids))
        }
        (_, value) => wrong(value.kind_name()),
    }
}
