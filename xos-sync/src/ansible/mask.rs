//! Known secrets in text that people see.

use std::borrow::Cow;

use serde_json::Value as Json;
use xos_model_client::{Masks, Secret};

/// Replaces known secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Mask(Masks);

impl Mask {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut masks = Masks::default();
        secrets.into_iter().for_each(|secret| masks.add(secret));
        Mask(masks)
    }

    /// The text without secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.clean(text)
    }

    /// Masks all texts of a JSON value.
    pub(super) fn json(&self, value: &mut Json) {
        if self.0.is_empty() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_keeps_its_shape() {
        let mut value = json!({"msg": ["abc hunter2"], "hunter2": 1, "rc": 2});
        Mask::new(&[Secret::from("hunter2")]).json(&mut value);
        assert_eq!(value, json!({"msg": ["abc ***"], "***": 1, "rc": 2}));
    }
}
