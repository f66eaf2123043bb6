//! Two answers to one call, side by side: each difference by itself.

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _, Value};
use serde_json::Value as Json;

use super::messages::{id_of, items_of};

/// Values that are a run's own: it is compared whether they are there.
const OWN: [&str; 4] = ["password", "sessionid", "model_output", "descriptor"];

/// How much of a value is told.
const SHOWN: usize = 160;

/// A text without what is one run's own: ids, times, and the words of a database about a statement.
pub fn plain(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("LINE 1:") && !line.trim().starts_with('^'));
    let mut out = String::with_capacity(text.len());
    for line in lines {
        for c in line.chars() {
            if !c.is_ascii_digit() {
                out.push(c);
            } else if !out.ends_with('0') {
                out.push('0');
            }
        }
    }
    out
}

pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect::<String>().replace('\n', "\\n");
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    shown
}

/// Details of a status, as they are told in a difference.
pub fn details_shown(text: &str) -> String {
    shown(text)
}

/// What differs between two details of statuses.
pub fn details(theirs: &str, ours: &str) -> Vec<String> {
    if plain(theirs) == plain(ours) {
        return Vec::new();
    }
    let (Ok(Json::Object(there)), Ok(Json::Object(here))) =
        (serde_json::from_str::<Json>(theirs), serde_json::from_str::<Json>(ours))
    else {
        return vec![format!("details: there {}, here {}", shown(theirs), shown(ours))];
    };
    let keys = there.keys().chain(here.keys().filter(|key| !there.contains_key(*key)));
    let text = |value: Option<&Json>| value.map_or("nothing".to_owned(), Json::to_string);
    keys.filter(|key| plain(&text(there.get(*key))) != plain(&text(here.get(*key))))
        .map(|key| {
            format!(
                "details.{key}: there {}, here {}",
                shown(&text(there.get(key))),
                shown(&text(here.get(key)))
            )
        })
        .collect()
}

/// What differs between two messages.
pub fn messages(theirs: &DynamicMessage, ours: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    let lists = (items_of(theirs), items_of(ours));
    if let (Some(there), Some(here)) = lists
        && theirs.descriptor().get_field_by_name("items").is_some()
        && there.iter().chain(&here).all(|item| item.descriptor().get_field_by_name("id").is_some())
    {
        for item in &there {
            match here.iter().find(|other| key(other) == key(item)) {
                Some(other) => fields("items[]", item, other, &mut found),
                None => found.push(format!("items: without {}", key(item))),
            }
        }
        for item in here.iter().filter(|item| !there.iter().any(|other| key(other) == key(item))) {
            found.push(format!("items: with {}", key(item)));
        }
    } else {
        fields("", theirs, ours, &mut found);
    }
    found.dedup();
    found
}

/// What tells an item of a list from others.
fn key(item: &DynamicMessage) -> String {
    let class = item.get_field_by_name("class_name").and_then(|class| class.as_str().map(str::to_owned));
    format!("{} {}", class.unwrap_or_default(), id_of(item)).trim().to_owned()
}

fn fields(path: &str, theirs: &DynamicMessage, ours: &DynamicMessage, found: &mut Vec<String>) {
    for field in theirs.descriptor().fields() {
        let at = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        let text = match (theirs.has_field(&field), ours.has_field(&field)) {
            (false, false) => continue,
            (true, false) => "there something, here nothing".to_owned(),
            (false, true) => "there nothing, here something".to_owned(),
            // Times are a run's own.
            (true, true) if field.kind() == Kind::Double || OWN.contains(&field.name()) => continue,
            (true, true) => {
                let (there, here) = (theirs.get_field(&field), ours.get_field(&field));
                let (there, here) = (told(&there, field.name()), told(&here, field.name()));
                if there == here {
                    continue;
                }
                format!("there {}, here {}", shown(&there), shown(&here))
            }
        };
        found.push(format!("{at}: {text}"));
    }
    if ours.unknown_fields().next().is_some() {
        found.push(format!("{path}: a field that there is none of there"));
    }
}

pub(super) fn told(value: &Value, field: &str) -> String {
    match value {
        Value::String(text) if field == "backend_register" => plain(text),
        Value::String(text) => text.clone(),
        Value::Message(message) => {
            format!("{:?}", DynamicMessage::encode_to_vec(message).escape_ascii().to_string())
        }
        Value::List(items) => {
            let mut items: Vec<_> = items.iter().map(|item| told(item, field)).collect();
            items.sort();
            items.join(", ")
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_a_runs_own_and_words_are_not() {
        assert!(details("Site 12 of 3", "Site 9 of 44444").is_empty());
        assert_eq!(details("no Site", "no Slice"), ["details: there no Site, here no Slice"]);
        let one = r#"{"fields": {"id": 7}, "error": "XOSNotFound"}"#;
        assert!(details(one, r#"{"fields": {"id": 99}, "error": "XOSNotFound"}"#).is_empty());
        assert_eq!(
            details(one, r#"{"fields": {"id": 7}, "specific_error": "x"}"#),
            [
                "details.error: there \"XOSNotFound\", here nothing",
                "details.specific_error: there nothing, here \"x\""
            ]
        );
    }
}
