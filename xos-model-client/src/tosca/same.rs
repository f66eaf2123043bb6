//! Whether a value has to be written.

use crate::value::Value;

/// Whether a field holds what a recipe asks for. A required field that the core left out of its answer reads as the
/// empty value of its kind.
pub(super) fn same(asked: &Value, stored: &Value) -> bool {
    asked == stored
        || match (asked, stored) {
            (Value::Text(text), Value::Null) => text.is_empty(),
            (Value::Secret(secret), Value::Null) => secret.is_empty(),
            (Value::Int(int), Value::Null) => *int == 0,
            (Value::Bool(bool), Value::Null) => !bool,
            (Value::Float(float), Value::Null) => *float == 0.0,
            (Value::Float(float), Value::Int(int)) => (f64::from(*float) - *int as f64).abs() < f64::EPSILON,
            _ => false,
        }
}

/// Whether what is stored in a field says anything about what was asked for. The core stores a hash of a password;
/// and a password is nothing to remember either.
pub(super) fn is_comparable(model: &str, field: &str) -> bool {
    !(model == "User" && field == "password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_core_left_out_is_the_empty_value() {
        assert!(same(&Value::from(""), &Value::Null));
        assert!(same(&Value::Bool(false), &Value::Null));
        assert!(same(&Value::Float(2.0), &Value::Int(2)));
        assert!(!same(&Value::from("a"), &Value::Null));
        assert!(!same(&Value::Bool(true), &Value::Null));
        assert!(!same(&Value::from("a"), &Value::from("A")));
    }
}
