//! What a condition compares a field with, as every core understands it: clients of the wire can only send integers
//! and texts.

use crate::query::Operator;
use crate::value::Value;

/// Why a secret cannot be compared otherwise: what fits or not would tell it letter by letter.
pub const ONLY_EQUAL: &str = "a secret can only be asked for with \"equal\"";

/// True or false.
///
/// # Errors
///
/// What was expected, and what was found.
pub fn bool(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(bool) => Ok(*bool),
        Value::Int(0) => Ok(false),
        Value::Int(1) => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(expected("true or false", value)),
    }
}

/// An integer.
///
/// # Errors
///
/// What was expected, and what was found.
pub fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Int(int) => Ok(*int),
        Value::Link(id) => Ok(i64::from(id.get())),
        Value::Text(text) => text.parse().map_err(|_| expected("an integer", value)),
        _ => Err(expected("an integer", value)),
    }
}

/// The id that a link is compared with.
///
/// # Errors
///
/// What was expected, and what was found.
pub fn link(value: &Value) -> Result<i64, String> {
    match value {
        Value::Link(id) => Ok(i64::from(id.get())),
        Value::Int(id) => Ok(*id),
        Value::Text(text) => text.parse().map_err(|_| expected("the id of an object", value)),
        _ => Err(expected("the id of an object", value)),
    }
}

/// A time as people and Django write it, in microseconds since 1970; without a zone it is UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })?;
    Some(time.as_microsecond())
}

/// What was expected, and what was found.
pub fn expected(what: &str, found: &Value) -> String {
    format!("expected {what}, found {}", found.kind_name())
}

/// Whether an operator compares texts only.
pub fn is_of_text(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::IExact | Operator::Contains | Operator::IContains | Operator::Regex | Operator::IRegex
    )
}

/// An operator in words.
pub fn name(operator: Operator) -> &'static str {
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
            assert_eq!(parse_time(text), Some(1_000_000), "{text}");
        }
        assert_eq!(parse_time("1970-01-02"), Some(86_400_000_000));
        assert_eq!(parse_time("yesterday"), None);
    }
}
