//! xproto, the language that XOS describes models in: read, checked, written, and turned into Rust.
//!
//! | From | To | By |
//! |---|---|---|
//! | text | [`Document`] | [`parse`], [`parse_files`] |
//! | [`Document`] | text | its `Display` |
//! | [`Document`] | what a core would not take | [`Document::check`] |
//! | [`Document`] | definitions | [`Document::models`] |
//! | definitions | text for a core | [`write()`] |
//! | [`Document`] | Rust structs | [`to_rust`] |
//!
//! The language is that of plyxproto 4.0.2, the rules of checking are those of xosgenx 4.0.4, both as a core 4.0.4 has
//! them. One difference is meant: plyxproto drops characters that it does not know, such as a quote without a partner,
//! and goes on with the rest; here they are errors.
//!
//! A text that a core cannot read makes its generator exit, the call that sent it gets no answer, and the core does
//! not come up again until somebody removes the file. So: [`parse`], [`Document::check`], and only then send.
//!
//! # Examples
//!
//! What a running core answers to `GetXproto` gives definitions for a schema:
//!
//! ```
//! use xos_model_client::{Schema, models, xproto};
//!
//! let text = r#"
//! option app_label = "hello-world";
//! policy admins < ctx.user.is_admin >
//! message HelloWorldService::admins (Service) {
//!     required string hello_from = 1 [help_text = "The name of who is saying hello", max_length = 256];
//! }
//! "#;
//! let document = xproto::parse("hello-world.xproto", text)?;
//! assert!(document.check().is_empty());
//! let mut all: Vec<_> = models::core_models().cloned().collect();
//! all.extend(document.models().unwrap());
//! let schema = Schema::new(&all).unwrap();
//! assert_eq!(schema.model("HelloWorldService").unwrap().field("hello_from").unwrap().wire_number, 201);
//! # Ok::<(), xproto::SyntaxErrors>(())
//! ```

mod check;
mod choices;
mod document;
mod fault;
mod formula;
mod models;
mod parser;
mod print;
mod rust;
mod token;
mod value;
mod write;

pub use document::{
    Document, Enum, Extend, Field, File, Item, Lambda, Link, LinkKind, Message, Modifier, Part, Place,
    Policy, Service, Setting,
};
pub use fault::{Finding, Findings, Rule, Severity, SyntaxError, SyntaxErrors};
pub use formula::{Formula, Term};
pub use rust::{RustOptions, to_rust};
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
