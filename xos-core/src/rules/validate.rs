//! What the fields themselves ask for.

use std::net::IpAddr;

use xos_model_client::{FieldDef, Kind, Value};

use crate::store::Draft;

/// Checks each value that is to be stored.
pub(super) fn fields(draft: &mut Draft<'_>) {
    let info = draft.info;
    let mut found = Vec::new();
    for (field, value) in draft.changes() {
        if let Some(problem) = problem(&info.fields[field].def, value) {
            found.push((field, problem));
        }
    }
    for (field, problem) in found {
        draft.fault(field, problem);
    }
}

/// What is wrong with a value of a field. The value itself is not told, it may be a secret; one that had to be a
/// choice is none.
pub(crate) fn problem(def: &FieldDef, value: &Value) -> Option<String> {
    match value {
        Value::Null => missing(def),
        Value::Text(text) => problem_of_text(def, text),
        Value::Secret(secret) => problem_of_text(def, secret.expose()),
        Value::Links(ids) => (ids.is_empty() && def.is_required())
            .then(|| "must not be empty: this field is required".to_owned()),
        _ => None,
    }
}

fn missing(def: &FieldDef) -> Option<String> {
    if !def.is_required() {
        return None;
    }
    Some(match def.kind {
        Kind::Link => "must lead to an object: this link is required".to_owned(),
        kind if kind.is_text() => "must not be blank: this field is required".to_owned(),
        kind => format!("must have a value ({}): this field is required", kind.describe()),
    })
}

fn problem_of_text(def: &FieldDef, text: &str) -> Option<String> {
    if text.is_empty() {
        return def.is_required().then(|| "must not be blank: this field is required".to_owned());
    }
    if let Some(longest) = def.max_length
        && text.len() > longest as usize
    {
        let length = text.chars().count();
        if length > longest as usize {
            return Some(format!("has at most {longest} characters, found {length}"));
        }
    }
    if !def.choices.is_empty() && !def.choices.iter().any(|choice| choice.value.as_deref() == Some(text)) {
        let choices: Vec<&str> = def.choices.iter().filter_map(|choice| choice.value.as_deref()).collect();
        let found = if def.is_secret() { "another text".to_owned() } else { format!("{text:?}") };
        return Some(format!("is one of {}, found {found}", choices.join(", ")));
    }
    match def.kind {
        Kind::Ip if text.parse::<IpAddr>().is_err() => {
            Some("expected an IPv4 or IPv6 address, found a text that is none".to_owned())
        }
        Kind::Url if !is_url(text) => {
            Some("expected a URL such as https://example.org/, found a text that is none".to_owned())
        }
        _ => None,
    }
}

/// As strict as the core: a scheme it knows, a host, no white space.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let known = ["http", "https", "ftp", "ftps"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or("");
    let host = match host.strip_prefix('[') {
        Some(v6) => return known && v6.split(']').next().is_some_and(|v6| v6.parse::<IpAddr>().is_ok()),
        None => host.split(':').next().unwrap_or(""),
    };
    let label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    known && !text.contains(char::is_whitespace) && host.trim_end_matches('.').split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::is_url;

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        for good in [
            "http://a.b",
            "https://a.b:80/x?y#z",
            "ftp://user:word@host/x",
            "http://[::1]:8080/",
            "http://localhost",
        ] {
            assert!(is_url(good), "{good}");
        }
        for bad in
            ["", "a.b", "http://", "gopher://a.b", "http://a b", "http:///x", "http://-a.b", "http://[x]/"]
        {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
