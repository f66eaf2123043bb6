//! What is wrong with a text, and what is wrong with what it says.

use std::fmt;

use super::document::Place;

/// The widest part of a line that a message shows, in characters.
const WIDTH: usize = 100;

/// One place where a text is no xproto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The name of the file.
    pub file: String,
    /// Where what was found stands.
    pub place: Place,
    /// What could stand there.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub help: String,
    excerpt: Excerpt,
}

/// A part of a line, with a mark under it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    line: String,
    before: usize,
    marked: usize,
}

impl Excerpt {
    /// What stands at these bytes of a text, and around them.
    fn of(text: &str, start: usize, length: usize) -> Self {
        let before = text.get(..start).unwrap_or("");
        let from = before.rfind('\n').map_or(0, |at| at + 1);
        let line_before = &before[from..];
        let rest = text.get(start..).unwrap_or("");
        let rest = rest.split('\n').next().unwrap_or("");
        let found = rest.get(..length.min(rest.len())).unwrap_or(rest);
        // Of a long line, some of what stands before and behind.
        let skipped = line_before.chars().count().saturating_sub(WIDTH / 2);
        let mut line: String = line_before.chars().skip(skipped).collect();
        let before = line.chars().count();
        line.extend(rest.chars().take(WIDTH.saturating_sub(before)));
        let line = line.trim_end().replace('\t', " ");
        let marked = found.trim_end().chars().count().clamp(1, WIDTH.saturating_sub(before).max(1));
        Excerpt { line, before, marked }
    }
}

impl SyntaxError {
    /// A mistake at these bytes of a text.
    pub(super) fn new(
        (file, text): (&str, &str),
        (place, start, length): (Place, usize, usize),
        [expected, found, help]: [String; 3],
    ) -> Self {
        let excerpt = Excerpt::of(text, start, length);
        SyntaxError { file: file.to_owned(), place, expected, found, help, excerpt }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, .. } = self.place;
        let number = line.to_string();
        writeln!(f, "{}:{line}:{column}: expected {}, found {}", self.file, self.expected, self.found)?;
        writeln!(f, " {number} | {}", self.excerpt.line)?;
        let (indent, mark) = (number.len() + 4 + self.excerpt.before, "^".repeat(self.excerpt.marked));
        write!(f, "{:indent$}{mark}", "")?;
        if !self.help.is_empty() {
            write!(f, " {}", self.help)?;
        }
        Ok(())
    }
}

/// All places where texts are no xproto; some of the last may follow from the first.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto;
///
/// let errors = xproto::parse("a.xproto", "message A (XOSBase) {\n  required string name 1;\n}").unwrap_err();
/// assert_eq!(
///     errors.to_string(),
///     "a.xproto:2:24: expected `=` after the name of the field, found the number `1`\n \
///      2 |   required string name 1;\n                            \
///      ^ every field has a number: `required string name = 1;`"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxErrors(pub(super) Vec<SyntaxError>);

impl SyntaxErrors {
    /// Each of them, in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, SyntaxError> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a SyntaxErrors {
    type Item = &'a SyntaxError;
    type IntoIter = std::slice::Iter<'a, SyntaxError>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for SyntaxErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(f, &self.0)
    }
}

impl std::error::Error for SyntaxErrors {}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[impl fmt::Display]) -> fmt::Result {
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            f.write_str("\n")?;
        }
        line.fmt(f)?;
    }
    Ok(())
}

/// How bad a finding is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It should be looked at.
    Warning,
    /// The text must not be sent, or its style is refused.
    Error,
}

/// Whose rule a finding is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A rule of `xosgenx --lint --strict-validation`. A core takes the text all the same.
    Lint,
    /// A rule of the core: it would refuse the text, or its generator would fail on it and the core not come up again.
    Core,
    /// What the definitions of this library cannot say.
    Sdk,
}

/// Something that is wrong with what a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Whose rule it is about.
    pub rule: Rule,
    /// The name of the file; empty for what was not read from one.
    pub file: String,
    /// Where it stands.
    pub place: Place,
    /// The model, policy or option that it is about.
    pub of: String,
    /// The field.
    pub field: Option<String>,
    /// What was expected, what was found, and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.severity {
            Severity::Error => "[ERROR] ",
            Severity::Warning => "[WARNING] ",
        })?;
        if self.place.line > 0 {
            write!(f, "{}:{}:{} ", self.file, self.place.line, self.place.column)?;
        }
        f.write_str(&self.of)?;
        if let Some(field) = &self.field {
            write!(f, ".{field}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong with what a document says, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub(super) Vec<Finding>);

impl Findings {
    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those for which the text must not be sent to a core: errors that are not about style.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|finding| finding.severity == Severity::Error && finding.rule != Rule::Lint)
    }

    /// The errors that `xosgenx --lint --strict-validation` would report.
    pub fn lint_errors(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(|finding| finding.severity == Severity::Error && finding.rule == Rule::Lint)
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_lines(f, &self.0)
    }
}

impl std::error::Error for Findings {}
