//! What a field is compared with, and how.

use regex::Regex;
use rusqlite::types::Value as Sql;
use xos_model_client::{FieldDef, Operator, Value};

use super::functions::fold;
use super::query::is_nothing;
use super::values::Storage;

/// A comparison: `{x}` stands for the column, `{v}` for the value.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) sql: &'static str,
    pub(crate) value: Option<Sql>,
}

/// How a field that is no list is compared; or why it cannot be.
pub(crate) fn comparison(
    def: &FieldDef,
    storage: Storage,
    operator: Operator,
    value: &Value,
) -> Result<Comparison, String> {
    if is_nothing(value) {
        return match operator {
            Operator::Equal => Ok(Comparison { sql: "{x} IS NULL", value: None }),
            _ => Err("nothing can only be asked for with \"equal\"".to_owned()),
        };
    }
    let sql = match operator {
        Operator::Equal => "{x} = {v}",
        Operator::GreaterThan => "{x} > {v}",
        Operator::LessThan => "{x} < {v}",
        Operator::GreaterThanOrEqual => "{x} >= {v}",
        Operator::LessThanOrEqual => "{x} <= {v}",
        Operator::IExact => "xos_fold({x}) = {v}",
        Operator::Contains => "instr({x}, {v}) > 0",
        Operator::IContains => "instr(xos_fold({x}), {v}) > 0",
        Operator::Regex | Operator::IRegex => "xos_matches({v}, {x})",
    };
    let of_text = !matches!(
        operator,
        Operator::Equal
            | Operator::GreaterThan
            | Operator::LessThan
            | Operator::GreaterThanOrEqual
            | Operator::LessThanOrEqual
    );
    if of_text && storage != Storage::Text {
        return Err(format!("{} is no text, and {} is for texts only", def.kind.describe(), name(operator)));
    }
    if storage == Storage::Bool && operator != Operator::Equal {
        return Err(format!(
            "true or false can only be asked for with \"equal\", not with {}",
            name(operator)
        ));
    }
    let value = match storage {
        Storage::Text => Sql::Text(text(operator, value)?),
        Storage::Bool => Sql::Integer(i64::from(bool(value)?)),
        Storage::Int => Sql::Integer(integer(value)?),
        Storage::Float => Sql::Real(float(value)?),
        Storage::Time => Sql::Real(time(value)?),
        Storage::Link | Storage::Links => link(value)?,
    };
    Ok(Comparison { sql, value: Some(value) })
}

/// The id that a link is compared with.
pub(crate) fn link(value: &Value) -> Result<Sql, String> {
    match value {
        Value::Link(id) => Ok(Sql::Integer(i64::from(id.get()))),
        Value::Int(id) => Ok(Sql::Integer(*id)),
        Value::Text(text) => {
            text.parse().map(Sql::Integer).map_err(|_| expected("the id of an object", value))
        }
        _ => Err(expected("the id of an object", value)),
    }
}

fn text(operator: Operator, value: &Value) -> Result<String, String> {
    let Value::Text(text) = value else { return Err(expected("a text", value)) };
    let pattern = match operator {
        Operator::IExact | Operator::IContains => return Ok(fold(text)),
        Operator::Regex => text.clone(),
        Operator::IRegex => format!("(?i){text}"),
        _ => return Ok(text.clone()),
    };
    match Regex::new(&pattern) {
        Ok(_) => Ok(pattern),
        Err(error) => Err(format!(
            "is not a regular expression this core knows (look-around and back-references do not exist here): {error}"
        )),
    }
}

/// Clients of the wire can only send integers and texts.
fn bool(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(bool) => Ok(*bool),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(expected("true or false", value)),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(int) => Ok(*int),
        Value::Link(id) => Ok(i64::from(id.get())),
        Value::Text(text) => text.parse().map_err(|_| expected("an integer", value)),
        _ => Err(expected("an integer", value)),
    }
}

fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(float) => Ok(f64::from(*float)),
        Value::Int(int) => Ok(*int as f64),
        // What was stored was 32 bits wide: only a text that is cut the same way can be equal.
        Value::Text(text) => text.parse::<f32>().map(f64::from).map_err(|_| expected("a number", value)),
        _ => Err(expected("a number", value)),
    }
}

fn time(value: &Value) -> Result<f64, String> {
    const WANTED: &str = "a time such as 2024-05-31T12:00:00Z";
    match value {
        Value::Time(time) => Ok(time.seconds()),
        Value::Int(seconds) => Ok(*seconds as f64),
        Value::Float(seconds) => Ok(f64::from(*seconds)),
        Value::Text(text) => parse_time(text).ok_or_else(|| expected(WANTED, value)),
        _ => Err(expected(WANTED, value)),
    }
}

/// A time as people and Django write it; without a zone it is UTC.
fn parse_time(text: &str) -> Option<f64> {
    let text = text.trim();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    Some(time.as_microsecond() as f64 / 1_000_000.0)
}

fn expected(what: &str, found: &Value) -> String {
    format!("expected {what}, found {}", found.kind_name())
}

fn name(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "\"equal\"",
        Operator::GreaterThan => "\"greater than\"",
        Operator::LessThan => "\"less than\"",
        Operator::GreaterThanOrEqual => "\"greater than or equal\"",
        Operator::LessThanOrEqual => "\"less than or equal\"",
        Operator::IExact => "\"iexact\"",
        Operator::Contains => "\"contains\"",
        Operator::IContains => "\"icontains\"",
        Operator::Regex => "\"regex\"",
        Operator::IRegex => "\"iregex\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_written_in_several_ways() {
        for text in ["1970-01-01T00:00:01Z", "1970-01-01 00:00:01", "1970-01-01T01:00:01+01:00"] {
            assert_eq!(parse_time(text), Some(1.0), "{text}");
        }
        assert_eq!(parse_time("1970-01-02"), Some(86400.0));
        assert_eq!(parse_time("yesterday"), None);
    }

    #[test]
    fn a_bad_pattern_says_so() {
        assert!(text(Operator::Regex, &Value::from("(")).unwrap_err().contains("not a regular expression"));
        assert!(text(Operator::Regex, &Value::from("a(?=b)")).unwrap_err().contains("look-around"));
    }
}
