//! From a document to Rust structs.

mod choice;
mod field;
mod names;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

use self::choice::Choices;
use self::names::Names;
use super::document::{Document, Message, Part};
use super::fault::Findings;
use crate::model::{ModelDef, ModelName};
use crate::models::core_models;

/// How [`to_rust`] names what it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustOptions {
    /// The crate that the macros are taken from: `xos_sync`, whose prelude is used then, or the path of
    /// `xos_model_client`.
    pub crate_path: String,
}

impl Default for RustOptions {
    fn default() -> Self {
        RustOptions { crate_path: XOS_SYNC.to_owned() }
    }
}

const XOS_SYNC: &str = "xos_sync";
/// The widest line, and the widest list of attributes on one line, as rustfmt has them by default.
const WIDTH: usize = 100;
const LIST_WIDTH: usize = 70;

/// The models of a document as Rust structs with the derive, for people who bring existing xproto.
///
/// `help_text` and `description` become doc comments, `choices` enums. Models of the core itself are left out. What
/// the derive has no word for stays as a comment. Policies are named, not written: give their formulas to
/// [`write`](super::write()) in [`WriteOptions::policies`](super::WriteOptions::policies).
///
/// The text is formatted as rustfmt would.
///
/// # Errors
///
/// As [`Document::models`].
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto;
///
/// let document = xproto::parse("hello-world.xproto", r#"
///     option app_label = "hello-world";
///     message HelloWorldService (Service) {
///         required string hello_from = 1 [help_text = "The name of who is saying hello"];
///     }
/// "#)?;
/// assert_eq!(
///     xproto::to_rust(&document, &Default::default()).unwrap(),
///     r#"use xos_sync::prelude::*;
///
/// #[derive(XosModel, Clone, Debug)]
/// #[xos(app_label = "hello-world")]
/// pub struct HelloWorldService {
///     #[xos(base)]
///     pub service: Service,
///     /// The name of who is saying hello
///     #[xos(number = 1)]
///     pub hello_from: String,
/// }
/// "#
/// );
/// # Ok::<(), xproto::SyntaxErrors>(())
/// ```
pub fn to_rust(document: &Document, options: &RustOptions) -> Result<String, Findings> {
    let models = document.models()?;
    let core: HashMap<&str, &ModelDef> = core_models().map(|model| (model.name.as_ref(), model)).collect();
    let own: Vec<(&ModelDef, &Message)> = models
        .iter()
        .zip(document.messages())
        .filter(|(model, _)| {
            core.get(model.name.as_ref()).is_none_or(|core| core.app_label != model.app_label)
        })
        .collect();
    let known: HashMap<&str, &ModelDef> = core
        .iter()
        .map(|(name, model)| (*name, *model))
        .chain(own.iter().map(|(model, _)| (model.name.as_ref(), *model)))
        .collect();
    let bases = own.iter().filter_map(|(model, _)| model.base.as_deref()).collect();
    let mut writer = Writer {
        names: Names::new(own.iter().map(|(model, _)| *model)),
        choices: Choices::default(),
        known,
        bases,
        crate_path: &options.crate_path,
        used: BTreeSet::new(),
        used_models: BTreeSet::new(),
        out: String::new(),
    };
    for (model, message) in &own {
        writer.model(model, message);
    }
    Ok(format!("{}{}", writer.imports(), writer.out))
}

struct Writer<'a> {
    names: Names,
    choices: Choices,
    /// The models of the document and of the core.
    known: HashMap<&'a str, &'a ModelDef>,
    /// The models that others inherit from.
    bases: HashSet<&'a str>,
    crate_path: &'a str,
    /// What is used of the crate, and of its core models.
    used: BTreeSet<&'static str>,
    used_models: BTreeSet<String>,
    out: String,
}

impl Writer<'_> {
    fn imports(&self) -> String {
        if self.crate_path == XOS_SYNC {
            return format!("use {XOS_SYNC}::prelude::*;\n");
        }
        let path = self.crate_path;
        let models: Vec<&str> = self.used_models.iter().map(String::as_str).collect();
        let used: Vec<&str> = self.used.iter().copied().collect();
        let mut imports = [import(&format!("{path}::models"), &models), import(path, &used)];
        if used.len() == 1 {
            // rustfmt puts a list behind everything, but one name in its place.
            imports.reverse();
        }
        imports.concat()
    }

    /// `, crate = ..` where it is needed.
    fn crate_attribute(&self) -> Option<String> {
        (self.crate_path != XOS_SYNC).then(|| format!("crate = {}", self.crate_path))
    }

    /// The Rust name of a model.
    fn model_type(&mut self, name: &str) -> String {
        let rust = self.names.model(name);
        if self.names.is_of_core(name) {
            self.used_models.insert(rust.clone());
        }
        rust
    }

    fn model(&mut self, model: &ModelDef, message: &Message) {
        self.used.insert("XosModel");
        let inherited = self.inherited(model);
        let fields = self.fields(model, message, &inherited);
        // The enums of its fields stand before it.
        let enums = self.choices.take_new();
        for one in &enums {
            self.used.insert("XosChoice");
            let text = one.write(self.crate_attribute());
            self.out.push('\n');
            self.out.push_str(&text);
        }
        self.out.push('\n');
        docs(&mut self.out, 0, &model.help);
        not_said(&mut self.out, message);
        line(&mut self.out, 0, "#[derive(XosModel, Clone, Debug)]");
        let attributes = self.model_attributes(model);
        attribute(&mut self.out, 0, &attributes);
        let name = self.names.model(&model.name);
        line(&mut self.out, 0, &format!("pub struct {name} {{"));
        if let Some(base) = &model.base {
            let taken: HashSet<&str> = fields.iter().map(|field| field.ident.as_str()).collect();
            let base_type = self.model_type(base);
            let ident = base_ident(&base_type, &taken, &inherited);
            attribute(&mut self.out, 1, &["base".to_owned()]);
            line(&mut self.out, 1, &format!("pub {ident}: {base_type},"));
        }
        for field in &fields {
            field.write(&mut self.out);
        }
        line(&mut self.out, 0, "}");
    }

    fn model_attributes(&mut self, model: &ModelDef) -> Vec<String> {
        let mut attributes = vec![format!("app_label = {:?}", model.app_label)];
        if self.names.model(&model.name) != model.name {
            attributes.push(format!("name = {:?}", model.name));
        }
        if let Some(owner) = &model.owner_class {
            attributes.push(format!("owner_class = {}", self.model_type(owner)));
        }
        for (name, text) in
            [("plural", &model.plural), ("verbose_name", &model.verbose_name), ("policy", &model.policy)]
        {
            attributes.extend(text.as_ref().map(|text| format!("{name} = {text:?}")));
        }
        for check in model.validators.iter() {
            attributes.push(format!("validator({:?}, {:?})", check.policy, check.message));
        }
        for (name, is_set) in [
            ("abstract", model.is_abstract),
            ("custom_python", model.custom_python),
            ("extensible", self.bases.contains(model.name.as_ref())),
        ] {
            attributes.extend(is_set.then(|| name.to_owned()));
        }
        attributes.extend(self.crate_attribute());
        attributes
    }

    /// What inherited fields are called in Rust.
    fn inherited(&self, model: &ModelDef) -> HashSet<String> {
        let mut inherited = HashSet::new();
        let mut level: Option<&ModelName> = model.base.as_ref();
        // A chain that inherits from itself ends somewhere too.
        for _ in 0..64 {
            let Some(model) = level.and_then(|name| self.known.get(name.as_ref())) else { break };
            inherited.extend(model.fields.iter().map(|field| names::snake_case(&field.name)));
            level = model.base.as_ref();
        }
        inherited
    }
}

/// What the field of the base is called.
fn base_ident(base_type: &str, taken: &HashSet<&str>, inherited: &HashSet<String>) -> String {
    let own = if base_type == "XosBase" { "base".to_owned() } else { names::snake_case(base_type) };
    [own.as_str(), "base", "parent", "inherited_model"]
        .into_iter()
        .find(|ident| !taken.contains(ident) && !inherited.contains(*ident))
        .unwrap_or("base_of_this_model")
        .to_owned()
}

/// The options of a message that the derive has no word for, as comments.
fn not_said(out: &mut String, message: &Message) {
    const SAID: &[&str] = &[
        "abstract",
        "app_label",
        "custom_python",
        "description",
        "legacy",
        "name",
        "owner_class_name",
        "plural",
        "validators",
        "verbose_name",
    ];
    for part in &message.parts {
        if let Part::Option(option) = part
            && !SAID.contains(&option.name.as_str())
        {
            line(out, 0, &format!("// xproto also says: option {} = {};", option.name, option.value));
        }
    }
}

/// `use path::{A, B};`; nothing for no names.
fn import(path: &str, names: &[&str]) -> String {
    match names {
        [] => return String::new(),
        [one] => return format!("use {path}::{one};\n"),
        _ => {}
    }
    let one_line = format!("use {path}::{{{}}};\n", names.join(", "));
    if one_line.len() <= WIDTH + 1 {
        return one_line;
    }
    let mut text = format!("use {path}::{{");
    let mut width = WIDTH;
    for name in names {
        if width + name.len() + 2 > WIDTH {
            text.push_str("\n   ");
            width = 3;
        }
        // Writing to a String cannot fail.
        let _ = write!(text, " {name},");
        width += name.len() + 2;
    }
    text.push_str("\n};\n");
    text
}

/// One line, indented.
fn line(out: &mut String, depth: usize, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{:indent$}{text}", "", indent = depth * 4);
}

/// A doc comment of one line; nothing for no text.
fn docs(out: &mut String, depth: usize, text: &str) {
    let words: Vec<&str> = text.split_whitespace().collect();
    if !words.is_empty() {
        line(out, depth, &format!("/// {}", words.join(" ")));
    }
}

/// `#[xos(..)]`, on one line where it fits.
fn attribute(out: &mut String, depth: usize, entries: &[String]) {
    let list = entries.join(", ");
    let one_line = format!("#[xos({list})]");
    if list.len() <= LIST_WIDTH && depth * 4 + one_line.len() <= WIDTH {
        line(out, depth, &one_line);
        return;
    }
    line(out, depth, "#[xos(");
    for (at, entry) in entries.iter().enumerate() {
        let comma = if at + 1 < entries.len() { "," } else { "" };
        line(out, depth + 1, &format!("{entry}{comma}"));
    }
    line(out, depth, ")]");
}
