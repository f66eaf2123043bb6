//! From tokens to a document, by recursive descent. After a mistake it goes on with the next statement.

mod formula;
mod message;

use std::sync::Arc;

use super::document::{Document, Enum, Extend, File, Item, Lambda, Place, Policy, Service, Setting};
use super::fault::{SyntaxError, SyntaxErrors};
use super::formula::Formula;
use super::token::{FORMULA_KEYWORDS, Kind, Lexer, Mode, Token, comment_text};
use super::value::{Number, Quoted, Value};

/// How deep messages, and formulas, may be nested.
const DEEPEST: usize = 64;
/// How many mistakes are told of one run.
const MOST: usize = 20;

/// A statement that cannot be read; what is wrong with it is among the errors.
struct Failed;
type Read<T> = Result<T, Failed>;

/// The document that these files are.
pub(super) fn parse_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Document, SyntaxErrors> {
    let mut document = Document::default();
    let mut errors = Vec::new();
    for (at, (name, text)) in files.into_iter().enumerate() {
        let place = Place { file: at as u32, line: 1, column: 1 };
        let mut parser = Parser::new((name, text), Lexer::new(text, Mode::File, place).tokens(), errors);
        let items = parser.file();
        errors = parser.errors;
        document.files.push(File { name: name.to_owned(), items, text: Arc::from(text) });
    }
    if errors.is_empty() { Ok(document) } else { Err(SyntaxErrors(errors)) }
}

/// The formula that this text is.
pub(super) fn parse_formula(text: &str) -> Result<Formula, SyntaxErrors> {
    let place = Place { file: 0, line: 1, column: 1 };
    let tokens = Lexer::new(text, Mode::Formula, place).tokens();
    let mut parser = Parser::new(("formula", text), tokens, Vec::new());
    let formula = parser.whole_formula();
    match formula {
        Ok(formula) if parser.errors.is_empty() => Ok(formula),
        _ => Err(SyntaxErrors(parser.errors)),
    }
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    errors: Vec<SyntaxError>,
}

impl<'a> Parser<'a> {
    fn new((file, text): (&'a str, &'a str), tokens: Vec<Token<'a>>, errors: Vec<SyntaxError>) -> Self {
        Parser { file, text, tokens, at: 0, depth: 0, errors }
    }

    /// The token that comes next; at the end that is the end, for ever.
    fn peek(&self) -> Token<'a> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token<'a> {
        let last = self.tokens.len().saturating_sub(1);
        let end = Token { kind: Kind::End, text: "", start: 0, place: Place::default(), comment: None };
        self.tokens.get((self.at + ahead).min(last)).copied().unwrap_or(end)
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len());
        token
    }

    fn is_sign(&self, sign: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Sign && token.text == sign
    }

    fn is_keyword(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Keyword && token.text == word
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.next();
        }
        found
    }

    /// Notes that the next token is none of what could stand here.
    fn fail<T>(&mut self, expected: impl Into<String>, help: impl Into<String>) -> Read<T> {
        let token = self.peek();
        self.fail_at(token, expected, help)
    }

    fn fail_at<T>(
        &mut self,
        token: Token<'a>,
        expected: impl Into<String>,
        help: impl Into<String>,
    ) -> Read<T> {
        if self.errors.len() < MOST {
            let texts = [expected.into(), describe(token), help.into()];
            let at = (token.place, token.start, token.text.len());
            self.errors.push(SyntaxError::new((self.file, self.text), at, texts));
        }
        Err(Failed)
    }

    fn expect(&mut self, sign: &str, after: &str, help: &str) -> Read<()> {
        if self.take_sign(sign) {
            return Ok(());
        }
        self.fail(format!("`{sign}` {after}"), help)
    }

    fn name(&mut self, what: &str) -> Read<Token<'a>> {
        let token = self.peek();
        if token.kind == Kind::Name {
            return Ok(self.next());
        }
        let help = match token.kind {
            Kind::Keyword => format!("`{}` is a word of xproto, so it cannot be a name", token.text),
            _ => String::new(),
        };
        self.fail(format!("the name of {what}"), help)
    }

    /// Names with dots between them.
    fn dotted(&mut self, what: &str) -> Read<String> {
        let mut name = self.name(what)?.text.to_owned();
        while self.take_sign(".") {
            name.push('.');
            name.push_str(self.name(what)?.text);
        }
        Ok(name)
    }

    fn number(&mut self, what: &str, help: &str) -> Read<Number> {
        let token = self.peek();
        match (token.kind, Number::parse(token.text)) {
            (Kind::Number, Some(number)) => {
                self.next();
                Ok(number)
            }
            _ => self.fail(what, help),
        }
    }

    /// What the text token says.
    fn quoted(token: Token<'a>) -> Option<Quoted> {
        let inner = token.text.strip_prefix('"')?.strip_suffix('"')?;
        if token.kind == Kind::Text { Quoted::from_raw(inner) } else { None }
    }

    fn value(&mut self, of: &str) -> Read<Value> {
        let token = self.peek();
        let value = match token.kind {
            Kind::Number => Number::parse(token.text).map(Value::Number),
            Kind::Text => Self::quoted(token).map(Value::Text),
            Kind::Name => Some(Value::Name(token.text.to_owned())),
            Kind::Keyword if token.text == "true" => Some(Value::True),
            Kind::Keyword if token.text == "false" => Some(Value::False),
            _ => None,
        };
        match value {
            Some(value) => {
                self.next();
                Ok(value)
            }
            None => self.fail(
                format!("the value of `{of}`"),
                "a value is a number, a text in double quotes, `True`, `False`, `None` or a name",
            ),
        }
    }

    /// `option name = value;`, the word `option` being read already.
    fn option(&mut self) -> Read<Setting> {
        let name = self.name("an option")?;
        let help = "an option is written `option name = \"value\";`";
        self.expect("=", "after the name of the option", help)?;
        let value = self.value(name.text)?;
        self.expect(";", "after the option", help)?;
        Ok(Setting { name: name.text.to_owned(), value, place: name.place })
    }

    fn file(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        while self.peek().kind != Kind::End {
            let from = self.at;
            match self.item() {
                Ok(item) => items.push(item),
                Err(Failed) => self.recover(from, 0),
            }
            if self.errors.len() >= MOST {
                break;
            }
        }
        items
    }

    fn item(&mut self) -> Read<Item> {
        let token = self.peek();
        let word = if token.kind == Kind::Keyword { token.text } else { "" };
        if !matches!(
            word,
            "message"
                | "extend"
                | "enum"
                | "policy"
                | "map"
                | "reduce"
                | "_service"
                | "import"
                | "package"
                | "option"
        ) {
            let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
            let help = match token.text {
                _ if before.is_some_and(|before| before.kind == Kind::Body) => {
                    "what stands before it ends at its first `>` that is not that of a `->`, also in a text"
                }
                "service" => "a service is written `_service Name { .. }`",
                "required" | "optional" | "repeated" => "a field stands in the braces of a message",
                "def" => "a policy is written `policy name < formula >`",
                "}" => "one brace too many; remove it",
                _ => {
                    "`message`, `option`, `policy`, `enum`, `map`, `reduce`, `import`, `package`, `_service` and \
                      `extend` can stand here"
                }
            };
            return self.fail("a message, an option or a policy", help);
        }
        self.next();
        match word {
            "message" => Ok(Item::Message(self.message(token)?)),
            "extend" => Ok(Item::Extend(self.extend()?)),
            "enum" => Ok(Item::Enum(self.enumeration()?)),
            "policy" => Ok(Item::Policy(self.policy()?)),
            "map" => Ok(Item::Map(self.lambda("map")?)),
            "reduce" => Ok(Item::Reduce(self.lambda("reduce")?)),
            "_service" => Ok(Item::Service(self.service()?)),
            "import" => {
                let token = self.peek();
                let Some(path) = Self::quoted(token) else {
                    return self.fail("a path in double quotes", "an import is written `import \"path\";`");
                };
                self.next();
                self.expect(";", "after the import", "")?;
                Ok(Item::Import(path))
            }
            "package" => {
                let name = self.dotted("a package")?;
                self.expect(";", "after the package", "")?;
                Ok(Item::Package(name))
            }
            _ => Ok(Item::Option(self.option()?)),
        }
    }

    fn policy(&mut self) -> Read<Policy> {
        let name = self.name("a policy")?;
        let token = self.peek();
        let Some(body) = inside(token) else {
            return self.fail(
                "the formula of the policy, in `<` and `>`",
                "a policy is written `policy name < ctx.user.is_admin >`",
            );
        };
        self.next();
        let mut place = token.place;
        place.column += 1;
        let tokens = Lexer::new(body, Mode::Formula, place).tokens();
        let mut inner = Parser::new((self.file, self.text), tokens, std::mem::take(&mut self.errors));
        for found in &mut inner.tokens {
            found.start += token.start + 1;
        }
        let formula = inner.whole_formula();
        self.errors = inner.errors;
        Ok(Policy { name: name.text.to_owned(), formula: formula?, place: name.place })
    }

    fn lambda(&mut self, what: &str) -> Read<Lambda> {
        let name = self.name(&format!("a {what}"))?;
        let Some(body) = inside(self.peek()) else {
            return self.fail(
                "a Python lambda, in `<` and `>`",
                format!("a {what} is written `{what} name <lambda x: x>`"),
            );
        };
        self.next();
        Ok(Lambda { name: name.text.to_owned(), body: body.to_owned(), place: name.place })
    }

    fn service(&mut self) -> Read<Service> {
        let name = self.name("a service")?;
        self.expect("{", "after the name of the service", "")?;
        let mut methods = Vec::new();
        while self.is_keyword("rpc") {
            self.next();
            let help = "a call is written `rpc Name (Request) returns (Answer)`, without a semicolon";
            let method = self.name("a call")?.text;
            self.expect("(", "after the name of the call", help)?;
            let request = self.name("a request")?.text;
            self.expect(")", "after the request", help)?;
            if !self.is_keyword("returns") {
                return self.fail("`returns`", help);
            }
            self.next();
            self.expect("(", "after `returns`", help)?;
            let answer = self.name("an answer")?.text;
            self.expect(")", "after the answer", help)?;
            methods.push([method.to_owned(), request.to_owned(), answer.to_owned()]);
        }
        let help = "a service has calls only: `rpc Name (Request) returns (Answer)`, without a semicolon";
        self.expect("}", "or `rpc`", help)?;
        Ok(Service { name: name.text.to_owned(), methods })
    }

    fn enumeration(&mut self) -> Read<Enum> {
        let name = self.name("an enum")?.text.to_owned();
        self.expect("{", "after the name of the enum", "")?;
        let (mut values, mut options) = (Vec::new(), Vec::new());
        while !self.take_sign("}") {
            if self.is_keyword("option") {
                self.next();
                options.push(self.option()?);
                continue;
            }
            let value = self.field_name("a value of the enum, or `}`")?;
            let help = "a value is written `NAME = 1;`";
            self.expect("=", "after the name of the value", help)?;
            let number = self.number("the number of the value", help)?;
            self.expect(";", "after the value", help)?;
            values.push((value.text.to_owned(), number));
        }
        Ok(Enum { name, values, options })
    }

    fn extend(&mut self) -> Read<Extend> {
        let name = self.name("a message to extend")?;
        let parts = self.body(&format!("extend {}", name.text))?;
        Ok(Extend { name: name.text.to_owned(), parts, place: name.place })
    }

    /// The name of a field: some words of the language may be one.
    fn field_name(&mut self, what: &str) -> Read<Token<'a>> {
        if self.is_keyword("message") || self.is_keyword("max") || self.is_sign("+") {
            return Ok(self.next());
        }
        self.name(what)
    }

    /// Goes on behind the statement that starts at this token: behind its semicolon or closing brace. What stands in
    /// braces within it is skipped. A brace that closes what is around it stays.
    fn recover(&mut self, from: usize, around: usize) {
        self.depth = around;
        let failed_at = self.at;
        self.at = from;
        let mut open = 0_usize;
        loop {
            let token = self.peek();
            // What stands before the mistake was read already; only its braces matter.
            let behind = self.at >= failed_at;
            match (token.kind, token.text) {
                (Kind::End, _) => return,
                (Kind::Sign, "{") => open += 1,
                (Kind::Sign, "}") if open == 0 => {
                    if around > 0 && behind {
                        return;
                    }
                    self.next();
                    if behind {
                        return;
                    }
                    continue;
                }
                (Kind::Sign, "}") => {
                    open -= 1;
                    if open == 0 && behind {
                        self.next();
                        return;
                    }
                }
                (Kind::Sign, ";") if open == 0 && behind => {
                    self.next();
                    return;
                }
                // The next statement starts here, so a semicolon or brace was missing.
                (Kind::Keyword, "message" | "policy" | "option" | "enum")
                    if open == 0 && behind && self.at > from && starts_line(self.text, token.start) =>
                {
                    return;
                }
                _ => {}
            }
            self.next();
        }
    }
}

/// Whether nothing but white space stands before it on its line.
fn starts_line(text: &str, start: usize) -> bool {
    text.get(..start).is_some_and(|before| {
        before.trim_end_matches([' ', '\t']).ends_with('\n') || before.trim().is_empty()
    })
}

/// What stands between the `<` and the `>` of a body.
fn inside(token: Token<'_>) -> Option<&str> {
    if token.kind != Kind::Body {
        return None;
    }
    token.text.strip_prefix('<')?.strip_suffix('>')
}

/// What a token is, in words for a message.
fn describe(token: Token<'_>) -> String {
    let shown: String = token.text.chars().take(40).collect();
    let shown = if shown.len() < token.text.len() { format!("{shown}..") } else { shown };
    let shown = shown.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    match token.kind {
        Kind::Sign if token.text == "'" => "`'`, which is no quote of xproto: write `\"`".to_owned(),
        Kind::Name | Kind::Body | Kind::Sign => format!("`{shown}`"),
        Kind::Keyword if FORMULA_KEYWORDS.contains(&token.text) => format!("`{shown}`"),
        Kind::Keyword => format!("the word `{shown}`"),
        Kind::Number => format!("the number `{shown}`"),
        Kind::Text => format!("the text {shown}"),
        Kind::Python => format!("the Python expression `{shown}`"),
        Kind::End => "the end".to_owned(),
        Kind::Bad(why) => why.to_owned(),
    }
}
