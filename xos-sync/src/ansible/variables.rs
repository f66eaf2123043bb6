//! The variables of a playbook: the record's fields, what the step adds, and which of them are secret.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use xos_model_client::models::XosBase;
use xos_model_client::{Kind, Model, Secret, Value};

use super::mask::Mask;

/// Fields that all objects have, and that a playbook may need. The others change with each run.
const OF_ALL: [&str; 2] = ["id", "backend_handle"];

/// Variables that a step gives its playbook besides the record's fields.
///
/// # Examples
///
/// ```
/// use xos_sync::ansible::Attributes;
///
/// let attributes = Attributes::new()
///     .with("tenant_message", "Hello")
///     .with("ports", [80, 443])
///     .secret("ansible_become_password", "hunter2");
/// assert!(!format!("{attributes:?}").contains("hunter2"));
/// ```
#[derive(Clone, Default)]
pub struct Attributes {
    values: Map<String, Json>,
    secrets: Vec<Secret>,
    problem: Option<String>,
}

impl Attributes {
    /// None.
    pub fn new() -> Self {
        Attributes::default()
    }

    /// One more, or another value for one that is there: of a field of the record too. What cannot be JSON, and a name
    /// that cannot be a variable of Ansible, is the error of the run.
    pub fn with(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        match serde_json::to_value(value) {
            _ if !is_name(&name) => {
                let rule = "a letter or _, then letters, digits and _";
                self.problem = Some(format!(
                    "the extra attribute \"{name}\" cannot be a variable: its name must be {rule}"
                ));
            }
            Err(error) => {
                self.problem = Some(format!("the extra attribute {name} cannot be written as JSON: {error}"));
            }
            Ok(value) => {
                self.values.insert(name, value);
            }
        }
        self
    }

    /// One whose value is nobody's business: it is in the playbook's variables, and masked in logs, errors and in
    /// output that is kept. Values of less than four bytes cannot be told from other text, and are not masked.
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        self.secrets.push(Secret::from(value.as_str()));
        self.with(name, value)
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names only: some of the values are secret.
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// All variables of a run.
pub(super) struct Variables {
    pub(super) values: Map<String, Json>,
    pub(super) mask: Mask,
}

impl Variables {
    /// The record's fields, then what every playbook is told, then what the step adds.
    pub(super) fn new<M: Model>(
        object: &M,
        told: impl IntoIterator<Item = (&'static str, Json)>,
        extra: Attributes,
    ) -> Result<Self, String> {
        if let Some(problem) = extra.problem {
            return Err(problem);
        }
        let mut values = Map::new();
        let mut secrets = extra.secrets;
        for (field, value) in M::shape().fields().iter().zip(object.values()) {
            let name = field.name.as_ref();
            let of_all = XosBase::shape().position(name).is_some();
            if of_all && !OF_ALL.contains(&name) {
                continue;
            }
            if let Value::Secret(secret) = &value {
                secrets.push(secret.clone());
            }
            let (name, value) = variable(name, field.kind, value);
            values.insert(name, value);
        }
        values.extend(told.into_iter().map(|(name, value)| (name.to_owned(), value)));
        values.extend(extra.values);
        Ok(Variables { values, mask: Mask::new(&secrets) })
    }

    /// The variables as a file for `--extra-vars @FILE`: one a line, YAML. Every text is marked as one that Ansible must
    /// not evaluate.
    pub(super) fn file(&self) -> String {
        let mut file = "---\n".to_owned();
        for (name, value) in &self.values {
            let _ = write!(file, "{name}: ");
            write_yaml(&mut file, value);
            file.push('\n');
        }
        file
    }
}

fn variable(name: &str, kind: Kind, value: Value) -> (String, Json) {
    let name = match kind {
        Kind::Link => format!("{name}_id"),
        Kind::Links => format!("{name}_ids"),
        _ => name.to_owned(),
    };
    let value = match value {
        Value::Bool(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Float(value) => value.into(),
        Value::Time(value) => value.seconds().into(),
        Value::Text(value) => value.into(),
        // The playbook needs it: the file with the variables is private.
        Value::Secret(value) => value.expose().into(),
        Value::Link(id) if id.is_set() => id.get().into(),
        Value::Null | Value::Link(_) => Json::Null,
        Value::Links(ids) => ids.iter().map(|id| id.get()).collect(),
    };
    (name, value)
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

fn write_yaml(out: &mut String, value: &Json) {
    match value {
        Json::String(text) => {
            out.push_str("!unsafe ");
            write_text(out, text);
        }
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_yaml(out, item);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_text(out, key);
                out.push_str(": ");
                write_yaml(out, item);
            }
            out.push('}');
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

/// A text in double quotes, in ASCII: PyYAML takes not every character as it is.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for char in text.chars() {
        let _ = match char {
            '"' | '\\' => write!(out, "\\{char}"),
            ' '..='~' => write!(out, "{char}"),
            '\n' => write!(out, "\\n"),
            '\u{10000}'.. => write!(out, "\\U{:08x}", u32::from(char)),
            _ => write!(out, "\\u{:04x}", u32::from(char)),
        };
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use xos_model_client::models::Slice;

    #[test]
    fn a_record_gives_its_fields_without_bookkeeping() {
        let slice = Slice { name: "mysite".into(), max_instances: 7, ..Default::default() };
        let told = [("delete", json!(false))];
        let extra = Attributes::new().with("max_instances", 8).secret("password", "hunter2");
        let variables = Variables::new(&slice, told, extra).unwrap();
        let get = |name: &str| variables.values.get(name).cloned();
        assert_eq!((get("name"), get("max_instances")), (Some(json!("mysite")), Some(json!(8))));
        assert_eq!((get("delete"), get("site_id")), (Some(json!(false)), Some(Json::Null)));
        assert_eq!((get("updated"), get("backend_status"), get("id")), (None, None, Some(json!(0))));
        assert_eq!(variables.mask.text("it was hunter2"), "it was ***");
    }

    #[test]
    fn a_text_is_never_evaluated_by_ansible() {
        let mut out = String::new();
        write_yaml(&mut out, &json!({"a": ["{{ x }}\n\"", 1, null, true], "é😀": "\\"}));
        assert_eq!(out, r#"{"a": [!unsafe "{{ x }}\n\"", 1, null, true], "\u00e9\U0001f600": !unsafe "\\"}"#);
    }

    #[test]
    fn a_name_that_ansible_cannot_have_is_an_error() {
        let extra = Attributes::new().with("tenant-message", 1);
        let error = Variables::new(&Slice::default(), [], extra).err().unwrap();
        assert!(error.starts_with("the extra attribute \"tenant-message\" cannot be a variable"), "{error}");
    }
}
