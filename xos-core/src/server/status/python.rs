//! Texts in the way in which Python 2 and Django write them.

use std::fmt::Write as _;

/// `repr` of a dictionary of lists of texts: `{'name': [u'This field cannot be blank.']}`.
pub fn validation_error(faults: &mut [(String, String)]) -> String {
    faults.sort();
    let mut text = String::from("{");
    let mut last: Option<&str> = None;
    for (field, problem) in faults.iter() {
        match last {
            Some(last) if last == field => text.push_str(", "),
            Some(_) => {
                let _ = write!(text, "], '{field}': [");
            }
            None => {
                let _ = write!(text, "'{field}': [");
            }
        }
        text.push_str(&unicode(problem));
        last = Some(field);
    }
    text.push_str("]}");
    text
}

/// `repr` of a unicode text: `u'it'`, `u"it's"`.
pub fn unicode(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut written = format!("u{quote}");
    for character in text.chars() {
        match character {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\r' => written.push_str("\\r"),
            _ if character == quote => {
                written.push('\\');
                written.push(quote);
            }
            ' '..='~' => written.push(character),
            _ => written.push_str(&escaped(character)),
        }
    }
    written.push(quote);
    written
}

/// A character as an escape: `\xf3`, `\u96ea`, `\U0001f600`.
fn escaped(character: char) -> String {
    match u32::from(character) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// `repr` of a list of plain texts: `['a', 'b']`.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| format!("'{text}'")).collect();
    format!("[{}]", texts.join(", "))
}

/// How Django names a field to people: `Backend status`.
pub fn verbose_name(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_python() {
        let fault = |field: &str, text: &str| (field.to_owned(), text.to_owned());
        let mut faults = [fault("name", "a"), fault("flavor", "it's"), fault("name", "b")];
        assert_eq!(validation_error(&mut faults), "{'flavor': [u\"it's\"], 'name': [u'a', u'b']}");
        assert_eq!(unicode("J\u{f3}n '\""), "u'J\\xf3n \\'\"'");
        assert_eq!(verbose_name("service_specific_id"), "Service specific id");
        assert_eq!(list(["a", "b"]), "['a', 'b']");
    }
}
