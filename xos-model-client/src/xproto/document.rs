//! What an xproto text says, as a tree.

use std::collections::HashMap;
use std::sync::Arc;

use super::formula::Formula;
use super::value::{Number, Value};

/// Where something stands in a text. It does not count when two documents are compared.
#[derive(Copy, Clone, Debug, Default)]
pub struct Place {
    /// The file, by its position among those that were read.
    pub file: u32,
    /// The line, from 1 on; 0 for what was not read from a text.
    pub line: u32,
    /// The column, in characters, from 1 on.
    pub column: u32,
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// The files of one run, in order: an option of one applies to the later ones too.
///
/// # Examples
///
/// ```
/// use xos_model_client::xproto;
///
/// let text = r#"
/// option app_label = "hello-world";
/// message HelloWorldService (Service) {
///     required string hello_from = 1 [help_text = "The name of who is saying hello", max_length = 256];
/// }
/// "#;
/// let document = xproto::parse("hello-world.xproto", text)?;
/// let service = document.message("HelloWorldService").unwrap();
/// assert_eq!(service.bases, ["Service"]);
/// // A document prints as xproto.
/// assert_eq!(xproto::parse("again.xproto", &document.to_string())?.message("HelloWorldService"), Some(service));
/// # Ok::<(), xproto::SyntaxErrors>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The files.
    pub files: Vec<File>,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Its name, for messages.
    pub name: String,
    /// What stands in it, in order.
    pub items: Vec<Item>,
    /// The text that it was read from, for messages.
    pub(super) text: Arc<str>,
}

impl File {
    /// A file that was not read from a text.
    pub fn new(name: impl Into<String>, items: Vec<Item>) -> Self {
        File { name: name.into(), items, text: Arc::from("") }
    }
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.items == other.items
    }
}

impl Eq for File {}

/// What can stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `option name = value;`, which applies to all that follows, also in later files.
    Option(Setting),
    /// `message Name::policy (Base) { .. }`
    Message(Message),
    /// `enum Name { .. }`; no target of the generator uses it.
    Enum(Enum),
    /// `policy name < formula >`
    Policy(Policy),
    /// `map name <lambda ..>`; no target uses it.
    Map(Lambda),
    /// `reduce name <lambda ..>`; no target uses it.
    Reduce(Lambda),
    /// `_service Name { .. }`; no target uses it.
    Service(Service),
    /// `extend Name { .. }`
    Extend(Extend),
    /// `import "path";`; it reads nothing.
    Import(super::value::Quoted),
    /// `package a.b;`
    Package(String),
}

/// `name = value`: an option of a file or message, or one in the brackets of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
    /// Where the name stands.
    pub place: Place,
}

impl Setting {
    /// An option that was not read from a text.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Setting { name: name.into(), value, place: Place::default() }
    }
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub name: String,
    /// The policy that guards it.
    pub policy: Option<String>,
    /// The models and Python classes that it inherits from; dotted.
    pub bases: Vec<String>,
    /// What stands in it, in order.
    pub parts: Vec<Part>,
    /// The `//` comment directly before it, its lines joined to one.
    pub comment: String,
    /// Where the name stands.
    pub place: Place,
}

impl Message {
    /// Its own option of that name, not one of the file.
    pub fn option(&self, name: &str) -> Option<&Setting> {
        // The last of several counts, as in the generator.
        self.parts.iter().rev().find_map(|part| match part {
            Part::Option(option) if option.name == name => Some(option),
            _ => None,
        })
    }
}

/// What can stand in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `option name = value;`
    Option(Setting),
    /// `required string name = 1 [..];`
    Field(Field),
    /// `required manytoone name->Model:reverse = 1:1001 [..];`
    Link(Link),
    /// An enum; no target uses it.
    Enum(Enum),
    /// A message within the message.
    Message(Message),
    /// `extensions 100 to max;`; no target uses it.
    Extensions {
        /// The first number.
        from: Number,
        /// The last number; `None` for `max`.
        to: Option<Number>,
    },
    /// `extend Name { .. }`
    Extend(Extend),
}

/// Whether a field must have a value.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Modifier {
    /// `required`: neither blank nor null.
    Required,
    /// `optional`
    Optional,
    /// `repeated`: no field of XOS may be.
    Repeated,
}

impl Modifier {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Modifier::Required => "required",
            Modifier::Optional => "optional",
            Modifier::Repeated => "repeated",
        }
    }
}

/// A field that is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Whether it must have a value.
    pub modifier: Modifier,
    /// Its type: `string`, `int32`, `uint32`, `float`, `bool`, or one that XOS does not have.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// A policy; it has no effect.
    pub policy: Option<String>,
    /// Its number.
    pub number: Number,
    /// What stands in brackets.
    pub options: Vec<Setting>,
    /// Where the name stands.
    pub place: Place,
}

/// What a link connects.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// `onetoone`: the validator refuses it.
    OneToOne,
    /// `manytoone`
    ManyToOne,
    /// `manytomany`
    ManyToMany,
}

impl LinkKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            LinkKind::OneToOne => "onetoone",
            LinkKind::ManyToOne => "manytoone",
            LinkKind::ManyToMany => "manytomany",
        }
    }
}

/// A link to another model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether it must have a value.
    pub modifier: Modifier,
    /// What it connects.
    pub kind: LinkKind,
    /// Its name, without `_id`.
    pub name: String,
    /// A policy; it has no effect.
    pub policy: Option<String>,
    /// The model that it leads to; dotted.
    pub target: String,
    /// The table of a many-to-many link; dotted.
    pub through: Option<String>,
    /// The name of the way back; `+` for none.
    pub reverse: Option<String>,
    /// Its number.
    pub number: Number,
    /// The number of the way back.
    pub reverse_number: Option<Number>,
    /// What stands in brackets.
    pub options: Vec<Setting>,
    /// Where the name stands.
    pub place: Place,
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Its name.
    pub name: String,
    /// Its values, with their numbers.
    pub values: Vec<(String, Number)>,
    /// Its options.
    pub options: Vec<Setting>,
}

/// A named formula: who may do what to which object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The formula.
    pub formula: Formula,
    /// Where the name stands.
    pub place: Place,
}

/// A Python function of one expression, in `map` and `reduce`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// Its name.
    pub name: String,
    /// What stands between `<` and `>`.
    pub body: String,
    /// Where the name stands.
    pub place: Place,
}

/// The calls of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its calls: name, request, answer.
    pub methods: Vec<[String; 3]>,
}

/// More parts of a message that stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extend {
    /// The message.
    pub name: String,
    /// The parts.
    pub parts: Vec<Part>,
    /// Where the name stands.
    pub place: Place,
}

impl Document {
    /// What stands in all files, in order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.files.iter().flat_map(|file| &file.items)
    }

    /// The messages of all files, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.items().filter_map(|item| match item {
            Item::Message(message) => Some(message),
            _ => None,
        })
    }

    /// The message of that name.
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages().find(|message| message.name == name)
    }

    /// The policies of all files, in order.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.items().filter_map(|item| match item {
            Item::Policy(policy) => Some(policy),
            _ => None,
        })
    }

    /// The policy of that name.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies().find(|policy| policy.name == name)
    }

    /// The options of the files, by what they apply to.
    pub(super) fn scope(&self) -> Scope<'_> {
        let mut scope = Scope::default();
        for (at, item) in self.items().enumerate() {
            match item {
                Item::Option(option) => {
                    scope.options.entry(option.name.as_str()).or_default().push((at, option));
                }
                Item::Message(message) => scope.messages.push((at, message)),
                _ => {}
            }
        }
        scope
    }
}

/// The messages of a document with the options of files that apply to them: those that stand before, in the same file
/// or in an earlier one.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    options: HashMap<&'a str, Vec<(usize, &'a Setting)>>,
    /// The messages, each with its position among all items.
    pub(super) messages: Vec<(usize, &'a Message)>,
}

impl<'a> Scope<'a> {
    /// The option that a message has, of its own or from a file.
    pub(super) fn option(&self, (at, message): (usize, &'a Message), name: &str) -> Option<&'a Setting> {
        message.option(name).or_else(|| {
            let settings = self.options.get(name)?;
            let before = settings.partition_point(|(place, _)| *place < at);
            Some(settings.get(before.checked_sub(1)?)?.1)
        })
    }
}
