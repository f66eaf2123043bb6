//! The choices of a field: a Python tuple of (value, label) pairs in a text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::value::{escape, unescape};
use crate::model::ChoiceDef;

/// How deep parentheses around a value may be.
const DEEPEST: usize = 8;

/// The choices that the raw inside of a text is.
///
/// # Errors
///
/// What is wrong with it.
pub(super) fn read(raw: &str) -> Result<Vec<ChoiceDef>, String> {
    let mut reader = Reader { rest: raw.trim_start() };
    let mut choices = Vec::new();
    reader.expect("(", "a tuple of (value, label) pairs")?;
    while !reader.take(")") {
        reader.expect("(", "a (value, label) pair, or `)`")?;
        let value = reader.value(0)?;
        reader.expect(",", "`,` between value and label")?;
        let label = reader.value(0)?.ok_or("a label is a text in single quotes, found None")?;
        reader.take(",");
        reader.expect(")", "`)` after the label; a choice is one value and one label")?;
        choices.push(ChoiceDef { value: value.map(Cow::Owned), label: Cow::Owned(label) });
        if !reader.take(",") {
            if choices.len() == 1 {
                // In Python, parentheses around one thing are no tuple.
                return Err("one choice alone needs a comma behind it: `(('value', 'label'), )`".to_owned());
            }
            reader.expect(")", "`,` or `)` after the choice")?;
            break;
        }
    }
    if reader.rest.is_empty() {
        Ok(choices)
    } else {
        Err(format!("expected the end, found `{}`", reader.shown()))
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn shown(&self) -> String {
        self.rest.chars().take(20).collect()
    }

    fn take(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, sign: &str, what: &str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        let found = if self.rest.is_empty() { "the end".to_owned() } else { format!("`{}`", self.shown()) };
        Err(format!(
            "expected {what}, found {found}; choices are written `(('value', 'label'), ('value', 'label'))`"
        ))
    }

    /// A text, or `None`.
    fn value(&mut self, depth: usize) -> Result<Option<String>, String> {
        if depth < DEEPEST && self.take("(") {
            let value = self.value(depth + 1)?;
            self.expect(")", "`)` after the value")?;
            return Ok(value);
        }
        if self.take("None") {
            return Ok(None);
        }
        // A text of Python 2 may say that it is Unicode.
        let rest = self.rest.strip_prefix('u').unwrap_or(self.rest);
        // In a text of xproto, a double quote has a backslash before it.
        let quote = ["'", "\\\""].into_iter().find(|quote| rest.starts_with(quote));
        let Some((quote, inner)) = quote.and_then(|quote| Some((quote, rest.strip_prefix(quote)?))) else {
            let found = if rest.is_empty() { "the end".to_owned() } else { format!("`{}`", self.shown()) };
            return Err(format!("expected a text in single quotes or None, found {found}"));
        };
        let mut at = 0;
        while let Some(rest) = inner.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(behind) = rest.strip_prefix(quote) {
                self.rest = behind.trim_start();
                return Ok(Some(unescape(&inner[..at]).into_owned()));
            }
            let mut chars = rest.chars();
            let length = match chars.next() {
                Some('\\') => 1 + chars.next().map_or(0, char::len_utf8),
                Some(char) => char.len_utf8(),
                None => break,
            };
            at += length;
        }
        Err("a text has no quote that ends it".to_owned())
    }
}

/// Choices as the raw inside of a text. Its escapes mean the same to xproto and to Python.
pub(super) fn write(choices: &[ChoiceDef]) -> String {
    let mut raw = String::from("(");
    for (at, choice) in choices.iter().enumerate() {
        let between = if at > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(raw, "{between}(");
        match &choice.value {
            Some(value) => quote(value, &mut raw),
            None => raw.push_str("None"),
        }
        raw.push_str(", ");
        quote(&choice.label, &mut raw);
        raw.push(')');
    }
    raw.push_str(if choices.len() == 1 { ", )" } else { ")" });
    raw
}

fn quote(text: &str, out: &mut String) {
    out.push('\'');
    for char in text.chars() {
        match char {
            '\'' => out.push_str("\\'"),
            other => escape(other, out),
        }
    }
    out.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(pairs: &[(Option<&str>, &str)]) -> Vec<ChoiceDef> {
        pairs
            .iter()
            .map(|(value, label)| ChoiceDef {
                value: value.map(|value| Cow::Owned(value.to_owned())),
                label: Cow::Owned((*label).to_owned()),
            })
            .collect()
    }

    #[test]
    fn choices_are_read_as_python_reads_them() {
        let check = |raw: &str, expected: &[(Option<&str>, &str)]| {
            assert_eq!(read(raw), Ok(choices(expected)), "{raw}");
        };
        check("(('xos', 'XOS'), )", &[(Some("xos"), "XOS")]);
        check("((None, 'Default'), ('host', 'Host'))", &[(None, "Default"), (Some("host"), "Host")]);
        check(r#" ( ( (u'a\'b') , \"B \\ c\" , ) , ) "#.trim_end(), &[(Some("a'b"), "B \\ c")]);
        check("()", &[]);
    }

    #[test]
    fn what_is_no_choices_says_why() {
        let check = |raw: &str, part: &str| {
            let error = read(raw).unwrap_err();
            assert!(error.contains(part), "{raw}: {error}");
        };
        check("(('a', 'A'))", "needs a comma behind it");
        check("[('a', 'A')]", "a tuple of (value, label) pairs, found `[('a', 'A')]`");
        check("(('a'), )", "between value and label");
        check("(('a', None), )", "a label is a text");
        check("(('a', 'A'), ) x", "expected the end");
        check("(('a', 'A", "no quote that ends it");
        check("((1, 'A'), )", "expected a text in single quotes or None, found `1");
        check("", "found the end");
        check(&"(".repeat(100_000), "expected");
    }

    #[test]
    fn choices_come_back_as_they_were() {
        for pairs in [
            &[(Some("a'b\"c\\d\n"), "x")][..],
            &[(None, "None"), (Some(""), "")],
            &[(Some("a"), "A"), (Some("b"), "B"), (Some("c"), "C")],
        ] {
            let choices = choices(pairs);
            assert_eq!(read(&write(&choices)), Ok(choices));
        }
    }
}
