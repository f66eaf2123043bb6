//! Texts without the secrets of an object.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Secret;
use crate::model::Model;
use crate::record::Record;
use crate::value::Value;

/// What stands in a text instead of a secret.
const MASK: &str = "***";

/// Shorter values are left as they are: they would take apart words that have nothing to do with them.
const SHORTEST: usize = 4;

/// A line of a secret of several lines (a private key) is masked on its own from this length on.
const SHORTEST_LINE: usize = 8;

/// The secret values of an object, to be taken out of texts that people see: a status, an error, a line of a log.
///
/// Each value of 4 bytes or more becomes `***`, also where it was printed with `{:?}` or as JSON, and the lines of
/// a value with several lines each on its own. For an object without secrets nothing is allocated or searched.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Masks, Secret};
///
/// let mut masks = Masks::default();
/// masks.add(&Secret::new("Valar Morghulis"));
/// assert_eq!(masks.clean("login with Valar Morghulis failed"), "login with *** failed");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Masks {
    /// The longest first: one secret may be a part of another.
    hidden: Vec<Secret>,
}

impl Masks {
    /// Those of a record.
    pub fn of(record: &Record) -> Self {
        let mut masks = Masks::default();
        if record.shape().has_secrets() {
            record.values().iter().for_each(|value| masks.add_value(value));
        }
        masks
    }

    /// Those among these values.
    #[doc(hidden)]
    pub fn of_values<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut masks = Masks::default();
        values.into_iter().for_each(|value| masks.add_value(value));
        masks
    }

    /// Those of an object: what it has now, and what was loaded.
    pub fn of_object<M: Model>(object: &M) -> Self {
        let mut masks = Masks::default();
        if M::shape().has_secrets() {
            object.values().iter().for_each(|value| masks.add_value(value));
            object
                .origin()
                .record()
                .into_iter()
                .flat_map(Record::values)
                .for_each(|value| masks.add_value(value));
        }
        masks
    }

    /// Hides one more.
    pub fn add(&mut self, secret: &Secret) {
        let text = secret.expose();
        self.hide(text);
        // As `Debug` and JSON print it.
        if text.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
            let debug = format!("{text:?}");
            self.hide(&debug[1..debug.len() - 1]);
            self.hide(&in_json(text));
        }
        // As JSON prints it where only ASCII may be: Python's does.
        if !text.is_ascii() {
            let in_json = in_json(text);
            let mut ascii = String::with_capacity(in_json.len());
            for unit in in_json.encode_utf16() {
                match u8::try_from(unit) {
                    Ok(byte) if byte.is_ascii() => ascii.push(char::from(byte)),
                    _ => _ = write!(ascii, "\\u{unit:04x}"),
                }
            }
            self.hide(&ascii);
        }
        if text.contains('\n') {
            text.lines()
                .map(str::trim)
                .filter(|line| line.len() >= SHORTEST_LINE)
                .for_each(|line| self.hide(line));
        }
    }

    /// Hides what another one hides, too.
    pub fn join(&mut self, other: &Masks) {
        other.hidden.iter().for_each(|secret| self.hide(secret.expose()));
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.hidden.is_empty()
    }

    /// The text with `***` for each secret; the text itself when it has none.
    pub fn clean<'t>(&self, text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
        let mut text = text.into();
        for secret in &self.hidden {
            if text.contains(secret.expose()) {
                text = Cow::Owned(text.replace(secret.expose(), MASK));
            }
        }
        text
    }

    fn add_value(&mut self, value: &Value) {
        if let Value::Secret(secret) = value {
            self.add(secret);
        }
    }

    fn hide(&mut self, text: &str) {
        let trimmed = text.trim();
        let text = if trimmed.len() < text.len() && trimmed.len() >= SHORTEST { trimmed } else { text };
        if text.len() < SHORTEST || self.hidden.iter().any(|known| known.expose() == text) {
            return;
        }
        let at = self.hidden.partition_point(|known| known.expose().len() >= text.len());
        self.hidden.insert(at, Secret::from(text));
    }
}

/// A text as it stands between the quotes of JSON.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(secrets: &[&str]) -> Masks {
        let mut masks = Masks::default();
        for secret in secrets {
            masks.add(&Secret::from(*secret));
        }
        masks
    }

    #[test]
    fn each_secret_is_masked_the_longest_first() {
        let check = |secrets: &[&str], text: &str, expected: &str| {
            assert_eq!(masks(secrets).clean(text), expected);
        };
        check(&["winter", "winter is coming"], "winter is coming, winter!", "***, ***!");
        check(&["abc"], "abc", "abc");
        check(&["gr\u{fc}n"], "ist gr\u{fc}n.", "ist ***.");
        check(&["gr\u{fc}n \u{1f43a}"], r"ist gr\u00fcn \ud83d\udc3a.", "ist ***.");
        check(&[" padded "], "is \"padded\" here", "is \"***\" here");
        check(&["a\"b\\c\n"], r#"{"p":"a\"b\\c\n"}"#, r#"{"p":"***"}"#);
        check(&["-----BEGIN\nMIIEvQIBADAN\n-----END"], "bad line MIIEvQIBADAN", "bad line ***");
    }

    #[test]
    fn a_text_without_secrets_is_not_copied() {
        assert!(matches!(masks(&[]).clean("winter"), Cow::Borrowed("winter")));
        assert!(matches!(masks(&["summer"]).clean("winter"), Cow::Borrowed("winter")));
    }

    #[test]
    fn what_is_hidden_does_not_show_itself() {
        let masks = masks(&["winter is coming"]);
        assert!(!format!("{masks:?}").contains("winter"));
        let mut joined = Masks::default();
        joined.join(&masks);
        assert_eq!(joined.clean("winter is coming"), "***");
    }
}
