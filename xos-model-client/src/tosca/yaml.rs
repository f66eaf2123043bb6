//! A YAML document as a tree that knows where everything was written.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Error, Spanned};

use super::fault::{Fault, Position};

/// The most lists and maps within each other. Reading one takes about 40 kB of stack where nothing is optimized, and
/// threads have 2 MB.
const DEEPEST: usize = 32;

/// The widest part of a line that a fault shows, in characters.
const WIDTH: usize = 100;

/// A value and where it was written.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Yaml,
}

/// What YAML can say.
#[derive(Clone)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map with its value. A key that was written twice is there twice.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Position,
    pub(super) node: Node,
}

impl Node {
    /// Reads one document.
    pub(super) fn parse(text: &str) -> Result<Node, Fault> {
        let options = serde_saphyr::options! {
            // All faults are to be reported together, so duplicates are looked for later.
            duplicate_keys: DuplicateKeyPolicy::LastWins,
            // `yes` and `on` are texts, as YAML 1.2 has it; fields that are bools take them all the same.
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEEPEST },
        };
        match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
            Ok(raw) => Ok(raw.into()),
            Err(error) => Err(syntax_fault(text, &error)),
        }
    }

    /// What kind of value it is, in words for a fault.
    pub(super) fn kind_name(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Int(_) => "an integer",
            Yaml::Float(_) => "a number",
            Yaml::Text(_) => "a text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Yaml::Text(text) = &self.value { Some(text) } else { None }
    }
}

/// A syntax error with the line it is in, and the place in it marked.
fn syntax_fault(text: &str, error: &serde_saphyr::Error) -> Fault {
    let at = error.location().map_or(Position::UNKNOWN, Position::of);
    let said = error.without_snippet().to_string();
    // The place is told by the fault already.
    let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    let mut fault = Fault::at(at, format!("this is not YAML: {what}"));
    if what.starts_with("multiple YAML documents") {
        fault = Fault::at(at, "a recipe is one YAML document, found a second one; remove the line \"---\"");
    }
    if let Error::Budget { breach: BudgetBreach::Depth { .. }, .. } = error.without_snippet() {
        fault = Fault::at(at, format!("lists and maps may be nested {DEEPEST} levels deep at most"));
    }
    if at.is_known()
        && let Some(line) = text.lines().nth(at.line as usize - 1)
    {
        // A tab would put the mark under the wrong letter.
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = without_value(&line);
        let number = at.line.to_string();
        let gutter = " ".repeat(number.len());
        // Of a long line, some of what stands before and behind.
        let before = (at.column as usize).saturating_sub(1);
        let skipped = before.saturating_sub(WIDTH / 2);
        let line: String = line.chars().skip(skipped).take(WIDTH).collect();
        let mark = " ".repeat(before - skipped);
        fault.snippet = Some(format!("{number} | {line}\n{gutter} | {mark}^"));
    }
    fault
}

/// The line with its signs, but without the letters and digits of its value: it may be a secret, and nothing is known
/// of models here.
fn without_value(line: &str) -> String {
    let key = line.find(": ").or_else(|| line.trim_end().ends_with(':').then_some(line.len()));
    let start = key.unwrap_or_else(|| line.len() - line.trim_start().len());
    let (shown, value) = line.split_at(start);
    let hidden = value.chars().map(|c| if c.is_alphanumeric() { '*' } else { c });
    shown.chars().chain(hidden).collect()
}

/// What the YAML library fills in, before positions are taken out of its own types.
enum Raw {
    Scalar(Yaml),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl From<Spanned<Raw>> for Node {
    fn from(raw: Spanned<Raw>) -> Node {
        let value = match raw.value {
            Raw::Scalar(scalar) => scalar,
            Raw::List(items) => Yaml::List(items.into_iter().map(Node::from).collect()),
            Raw::Map(entries) => Yaml::Map(
                entries
                    .into_iter()
                    .map(|(key, node)| Entry {
                        at: Position::of(key.referenced),
                        key: key.value,
                        node: node.into(),
                    })
                    .collect(),
            ),
        };
        Node { at: Position::of(raw.referenced), value }
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Int(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Int(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Text(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Yaml::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}
