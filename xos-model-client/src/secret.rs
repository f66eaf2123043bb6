//! Values that are stored and sent, and never shown.

mod masks;

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::field::{ConvertFault, FieldType, Optional};
use crate::model::Kind;
use crate::value::Value;

pub use self::masks::Masks;

/// A text that only its reader may see: the type of a field that holds a password, a token or a private key.
///
/// `pub password: Secret` is a required text, `Option<Secret>` an optional one. The core stores and sends it as any
/// other text, so it works with every core. It is never *shown*: not by `Debug`, and it has no `Display`; not in the
/// log, in the status of an object, in errors, tables or journals. They say that it is there. In memory it is
/// overwritten when it is dropped.
///
/// **Who may read the object may read the value**: the gRPC API of the core, of the embedded one as of a real one,
/// gives it to them, and it lies in the core's database as it is. Guard the model with a policy (`#[xos(policy =
/// "..")]`) where that matters.
///
/// The texts that a step returns as errors are cleaned of the record's own secrets (see [`Masks`]). What a step logs
/// itself is not: log no [`expose`](Secret::expose)d value.
///
/// # Examples
///
/// ```
/// use xos_model_client::Secret;
///
/// let password = Secret::new("Valar Morghulis");
/// assert_eq!(format!("{password:?}"), "Secret(set)");
/// assert_eq!(password.expose(), "Valar Morghulis");
/// assert_eq!(password, Secret::from("Valar Morghulis"));
/// ```
#[derive(Clone, Default)]
pub struct Secret(SecretString);

impl Secret {
    /// The secret that is this text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(SecretString::from(text.into()))
    }

    /// The text itself. What is done with it is up to the caller.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether it is the empty text: what a required secret has before it is set.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret::new(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "Secret(empty)" } else { "Secret(set)" })
    }
}

#[diagnostic::do_not_recommend]
impl FieldType for Secret {
    const KIND: Kind = Kind::Text;
    const SECRET: bool = true;
    type Query = Secret;

    fn empty() -> Self {
        Secret::default()
    }

    fn to_value(&self) -> Value {
        Value::Secret(self.clone())
    }

    fn from_value(value: &Value) -> Result<Self, ConvertFault> {
        match value {
            Value::Null => Ok(Secret::default()),
            Value::Secret(secret) => Ok(secret.clone()),
            Value::Text(text) => Ok(Secret::from(text.as_str())),
            _ => Err(ConvertFault::new("a secret text", value)),
        }
    }
}

#[diagnostic::do_not_recommend]
impl Optional for Secret {}

impl From<Secret> for Value {
    fn from(secret: Secret) -> Self {
        Value::Secret(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_only_whether_it_is_set() {
        let canary = Secret::new("canary-4711");
        assert_eq!(format!("{canary:?} {:?}", Secret::default()), "Secret(set) Secret(empty)");
        let value = canary.to_value();
        assert_eq!(format!("{value:?} {value} {}", value.kind_name()), "Secret(set) (secret) a secret text");
        assert_eq!(format!("{:?}", Some(canary)), "Some(Secret(set))");
    }

    #[test]
    fn a_secret_comes_back_from_its_value() {
        for value in [Value::from("a"), Value::Secret("a".into())] {
            assert_eq!(Secret::from_value(&value), Ok(Secret::new("a")));
            assert_eq!(<Option<Secret>>::from_value(&value), Ok(Some(Secret::new("a"))));
        }
        assert_eq!(Secret::from_value(&Value::Null), Ok(Secret::default()));
        assert!(Secret::from_value(&Value::Int(4711)).is_err());
    }

    #[test]
    fn a_secret_is_as_equal_as_its_text() {
        assert_eq!(Value::Secret("a".into()), Value::from("a"));
        assert_ne!(Value::Secret("a".into()), Value::from("b"));
        assert_ne!(Value::Secret("".into()), Value::Null);
    }

    #[test]
    fn a_secret_is_never_written_down_as_data() {
        assert!(serde_json::to_string(&Value::Secret("canary-4711".into())).is_err());
    }
}
