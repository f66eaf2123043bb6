//! xproto, the language that XOS describes models in: read, checked, written, and turned into Rust.

mod check;
mod choices;
mod document;
mod fault;
mod formula;
mod models;
mod parser;
mod print;
mod token;
mod value;
mod write;

pub use document::{
    Document, Enum, Extend, Field, File, Item, Lambda, Link, LinkKind, Message, Modifier, Part, Place,
    Policy, Service, Setting,
};
pub use fault::{Finding, Findings, Rule, Severity, SyntaxError, SyntaxErrors};
pub use formula::{Formula, Term};
pub use value::{Number, Quoted, Value};
pub use write::{Describe, WriteOptions, write};

use parser::parse_formula;

/// Reads one file.
///
/// # Errors
///
/// Every place where the text is no xproto, with line, column and what to do; at most 20.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto;
///
/// let document = xproto::parse("hello.xproto", "message Hello (XOSBase) { required string to = 1 [text = True]; }");
/// // `to` is a word of the language.
/// assert!(document.unwrap_err().to_string().contains("cannot be a name"));
/// ```
pub fn parse(file_name: &str, text: &str) -> Result<Document, SyntaxErrors> {
    parse_files([(file_name, text)])
}

/// Reads several files, given as name and text, in the order in which the core would join them: an option of one
/// applies to the later ones too.
///
/// # Errors
///
/// As [`parse`].
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto;
///
/// let document = xproto::parse_files([
///     ("a.xproto", "option app_label = \"a\";"),
///     ("b.xproto", "message B (XOSBase) {}"),
/// ])?;
/// assert_eq!(document.models().unwrap()[0].app_label, "a");
/// # Ok::<(), xproto::SyntaxErrors>(())
/// ```
pub fn parse_files<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Document, SyntaxErrors> {
    parser::parse_files(files)
}
