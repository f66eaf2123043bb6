//! From what YAML says to what a field holds.

use std::net::IpAddr;

use super::yaml::{Node, Yaml};
use crate::model::{FieldDef, Kind};
use crate::value::{Timestamp, Value};

/// The value of a property, as the core would store it.
///
/// As XOS's engine does, a quoted number is a number where the field is one, but a number is no text: `1.10` would
/// silently become `1.1`.
pub(super) fn convert(field: &FieldDef, node: &Node) -> Result<Value, String> {
    let value = match (&node.value, field.kind) {
        (Yaml::Null, kind) if kind.is_text() => {
            return Err("has no value; write '' for an empty text, or leave the line out".into());
        }
        (Yaml::Null, _) => return Err("has no value; give it one, or leave the line out".into()),
        (Yaml::Map(_), _) => {
            return Err(format!(
                "expected {}, found a map; functions such as get_property are not supported",
                field.kind.describe()
            ));
        }
        (Yaml::Text(text), kind) if kind.is_text() => {
            let text = Value::Text(cleaned(field, text)?);
            if field.is_secret() { text.into_secret() } else { text }
        }
        (Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_), kind) if kind.is_text() => {
            return Err(format!("expected a text, found {}; put it in quotes", node.kind_name()));
        }
        (Yaml::Bool(bool), Kind::Bool) => Value::Bool(*bool),
        (Yaml::Text(text), Kind::Bool) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Value::Bool(true),
            "false" | "no" | "off" => Value::Bool(false),
            _ => return Err(expected(field, node)),
        },
        (Yaml::Int(int), Kind::Int32 | Kind::UInt32) => integer(field.kind, *int)?,
        (Yaml::Text(text), Kind::Int32 | Kind::UInt32) => {
            integer(field.kind, text.trim().parse().map_err(|_| expected(field, node))?)?
        }
        (Yaml::Int(int), Kind::Float) => Value::Float(*int as f32),
        (Yaml::Float(float), Kind::Float) => Value::Float(*float as f32),
        (Yaml::Text(text), Kind::Float) => {
            Value::Float(text.trim().parse().map_err(|_| expected(field, node))?)
        }
        (Yaml::Float(seconds), Kind::Date) => Value::Time(Timestamp::from_seconds(*seconds)),
        (Yaml::Int(seconds), Kind::Date) => Value::Time(Timestamp::from_seconds(*seconds as f64)),
        (Yaml::Text(text), Kind::Date) => {
            let time: jiff::Timestamp =
                text.parse().map_err(|_| "expected a time such as 2024-05-01T12:00:00Z".to_owned())?;
            Value::Time(Timestamp::from_micros(time.as_microsecond()))
        }
        _ => return Err(expected(field, node)),
    };
    if let Value::Float(float) = value
        && !float.is_finite()
    {
        return Err("expected a number that is finite".into());
    }
    Ok(value)
}

fn expected(field: &FieldDef, node: &Node) -> String {
    match node.as_text().filter(|_| !field.is_secret()) {
        Some(text) => format!("expected {}, found \"{text}\"", field.kind.describe()),
        None => format!("expected {}, found {}", field.kind.describe(), node.kind_name()),
    }
}

fn integer(kind: Kind, int: i128) -> Result<Value, String> {
    let fits = match kind {
        Kind::UInt32 => u32::try_from(int).is_ok(),
        _ => i32::try_from(int).is_ok(),
    };
    if fits { Ok(Value::Int(int as i64)) } else { Err(format!("expected {}, found {int}", kind.describe())) }
}

/// A text as the core cleans it before it stores it, when it keeps the rules of its field.
fn cleaned(field: &FieldDef, text: &str) -> Result<String, String> {
    let text = match field.kind {
        Kind::Stripped => text.trim().to_owned(),
        Kind::Ip if !text.is_empty() => match text.trim().parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) if field.is_secret() => return Err("expected an IP address".to_owned()),
            Err(_) => return Err(format!("expected an IP address, found \"{text}\"")),
        },
        _ => text.to_owned(),
    };
    if text.is_empty() && field.is_required() {
        return Err("should not be empty".into());
    }
    if let Some(most) = field.max_length {
        let length = text.chars().count();
        if length > most as usize {
            return Err(format!("has {length} characters; {most} are allowed"));
        }
    }
    let choices: Vec<&str> = field.choices.iter().filter_map(|choice| choice.value.as_deref()).collect();
    let blank = text.is_empty() && !field.is_required();
    if !choices.is_empty() && !blank && !choices.contains(&text.as_str()) {
        let found = if field.is_secret() { String::new() } else { format!("; found \"{text}\"") };
        return Err(format!("expected one of {}{found}", choices.join(", ")));
    }
    Ok(text)
}
