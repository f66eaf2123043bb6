//! Known secrets in text that people see.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

const SHOWN: &str = "********";

/// Shorter values are part of too many other words.
const SHORTEST: usize = 3;

/// A line of a secret with several is masked by itself from this length on: a key is printed line by line.
const SHORTEST_LINE: usize = 8;

/// Replaces known secrets. Not `Debug`.
#[derive(Clone, Default)]
pub(super) struct Mask {
    /// Longest first, so that none is cut by a shorter one.
    secrets: Vec<String>,
}

impl Mask {
    pub(super) fn new(secrets: &[String]) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            if secret.chars().count() < SHORTEST {
                continue;
            }
            all.push(secret.clone());
            // As Ansible prints it inside of quotes, and as it is in our own file.
            for ascii in [false, true] {
                all.push(escaped(secret, ascii));
            }
            if secret.trim() != secret && secret.trim().chars().count() >= SHORTEST {
                all.push(secret.trim().to_owned());
            }
            let lines = secret.lines().map(str::trim).filter(|line| line.chars().count() >= SHORTEST_LINE);
            all.extend(lines.map(str::to_owned));
        }
        all.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all.dedup();
        Mask { secrets: all }
    }

    /// The text without secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut masked = Cow::Borrowed(text);
        for secret in &self.secrets {
            if masked.contains(secret.as_str()) {
                masked = Cow::Owned(masked.replace(secret.as_str(), SHOWN));
            }
        }
        masked
    }

    /// Masks all texts of a JSON value.
    pub(super) fn json(&self, value: &mut Json) {
        if self.secrets.is_empty() {
            return;
        }
        match value {
            Json::String(text) => {
                if let Cow::Owned(masked) = self.text(text) {
                    *text = masked;
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(entries) => {
                let hidden = |key: &String| matches!(self.text(key), Cow::Owned(_));
                let keys: Vec<String> = entries.keys().filter(|key| hidden(key)).cloned().collect();
                for key in keys {
                    if let Some(value) = entries.remove(&key) {
                        entries.insert(self.text(&key).into_owned(), value);
                    }
                }
                entries.values_mut().for_each(|item| self.json(item));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// A text as it looks between the quotes of JSON.
fn escaped(text: &str, ascii: bool) -> String {
    let quoted = Json::from(text).to_string();
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if !ascii {
        return inside.to_owned();
    }
    let mut out = String::new();
    for char in inside.chars() {
        if char.is_ascii() {
            out.push(char);
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_found_in_all_its_spellings() {
        let mask =
            Mask::new(&["pa\"ss".into(), "é-secret".into(), "first line\nsecond line\n".into(), "x".into()]);
        for (text, expected) in [
            ("it is pa\"ss!", "it is ********!"),
            (r#"{"cmd": "echo pa\"ss"}"#, r#"{"cmd": "echo ********"}"#),
            (r"\u00e9-secret é-secret", "******** ********"),
            ("the second line shows", "the ******** shows"),
            ("x marks nothing", "x marks nothing"),
        ] {
            assert_eq!(mask.text(text), expected);
        }
    }

    #[test]
    fn json_keeps_its_shape() {
        let mut value = json!({"msg": ["abc hunter2"], "hunter2": 1, "rc": 2});
        Mask::new(&["hunter2".into()]).json(&mut value);
        assert_eq!(value, json!({"msg": ["abc ********"], "********": 1, "rc": 2}));
    }
}
