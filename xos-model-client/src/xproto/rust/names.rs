//! Names of xproto as names of Rust.

use std::collections::{HashMap, HashSet};

use crate::model::ModelDef;

/// Words of Rust.
const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];
/// Types that are in scope without being named, and that a model or enum must not hide.
const RESERVED: &[&str] = &[
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Config",
    "Context",
    "Copy",
    "Debug",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "IsA",
    "Iterator",
    "Link",
    "Links",
    "MockAccessor",
    "Model",
    "ObjectId",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Self",
    "Send",
    "Sized",
    "StepError",
    "StepErrorKind",
    "StepResult",
    "String",
    "Sync",
    "SyncStep",
    "Synchronizer",
    "Timestamp",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "XosChoice",
    "XosModel",
];

/// The Rust names of models.
pub(super) struct Names {
    models: HashMap<String, String>,
    core: HashSet<&'static str>,
    taken: HashSet<String>,
}

impl Names {
    /// Names for these models, besides those of the core.
    pub(super) fn new<'a>(models: impl Iterator<Item = &'a ModelDef>) -> Self {
        let mut names = Names { models: HashMap::new(), core: HashSet::new(), taken: HashSet::new() };
        for core in crate::models::core_models() {
            names.core.insert(&core.name);
            names.taken.insert(core_type(&core.name));
        }
        for model in models {
            let proper = model.name.starts_with(|first: char| first.is_ascii_uppercase())
                && model.name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let name = if proper { model.name.to_string() } else { camel_case(&model.name) };
            let name = names.free(&name, "Model");
            names.models.insert(model.name.to_string(), name);
        }
        names
    }

    /// The name of a model.
    pub(super) fn model(&self, name: &str) -> String {
        self.models.get(name).cloned().unwrap_or_else(|| core_type(name))
    }

    /// Whether it is a model of the core, and not one of the document.
    pub(super) fn is_of_core(&self, name: &str) -> bool {
        !self.models.contains_key(name) && self.core.contains(name)
    }

    /// A name that nothing has yet, as like to this one as possible; it is taken then.
    pub(super) fn free(&mut self, name: &str, suffix: &str) -> String {
        let mut found = name.to_owned();
        let mut count = 2;
        if self.is_taken(&found) {
            found.push_str(suffix);
        }
        while self.is_taken(&found) {
            found = format!("{name}{suffix}{count}");
            count += 1;
        }
        self.taken.insert(found.clone());
        found
    }

    /// Whether something has this name.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        RESERVED.contains(&name) || self.taken.contains(name)
    }
}

/// What this library calls a model of the core: `XosBase` for `XOSBase`.
fn core_type(name: &str) -> String {
    match name.strip_prefix("XOS") {
        Some(rest) => format!("Xos{rest}"),
        None => name.to_owned(),
    }
}

/// An identifier for a name, raw where Rust has the word.
pub(super) fn identifier(name: &str) -> String {
    match name {
        "self" | "super" | "crate" | "Self" => format!("{name}_field"),
        _ if KEYWORDS.contains(&name) => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

/// `versionNumber` as `version_number`, `XOSName` as `xos_name`.
pub(super) fn snake_case(name: &str) -> String {
    let chars: Vec<char> =
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let mut snake = String::with_capacity(name.len() + 4);
    for (at, char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let starts_word = char.is_ascii_uppercase()
            && before.is_some_and(|before| {
                *before != '_'
                    && (!before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    if snake.starts_with(|first: char| first.is_ascii_digit()) || snake.is_empty() {
        snake.insert(0, '_');
    }
    snake
}

/// `control_plane`, `control-plane` and `CONTROL PLANE` as `ControlPlane`. Begins with a letter.
pub(super) fn camel_case(text: &str) -> String {
    let mut camel = String::with_capacity(text.len());
    for word in text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let shouted = word.len() > 1 && !word.bytes().any(|byte| byte.is_ascii_lowercase());
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.extend(chars.map(|char| if shouted { char.to_ascii_lowercase() } else { char }));
    }
    if !camel.starts_with(|first: char| first.is_ascii_alphabetic()) {
        camel.insert_str(0, "Value");
    }
    camel
}

/// What the derive takes for the value of a variant without one; `None` where that is not plain to see.
pub(super) fn value_of(variant: &str) -> Option<String> {
    let bytes = variant.as_bytes();
    let shouts = bytes.windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase));
    (!shouts && bytes.iter().all(u8::is_ascii_alphanumeric)).then(|| snake_case(variant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_their_case() {
        for (name, snake) in [
            ("versionNumber", "version_number"),
            ("ServiceInstance", "service_instance"),
            ("dataPlaneIntf", "data_plane_intf"),
            ("XOSName", "xos_name"),
            ("ONUDevice", "onu_device"),
            ("a_b", "a_b"),
            ("a$b", "a_b"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
        for (text, camel) in [
            ("control_plane", "ControlPlane"),
            ("MANAGEMENT_LOCAL", "ManagementLocal"),
            ("1/10 G", "Value110G"),
            ("", "Value"),
            ("bigSwitch", "BigSwitch"),
            ("x", "X"),
        ] {
            assert_eq!(camel_case(text), camel);
        }
        assert_eq!(value_of("ControlPlane").as_deref(), Some("control_plane"));
        assert_eq!(value_of("NAT"), None);
        assert_eq!(identifier("type"), "r#type");
        assert_eq!(identifier("self"), "self_field");
        assert!(KEYWORDS.is_sorted() && RESERVED.is_sorted());
    }
}
