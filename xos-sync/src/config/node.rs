//! A YAML document as a tree that remembers where each key and value was written.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Options, Spanned};

use super::error::{Origin, Problem};
use super::keys;

/// The most lists and maps within each other. Reading one takes about 40 kB of stack where nothing is optimized, and
/// threads have 2 MB.
const DEEPEST: usize = 32;

/// A value and where it was written. Not `Debug`: it may hold a password.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

/// What YAML can say.
#[derive(Clone)]
pub(crate) enum Value {
    Nothing,
    Switch(bool),
    Whole(i128),
    Number,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) origin: Origin,
    pub(crate) node: Node,
}

impl Node {
    /// An empty map, made by the program.
    pub(crate) fn empty() -> Self {
        Self { origin: Origin::Program, value: Value::Map(Vec::new()) }
    }

    /// Reads `text`, the content of `file`.
    ///
    /// The problem of an unreadable text never quotes it: the line may hold a password.
    pub(crate) fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        let file: Arc<Path> = file.into();
        let mut options = Options::default();
        options.strict_booleans = true;
        options.budget = serde_saphyr::budget! { max_depth: DEEPEST };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(raw_node(raw, &file)),
            Err(error) => Err(syntax_problem(&error, &file)),
        }
    }

    /// The value at a dotted path; what is absent or empty is `None`.
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// The value of one key of a map; what is absent or empty is `None`.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries().iter().find(|entry| entry.key == key)?;
        (!matches!(entry.node.value, Value::Nothing)).then_some(&entry.node)
    }

    /// The entries of a map; none where it is not one.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text of a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Lays `over` over this: maps key by key, everything else whole; a key without a value leaves what is there.
    pub(crate) fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (_, Value::Nothing) => {}
            (Value::Map(mine), Value::Map(theirs)) => {
                for entry in theirs {
                    match mine.iter_mut().find(|old| old.key == entry.key) {
                        Some(old) => {
                            if !matches!(entry.node.value, Value::Nothing) {
                                old.origin = entry.origin;
                            }
                            old.node.overlay(entry.node);
                        }
                        None => mine.push(entry),
                    }
                }
            }
            (mine, theirs) => {
                *mine = theirs;
                self.origin = over.origin;
            }
        }
    }

    /// The value in one word, for messages; never the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Nothing => "nothing",
            Value::Switch(_) => "true or false",
            Value::Whole(_) => "a whole number",
            Value::Number => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

impl Entry {
    /// A key with its value, both written at `origin`.
    pub(crate) fn new(key: &str, origin: &Origin, value: Value) -> Self {
        let node = Node { origin: origin.clone(), value };
        Self { key: key.to_owned(), origin: origin.clone(), node }
    }
}

/// What serde hands over, before the file's name is in it.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn raw_node(raw: Spanned<Raw>, file: &Arc<Path>) -> Node {
    let origin = origin(&raw.referenced, file);
    let value = match raw.value {
        Raw::Scalar(value) => value,
        Raw::List(items) => Value::List(items.into_iter().map(|item| raw_node(item, file)).collect()),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| Entry {
                    origin: self::origin(&key.referenced, file),
                    key: key.value,
                    node: raw_node(value, file),
                })
                .collect(),
        ),
    };
    Node { origin, value }
}

fn origin(location: &serde_saphyr::Location, file: &Arc<Path>) -> Origin {
    let line = usize::try_from(location.line()).ok().filter(|line| *line > 0);
    Origin::File(Arc::clone(file), line)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Switch(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Whole(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Whole(value.into())))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Nothing))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// What is wrong with the text, in words that hold nothing of it but the name of a key.
fn syntax_problem(error: &Error, file: &Arc<Path>) -> Problem {
    const QUOTE: &str = "a value that starts with @ ` % & * or ! must be in quotes";
    let error = error.without_snippet();
    let origin = error
        .location()
        .map_or_else(|| Origin::File(Arc::clone(file), None), |location| origin(&location, file));
    let problem = |message: &str| Problem::new(&origin, message);
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } if keys::all().any(|known| known.name() == key) => {
            problem(&format!("the key \"{key}\" is there twice")).key(key)
        }
        Error::DuplicateMappingKey { .. } => problem("a key is there twice"),
        Error::UnknownAnchor { .. } => problem("not valid YAML").hint(QUOTE),
        Error::ExternalMessage { msg, .. } if msg.starts_with("unexpected character") => {
            problem("not valid YAML").hint(QUOTE)
        }
        Error::ExternalMessage { msg, .. } => problem(&format!("not valid YAML: {msg}")),
        Error::MultipleDocuments { .. } => problem("more than one YAML document").hint("remove the line ---"),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            problem(&format!("lists and maps may be nested {DEEPEST} levels deep at most"))
        }
        Error::NonFiniteFloat { .. } => problem("a number that is not finite"),
        Error::Unexpected { .. } | Error::NullIntoString { .. } => problem("a key must be a text"),
        _ => problem("not valid YAML"),
    }
}
