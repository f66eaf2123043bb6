//! Values as Python 2 writes them: `{'name': [u'This field cannot be blank.']}` is how a core 4.0.4 says what is wrong
//! with an object.

/// A value that was written by Python's `repr`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Python {
    Text(String),
    List(Vec<Python>),
    Dict(Vec<(Python, Python)>),
    /// A number, `None`, `True`: anything without quotes and brackets.
    Word(String),
}

/// How deep lists may be nested. The core nests two.
const DEPTH: usize = 8;

impl Python {
    /// Reads a value. One that is cut off is read as far as it goes, as the core may shorten its texts; `None` when it
    /// is not of this form.
    pub(super) fn parse(text: &str) -> Option<Python> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        reader.blanks();
        (reader.at == text.len()).then_some(value)
    }

    /// The texts in it, each as a person would read it.
    pub(super) fn into_texts(self) -> Vec<String> {
        match self {
            Python::Text(text) | Python::Word(text) => vec![text],
            Python::List(items) => items.into_iter().flat_map(Python::into_texts).collect(),
            Python::Dict(pairs) => pairs
                .into_iter()
                .map(|(key, value)| {
                    format!("{}: {}", key.into_texts().join(", "), value.into_texts().join(", "))
                })
                .collect(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
    }

    fn value(&mut self, depth: usize) -> Option<Python> {
        if depth > DEPTH {
            return None;
        }
        self.blanks();
        match self.peek()? {
            '{' => self.dict(depth),
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '\'' | '"' => self.string().map(Python::Text),
            _ if matches!(self.rest().as_bytes(), [b'u' | b'b', b'\'' | b'"', ..]) => {
                self.next();
                self.string().map(Python::Text)
            }
            _ => self.word(),
        }
    }

    /// After an item: whether there is another one. The end of the text ends everything.
    fn goes_on(&mut self, close: char) -> Option<bool> {
        self.blanks();
        if self.peek().is_none() || self.take(close) {
            return Some(false);
        }
        self.take(',').then_some(true)
    }

    fn closes(&mut self, close: char) -> bool {
        self.blanks();
        self.peek().is_none() || self.take(close)
    }

    fn list(&mut self, close: char, depth: usize) -> Option<Python> {
        self.next();
        let mut items = Vec::new();
        while !self.closes(close) {
            items.push(self.value(depth + 1)?);
            if !self.goes_on(close)? {
                break;
            }
        }
        Some(Python::List(items))
    }

    fn dict(&mut self, depth: usize) -> Option<Python> {
        self.next();
        let mut pairs = Vec::new();
        while !self.closes('}') {
            let key = self.value(depth + 1)?;
            self.blanks();
            if !self.take(':') {
                // Cut off within or after a key: nothing is known of it.
                return self.peek().is_none().then_some(Python::Dict(pairs));
            }
            self.blanks();
            let value = if self.peek().is_none() { Python::List(Vec::new()) } else { self.value(depth + 1)? };
            pairs.push((key, value));
            if !self.goes_on('}')? {
                break;
            }
        }
        Some(Python::Dict(pairs))
    }

    fn word(&mut self) -> Option<Python> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || "+-._".contains(c)) {
            self.next();
        }
        let word = self.text.get(start..self.at)?;
        (!word.is_empty()).then(|| Python::Word(word.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.next()?;
        let mut out = String::new();
        // Python 2 writes what is beyond 16 bits as two escapes, like UTF-16.
        let mut high = None;
        while let Some(c) = self.next() {
            if c == quote {
                break;
            }
            if c != '\\' {
                out.push(c);
                continue;
            }
            let Some(escaped) = self.next() else { break };
            let digits = match escaped {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => {
                    out.push(match escaped {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        other => other,
                    });
                    continue;
                }
            };
            let Some(number) = self.rest().get(..digits).and_then(|hex| u32::from_str_radix(hex, 16).ok())
            else {
                // Cut off, or no number: shown as it is.
                out.push('\\');
                out.push(escaped);
                continue;
            };
            self.at += digits;
            match (high.take(), number) {
                (_, 0xD800..=0xDBFF) => high = Some(number),
                (Some(high), 0xDC00..=0xDFFF) => {
                    let number = 0x10000 + ((high - 0xD800) << 10) + (number - 0xDC00);
                    out.push(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                _ => out.push(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)),
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Python {
        Python::Text(text.to_owned())
    }

    fn dict(pairs: &[(&str, &[&str])]) -> Python {
        let list = |items: &[&str]| Python::List(items.iter().map(|item| text(item)).collect());
        Python::Dict(pairs.iter().map(|(key, items)| (text(key), list(items))).collect())
    }

    #[test]
    fn what_the_core_writes_is_read() {
        let check = |written: &str, expected: &[(&str, &[&str])]| {
            assert_eq!(Python::parse(written), Some(dict(expected)), "{written}");
        };
        check("{'name': [u'This field cannot be blank.']}", &[("name", &["This field cannot be blank."])]);
        check(
            "{'kind': [u\"Value u'bogus' is not a valid choice.\"]}",
            &[("kind", &["Value u'bogus' is not a valid choice."])],
        );
        check("{u'a': ['x', u\"y\"], '__all__': [u'z']}", &[("a", &["x", "y"]), ("__all__", &["z"])]);
        check(
            r"{'a': [u'it\'s \xe9t\u00e9 \u2014 \ud83d\ude00\n\\ \U0001f600']}",
            &[("a", &["it's été — 😀\n\\ 😀"])],
        );
        check("{}", &[]);
        check("{'a': []}", &[("a", &[])]);
        assert_eq!(Python::parse("[u\"x\", 3, None]").unwrap().into_texts(), ["x", "3", "None"]);
        assert_eq!(Python::parse("{'a': {'b': (1, -2.5)}}").unwrap().into_texts(), ["a: b: 1, -2.5"]);
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        let whole = "{'name': [u'Too \\xe9 long.', u'b'], 'kind': [u'Bad.']}";
        for end in 1..whole.len() {
            assert!(Python::parse(&whole[..end]).is_some(), "{}", &whole[..end]);
        }
        assert_eq!(Python::parse("{'name': [u'Too lo"), Some(dict(&[("name", &["Too lo"])])));
        assert_eq!(Python::parse("{'name': [u'A'], 'ki"), Some(dict(&[("name", &["A"])])));
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for other in [
            "",
            "must specify iValue or sValue",
            "{'a' 'b'}",
            "{'a': 'b'} and more",
            "[1 2]",
            "function upper(integer) does not exist",
            "'NoneType' object is not iterable",
        ] {
            assert_eq!(Python::parse(other), None, "{other}");
        }
        assert_eq!(Python::parse(&"[".repeat(10_000)), None);
    }
}
