//! Records as messages, with what a real core cannot send.

use xos_core::server::__wire::status::unicode;
use xos_model_client::Value;

/// Whether a core can send an object with these values.
///
/// # Errors
///
/// A text that is not ASCII: what Python says of it. A real core stores such a text and cannot send it.
pub(super) fn check(values: &[Value]) -> Result<(), String> {
    values.iter().filter_map(Value::as_text).find_map(cannot_encode).map_or(Ok(()), Err)
}

/// What Python says when it makes plain bytes of a text that is not ASCII; `None` when it is.
fn cannot_encode(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bad = |character: &char| !character.is_ascii();
    let start = text.chars().position(|character| bad(&character))?;
    let run: Vec<char> = text.chars().skip(start).take_while(bad).collect();
    let (what, at) = match run.as_slice() {
        [one] => (format!("character u'{}'", escaped(*one)), start.to_string()),
        more => ("characters".to_owned(), format!("{start}-{}", start + more.len() - 1)),
    };
    Some(format!("'ascii' codec can't encode {what} in position {at}: ordinal not in range(128)"))
}

/// A character as an escape: `\xf3`, `\u96ea`, `\U0001f600`.
fn escaped(character: char) -> String {
    let quoted = unicode(&character.to_string());
    quoted.trim_start_matches("u'").trim_end_matches('\'').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ascii_is_told_as_python_does() {
        assert_eq!(
            cannot_encode("J\u{f3}n").unwrap(),
            "'ascii' codec can't encode character u'\\xf3' in position 1: ordinal not in range(128)"
        );
        assert_eq!(
            cannot_encode("a\u{e9}\u{96ea}").unwrap(),
            "'ascii' codec can't encode characters in position 1-2: ordinal not in range(128)"
        );
        assert_eq!(cannot_encode("plain"), None);
    }
}
