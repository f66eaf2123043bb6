//! Values of options: numbers, texts in quotes, and names.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// A number as the file has it: digits, perhaps a sign before and a fraction behind them.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto::Number;
///
/// assert_eq!(Number::from(1001).as_int(), Some(1001));
/// assert_eq!(Number::parse("-2.50").unwrap().as_float(), Some(-2.5));
/// assert!(Number::parse("1e3").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(String);

impl Number {
    /// The number that this text is; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_number = match unsigned.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(unsigned),
        };
        is_number.then(|| Number(text.to_owned()))
    }

    /// The number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its value, when it is an integer of 64 bits.
    pub fn as_int(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// Its value, when a float of 32 bits is large enough for it.
    pub fn as_float(&self) -> Option<f32> {
        self.0.parse().ok().filter(|float: &f32| float.is_finite())
    }
}

impl From<i64> for Number {
    fn from(int: i64) -> Self {
        Number(int.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text in double quotes.
///
/// It is kept as it is written, because some options hold Python in it that has escapes of its own.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto::Quoted;
///
/// let text = Quoted::new("a \"b\"\n");
/// assert_eq!(text.to_string(), r#""a \"b\"\n""#);
/// assert_eq!(text.text(), "a \"b\"\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quoted(String);

impl Quoted {
    /// This text; what cannot stand between quotes is written as an escape.
    pub fn new(text: &str) -> Self {
        let mut raw = String::with_capacity(text.len());
        for char in text.chars() {
            escape(char, &mut raw);
        }
        Quoted(raw)
    }

    /// What stands between the quotes; `None` when a quote or the end of a line would end it early.
    pub fn from_raw(raw: &str) -> Option<Self> {
        let mut escaped = false;
        for byte in raw.bytes() {
            match byte {
                b'\n' => return None,
                b'"' if !escaped => return None,
                b'\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        (!escaped).then(|| Quoted(raw.to_owned()))
    }

    /// What stands between the quotes.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The text that is meant: the escapes of Python's texts are resolved, an unknown one stands for itself.
    pub fn text(&self) -> Cow<'_, str> {
        unescape(&self.0)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        f.write_str(&self.0)?;
        f.write_char('"')
    }
}

/// Writes one character of a text for Python and xproto alike.
pub(super) fn escape(char: char, out: &mut String) {
    match char {
        '\\' => out.push_str("\\\\"),
        '"' => out.push_str("\\\""),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        control if control.is_ascii_control() => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02x}", control as u32);
        }
        other => out.push(other),
    }
}

/// The text that is meant by one with escapes.
pub(super) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (meant, length) = escaped(&rest[at..]);
        text.push_str(meant.encode_utf8(&mut [0; 4]));
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that an escape at the start of a text means, and how many bytes of it are read.
fn escaped(text: &str) -> (char, usize) {
    let meant = match text.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'"') => '"',
        Some(b'\'') => '\'',
        Some(b'\\') => '\\',
        Some(b'x') => {
            let code = text.get(2..4).and_then(|digits| u8::from_str_radix(digits, 16).ok());
            return match code.filter(u8::is_ascii) {
                Some(code) => (char::from(code), 4),
                None => ('\\', 1),
            };
        }
        _ => return ('\\', 1),
    };
    (meant, 2)
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// A number.
    Number(Number),
    /// The keyword `true`. xproto's options want the name `True`.
    True,
    /// The keyword `false`. xproto's options want the name `False`.
    False,
    /// A text.
    Text(Quoted),
    /// A name: `True`, `False`, `None`, that of a field or of a function.
    Name(String),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Value::Text(Quoted::new(text))
    }

    /// `True` or `False`.
    pub fn bool(value: bool) -> Self {
        Value::Name(if value { "True" } else { "False" }.to_owned())
    }

    /// The text or name that it is.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Text(text) => Some(text.text()),
            Value::Name(name) => Some(Cow::Borrowed(name)),
            Value::Number(_) | Value::True | Value::False => None,
        }
    }

    /// Whether it is a `True` or a `False`, in quotes or not.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::True => Some(true),
            Value::False => Some(false),
            Value::Text(_) | Value::Name(_) => match self.as_text()?.as_ref() {
                "True" => Some(true),
                "False" => Some(false),
                _ => None,
            },
            Value::Number(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => number.fmt(f),
            Value::True => f.write_str("true"),
            Value::False => f.write_str("false"),
            Value::Text(text) => text.fmt(f),
            Value::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_python() {
        let check = |raw: &str, meant: &str| assert_eq!(unescape(raw), meant, "{raw}");
        check("plain", "plain");
        check(r#"\"q\" \\ \n\t\r \'"#, "\"q\" \\ \n\t\r '");
        check(r"\x41\x7f", "A\x7f");
        // Unknown ones, and a broken one, stand for themselves.
        check(r"\d \x4 \xff \", r"\d \x4 \xff \");
        check("\\é", "\\é");
    }

    #[test]
    fn a_text_comes_back_as_it_was() {
        for text in ["", "a", "\\", "\"", "\\\"", "\u{0}\u{1b}\u{7f}\n\r\t", "'", "\\n", "\\x41", "é"] {
            let quoted = Quoted::new(text);
            assert_eq!(quoted.text(), text);
            assert_eq!(Quoted::from_raw(quoted.raw()), Some(quoted));
        }
        assert_eq!(Quoted::from_raw("a\"b"), None);
        assert_eq!(Quoted::from_raw("a\\"), None);
        assert_eq!(Quoted::from_raw("a\nb"), None);
    }
}
