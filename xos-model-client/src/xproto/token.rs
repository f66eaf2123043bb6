//! From text to tokens.

use super::document::Place;

/// Words that mean something by themselves, so that they cannot be names.
pub(super) const KEYWORDS: &[&str] = &[
    "_service",
    "bool",
    "bytes",
    "double",
    "enum",
    "extend",
    "extensions",
    "false",
    "fixed32",
    "fixed64",
    "float",
    "import",
    "int32",
    "int64",
    "manytomany",
    "manytoone",
    "map",
    "max",
    "message",
    "onetoone",
    "option",
    "optional",
    "package",
    "policy",
    "reduce",
    "repeated",
    "required",
    "returns",
    "rpc",
    "sfixed32",
    "sfixed64",
    "sint32",
    "sint64",
    "string",
    "to",
    "true",
    "uint32",
    "uint64",
];

/// Words of formulas that cannot be names in them.
pub(super) const FORMULA_KEYWORDS: &[&str] = &["False", "True", "exists", "forall", "in", "not"];

/// Which language is read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Files.
    File,
    /// What stands between the `<` and `>` of a policy.
    Formula,
}

/// What a token is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name.
    Name,
    /// A word that means something by itself.
    Keyword,
    /// A number.
    Number,
    /// A text, its quotes with it.
    Text,
    /// `< .. >`, whatever stands in it.
    Body,
    /// `{{ .. }}` in a formula.
    Python,
    /// A sign, such as `;` or `->`.
    Sign,
    /// The end of the text.
    End,
    /// Nothing of the language; the text says what is wrong.
    Bad(&'static str),
}

/// One token.
#[derive(Copy, Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Where it starts, in bytes.
    pub(super) start: usize,
    pub(super) place: Place,
    /// The comment before it: the line at which it starts to count, the bytes from its first to its last line.
    pub(super) comment: Option<(usize, usize)>,
}

/// Reads tokens from a text.
pub(super) struct Lexer<'a> {
    text: &'a str,
    mode: Mode,
    at: usize,
    place: Place,
    /// Whether a token stands on this line already.
    line_has_token: bool,
    /// The `//` lines directly before here: first byte, last byte, the line after the last.
    comment: Option<(usize, usize, u32)>,
    /// No `>` that ends a body, `*/` or `}}` stands behind here: not to be looked for again.
    no_end: [bool; 3],
}

impl<'a> Lexer<'a> {
    /// Reads from the start of a text, which stands at that place.
    pub(super) fn new(text: &'a str, mode: Mode, place: Place) -> Self {
        Lexer { text, mode, at: 0, place, line_has_token: false, comment: None, no_end: [false; 3] }
    }

    /// All tokens, the last of them the end.
    pub(super) fn tokens(mut self) -> Vec<Token<'a>> {
        // A token has four characters or so, the white space behind it counted.
        let mut tokens = Vec::with_capacity(self.text.len() / 4 + 1);
        loop {
            let token = self.next();
            tokens.push(token);
            if token.kind == Kind::End {
                return tokens;
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Token<'a> {
        let unfinished = self.skip_space();
        let rest = self.rest();
        let (kind, length) = match unfinished {
            Some(length) => (Kind::Bad("a comment that has no end"), length),
            None => self.measure(rest),
        };
        let comment = self
            .comment
            .take()
            .filter(|(_, _, line)| *line == self.place.line && !self.line_has_token)
            .map(|(from, to, _)| (from, to));
        let token = Token { kind, text: &rest[..length], start: self.at, place: self.place, comment };
        self.advance(length);
        self.line_has_token = true;
        token
    }

    /// Goes on by that many bytes.
    fn advance(&mut self, length: usize) {
        for char in self.text[self.at..self.at + length].chars() {
            if char == '\n' {
                self.place.line += 1;
                self.place.column = 1;
                self.line_has_token = false;
            } else {
                self.place.column += 1;
            }
        }
        self.at += length;
    }

    /// Skips white space and comments; the length of a comment that has no end.
    fn skip_space(&mut self) -> Option<usize> {
        if self.at == 0 && self.text.starts_with('\u{feff}') {
            // A mark of the encoding is no part of the text.
            self.at = '\u{feff}'.len_utf8();
        }
        loop {
            let rest = self.rest();
            let space = rest.len() - rest.trim_start_matches([' ', '\t', '\u{c}', '\r', '\n']).len();
            if space > 0 {
                self.advance(space);
            } else if rest.starts_with("//") {
                let length = rest.find('\n').unwrap_or(rest.len());
                if !self.line_has_token {
                    let start = match self.comment {
                        Some((start, _, line)) if line == self.place.line => start,
                        _ => self.at,
                    };
                    self.comment = Some((start, self.at + length, self.place.line + 1));
                }
                self.advance(length);
            } else if let Some(inside) = rest.strip_prefix("/*") {
                match self.find_end(1, inside, "*/") {
                    Some(end) => self.advance(2 + end + 2),
                    None => return Some(rest.len()),
                }
            } else {
                return None;
            }
        }
    }

    /// Where a pattern is found; a search without result is not repeated.
    fn find_end(&mut self, which: usize, rest: &str, pattern: &str) -> Option<usize> {
        let found = if self.no_end[which] { None } else { rest.find(pattern) };
        self.no_end[which] |= found.is_none();
        found
    }

    /// What starts here, and its length.
    fn measure(&mut self, rest: &'a str) -> (Kind, usize) {
        let Some(first) = rest.chars().next() else { return (Kind::End, 0) };
        match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => self.word(rest),
            '"' => text(rest),
            '0'..='9' => (Kind::Number, number(rest)),
            '+' | '-' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => {
                (Kind::Number, 1 + number(&rest[1..]))
            }
            '<' if self.mode == Mode::File => match self.body(rest) {
                Some(length) => (Kind::Body, length),
                None => (Kind::Bad("a `<` without the `>` that ends it"), 1),
            },
            '{' if self.mode == Mode::Formula && rest.starts_with("{{") => {
                match self.find_end(2, &rest[2..], "}}") {
                    Some(end) => (Kind::Python, 2 + end + 2),
                    None => (Kind::Bad("a `{{` without the `}}` that ends it"), 2),
                }
            }
            '-' if rest.starts_with("->") => (Kind::Sign, 2),
            ':' if rest.starts_with("::") && self.mode == Mode::File => (Kind::Sign, 2),
            _ => (Kind::Sign, first.len_utf8()),
        }
    }

    fn word(&self, rest: &str) -> (Kind, usize) {
        let formula = self.mode == Mode::Formula;
        let more =
            |byte: u8| byte.is_ascii_alphanumeric() || b"_+$".contains(&byte) || (formula && byte == b'.');
        let mut length = rest.bytes().position(|byte| !more(byte)).unwrap_or(rest.len());
        if formula && rest[length..].starts_with("()") {
            length += 2;
        }
        let keywords = if formula { FORMULA_KEYWORDS } else { KEYWORDS };
        let kind = if keywords.binary_search(&&rest[..length]).is_ok() { Kind::Keyword } else { Kind::Name };
        (kind, length)
    }

    /// A body ends at the first `>` that is not that of a `->`, wherever that stands; it has one character at least.
    fn body(&mut self, rest: &str) -> Option<usize> {
        if self.no_end[0] {
            return None;
        }
        let bytes = rest.as_bytes();
        let end = (2..bytes.len()).find(|at| bytes[*at] == b'>' && bytes[*at - 1] != b'-');
        self.no_end[0] = end.is_none();
        end.map(|end| end + 1)
    }
}

/// The length of the number that starts here.
fn number(rest: &str) -> usize {
    let digits = |text: &str| text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.').map(digits) {
        Some(fraction) if fraction > 0 => whole + 1 + fraction,
        _ => whole,
    }
}

/// The text that starts here: it ends on its line.
fn text(rest: &str) -> (Kind, usize) {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\n' => return (Kind::Bad("a text without the `\"` that ends it"), at),
            b'"' if !escaped => return (Kind::Text, at + 1),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    (Kind::Bad("a text without the `\"` that ends it"), rest.len())
}

/// The lines of a `//` comment, joined to one.
pub(super) fn comment_text(comment: &str) -> String {
    let mut joined = String::new();
    for line in comment.lines() {
        for word in line.trim_start().trim_start_matches('/').split_whitespace() {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(word);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(mode: Mode, text: &str) -> Vec<(Kind, &str)> {
        let place = Place { file: 0, line: 1, column: 1 };
        Lexer::new(text, mode, place).tokens().iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
        assert!(FORMULA_KEYWORDS.is_sorted());
    }

    #[test]
    fn a_file_has_these_tokens() {
        use Kind::{Body, End, Keyword, Name, Number, Sign, Text};
        let text = "message A::p /* x\n */ (B){ a->B/C:+ = 1:-1.5 [x = \"\\\"//\"]; } // end\n<a -> b > c>";
        let expected = [
            (Keyword, "message"),
            (Name, "A"),
            (Sign, "::"),
            (Name, "p"),
            (Sign, "("),
            (Name, "B"),
            (Sign, ")"),
            (Sign, "{"),
            (Name, "a"),
            (Sign, "->"),
            (Name, "B"),
            (Sign, "/"),
            (Name, "C"),
            (Sign, ":"),
            (Sign, "+"),
            (Sign, "="),
            (Number, "1"),
            (Sign, ":"),
            (Number, "-1.5"),
            (Sign, "["),
            (Name, "x"),
            (Sign, "="),
            (Text, "\"\\\"//\""),
            (Sign, "]"),
            (Sign, ";"),
            (Sign, "}"),
            (Body, "<a -> b >"),
            (Name, "c"),
            (Sign, ">"),
            (End, ""),
        ];
        assert_eq!(lex(Mode::File, text), expected);
    }

    #[test]
    fn a_formula_has_dots_in_its_names() {
        use Kind::{End, Keyword, Name, Python, Sign};
        assert_eq!(
            lex(Mode::Formula, "*p(a.b) & x.all() in {{ '}' }} -> not_ not True"),
            [
                (Sign, "*"),
                (Name, "p"),
                (Sign, "("),
                (Name, "a.b"),
                (Sign, ")"),
                (Sign, "&"),
                (Name, "x.all()"),
                (Keyword, "in"),
                (Python, "{{ '}' }}"),
                (Sign, "->"),
                (Name, "not_"),
                (Keyword, "not"),
                (Keyword, "True"),
                (End, "")
            ]
        );
    }

    #[test]
    fn what_has_no_end_is_told_once_and_costs_one_look() {
        assert!(matches!(lex(Mode::File, "a /* b")[1], (Kind::Bad(_), "/* b")));
        assert!(matches!(lex(Mode::File, "\"a\nb")[..2], [(Kind::Bad(_), "\"a"), (Kind::Name, "b")]));
        assert_eq!(lex(Mode::File, &"<".repeat(10_000)).len(), 10_001);
        assert_eq!(lex(Mode::Formula, &"{{".repeat(10_000)).len(), 10_001);
    }

    #[test]
    fn a_comment_belongs_to_what_stands_directly_under_it() {
        let place = Place { file: 0, line: 1, column: 1 };
        let comments = |text: &str| -> Vec<String> {
            Lexer::new(text, Mode::File, place)
                .tokens()
                .iter()
                .filter_map(|token| token.comment)
                .map(|(from, to)| comment_text(&text[from..to]))
                .collect()
        };
        assert_eq!(comments("// a\n//  b\n x"), ["a b"]);
        assert_eq!(comments("// a\n\n// b\nx // c\ny"), ["b"]);
        assert!(comments("// a\n\nx").is_empty());
        assert!(comments("// a\n/* b */ x")[0] == "a");
    }
}
