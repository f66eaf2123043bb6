//! What a field is compared with, and how.

use regex::Regex;
use xos_model_client::compared::{ONLY_EQUAL, bool, expected, integer, is_of_text, link, name, parse_time};
use xos_model_client::{FieldDef, Operator, Value};

use super::functions::fold;
use super::query::is_nothing;
use super::values::Storage;
use crate::sql::Operand;

/// A comparison: `{x}` stands for the column, `{v}` for the value.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) sql: &'static str,
    pub(crate) value: Option<Operand>,
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
    if def.is_secret() && operator != Operator::Equal {
        return Err(ONLY_EQUAL.to_owned());
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
    if is_of_text(operator) && storage != Storage::Text {
        return Err(format!("{} is no text, and {} is for texts only", def.kind.describe(), name(operator)));
    }
    if storage == Storage::Bool && operator != Operator::Equal {
        return Err(format!(
            "true or false can only be asked for with \"equal\", not with {}",
            name(operator)
        ));
    }
    let value = match storage {
        Storage::Text => text(operator, value)?,
        Storage::Bool => Operand::Int(i64::from(bool(value)?)),
        Storage::Int => Operand::Int(integer(value)?),
        Storage::Float => Operand::Real(float(value)?),
        Storage::Time => Operand::Real(time(value)?),
        Storage::Link | Storage::Links => Operand::Int(link(value)?),
    };
    Ok(Comparison { sql, value: Some(value) })
}

fn text(operator: Operator, value: &Value) -> Result<Operand, String> {
    let Some(text) = value.exposed_text() else { return Err(expected("a text", value)) };
    if text.contains('\0') {
        return Err("must not contain the character NUL: no text of an object has it".to_owned());
    }
    let pattern = match operator {
        Operator::IExact | Operator::IContains => return Ok(Operand::Text(fold(text))),
        Operator::Regex => text.to_owned(),
        Operator::IRegex => format!("(?i){text}"),
        _ => return Ok(Operand::Text(text.to_owned())),
    };
    match Regex::new(&pattern) {
        Ok(_) => Ok(Operand::Pattern(pattern)),
        Err(error) => Err(format!(
            "is not a regular expression this core knows (look-around and back-references do not exist here): {error}"
        )),
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
        Value::Text(text) => {
            let micros = parse_time(text).ok_or_else(|| expected(WANTED, value))?;
            Ok(micros as f64 / 1_000_000.0)
        }
        _ => Err(expected(WANTED, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pattern_says_so() {
        assert!(text(Operator::Regex, &Value::from("(")).unwrap_err().contains("not a regular expression"));
        assert!(text(Operator::Regex, &Value::from("a(?=b)")).unwrap_err().contains("look-around"));
    }
}
