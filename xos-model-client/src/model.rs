//! What a model is: its definition, and the trait that the derive implements.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::field::{ConvertFault, RecordReader};
use crate::origin::Origin;
use crate::record::{Record, Shape};
use crate::value::{ObjectId, Value};

/// The name of a model, such as `ServiceInstance`.
pub type ModelName = Cow<'static, str>;

/// The name of a field, as the core writes it, such as `versionNumber`.
pub type FieldName = Cow<'static, str>;

/// What a field holds. Together with [`FieldDef::max_length`] and [`FieldDef::text`] this fixes its storage and its
/// type on the wire.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A string as it was given.
    Text,
    /// A string without white space around it (`content_type = "stripped"`).
    Stripped,
    /// A string that is a URL (`content_type = "url"`).
    Url,
    /// A string that is an IPv4 or IPv6 address (`content_type = "ip"`).
    Ip,
    /// `int32`.
    Int32,
    /// `uint32`.
    UInt32,
    /// `bool`.
    Bool,
    /// `float`.
    Float,
    /// A point in time (`content_type = "date"`), `double` on the wire.
    Date,
    /// A link to one object (`manytoone`).
    Link,
    /// Links to many objects (`manytomany`).
    Links,
}

impl Kind {
    /// Whether the value is a string.
    pub const fn is_text(self) -> bool {
        matches!(self, Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip)
    }

    /// What a value of this kind is, in words for an error.
    pub const fn describe(self) -> &'static str {
        match self {
            Kind::Text | Kind::Stripped => "a text",
            Kind::Url => "a URL",
            Kind::Ip => "an IP address",
            Kind::Int32 => "an integer (32 bits)",
            Kind::UInt32 => "an integer from 0 on (32 bits)",
            Kind::Bool => "true or false",
            Kind::Float => "a number",
            Kind::Date => "a time",
            Kind::Link => "a link to one object",
            Kind::Links => "a list of links",
        }
    }
}

/// xproto's modifier of a field: `required` means neither blank nor null.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Must have a value; a required text without default must not be empty.
    Required,
    /// May be empty or absent.
    Optional,
}

/// What `default = ..` says, in a form that is known at compile time.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum ConstDefault {
    /// A text.
    Text(&'static str),
    /// An integer.
    Int(i64),
    /// A bool.
    Bool(bool),
    /// A float.
    Float(f32),
    /// Explicitly nothing.
    Null,
    /// The time of the save.
    Now,
    /// The first live object that a link could lead to.
    First,
}

/// What a field has when nobody gave it a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// Explicitly nothing.
    Null,
    /// A text.
    Text(Cow<'static, str>),
    /// An integer.
    Int(i64),
    /// A bool.
    Bool(bool),
    /// A float.
    Float(f32),
    /// The time of the save (`now()`).
    Now,
    /// The first live object of the model that the link leads to (`get_first_site`).
    First,
}

impl DefaultValue {
    /// The value, when it is known without asking a clock or the core.
    pub fn constant(&self) -> Option<Value> {
        match self {
            DefaultValue::Null => Some(Value::Null),
            DefaultValue::Text(text) => Some(Value::Text(text.clone().into_owned())),
            DefaultValue::Int(int) => Some(Value::Int(*int)),
            DefaultValue::Bool(bool) => Some(Value::Bool(*bool)),
            DefaultValue::Float(float) => Some(Value::Float(*float)),
            DefaultValue::Now | DefaultValue::First => None,
        }
    }
}

/// One of the values that a text field may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceDef {
    /// What is stored; `None` for "nothing", with a label of its own.
    pub value: Option<Cow<'static, str>>,
    /// What people see.
    pub label: Cow<'static, str>,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDef {
    /// The model at the other end.
    pub target: ModelName,
    /// What the other end calls the way back, without `_ids`; `None` for no way back.
    pub reverse: Option<Cow<'static, str>>,
    /// The number of the way back, 1000 to 1899; 1900 and up are given out by the core when absent.
    pub reverse_number: Option<u16>,
}

/// One field of a model, as its author declared it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDef {
    /// The name in the core; of a link without `_id`.
    pub name: FieldName,
    /// The number in the model's own numbering: 1 to 99. 0 for `id`, which is always wire number 1.
    pub number: u16,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must have a value.
    pub presence: Presence,
    /// The longest text, in characters.
    pub max_length: Option<u32>,
    /// Whether the text is unlimited by intent (`text = True`).
    pub text: bool,
    /// Whether its value is never shown: a field of type [`Secret`](crate::Secret). xproto carries it as
    /// `secret = True`, which a real core keeps and does not look at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
    /// What it has when nobody gave it a value.
    pub default: Option<DefaultValue>,
    /// The values it may have; empty for all.
    pub choices: Cow<'static, [ChoiceDef]>,
    /// Whether no two objects, also soft-deleted ones, may have the same value.
    pub unique: bool,
    /// The fields whose values together with this one must be unique.
    pub unique_with: Cow<'static, [FieldName]>,
    /// Whether the core keeps an index on it.
    pub db_index: bool,
    /// Whether only a synchronizer may change it.
    pub feedback: bool,
    /// Whether the core and the engine keep it for themselves.
    pub bookkeeping: bool,
    /// Whether the GUI hides it.
    pub gui_hidden: bool,
    /// Whether it is set to the time of creation.
    pub auto_now_add: bool,
    /// Whether a recipe finds the object by it.
    pub tosca_key: bool,
    /// A field of the group of which a recipe gives exactly one as key.
    pub tosca_key_one_of: Option<FieldName>,
    /// Where it leads, for links.
    pub link: Option<LinkDef>,
    /// The author's text on it.
    pub help: Cow<'static, str>,
}

impl FieldDef {
    /// Whether an object may be saved without a value in it.
    pub fn is_required(&self) -> bool {
        self.presence == Presence::Required
    }

    /// Whether its value is never shown, in a log, a table or an error.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether it is the `id` of the object.
    pub fn is_id(&self) -> bool {
        self.number == 0
    }
}

/// A check that the core makes when an object is saved, besides what its fields say: xproto's `validators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorDef {
    /// The name of the xproto policy that is the check.
    pub policy: Cow<'static, str>,
    /// What is said when it does not hold.
    pub message: Cow<'static, str>,
}

/// A model, as its author declared it: what `#[derive(XosModel)]` knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelDef {
    /// The name, unique in a core.
    pub name: ModelName,
    /// The service that brings it, one for all models of a service.
    pub app_label: Cow<'static, str>,
    /// The version of the crate that declared it.
    pub version: Cow<'static, str>,
    /// The model it inherits from.
    pub base: Option<ModelName>,
    /// The class that the owner of a new object is taken from (`owner_class_name`).
    pub owner_class: Option<ModelName>,
    /// Whether it has no objects of its own, as `XOSBase`.
    pub is_abstract: bool,
    /// Its plural, where the rule of the core's generator is not to be used.
    pub plural: Option<Cow<'static, str>>,
    /// What people see instead of the name.
    pub verbose_name: Option<Cow<'static, str>>,
    /// The xproto security policy that guards it.
    pub policy: Option<Cow<'static, str>>,
    /// The checks on saving.
    pub validators: Cow<'static, [ValidatorDef]>,
    /// Whether the core runs Python code of the model (`custom_python`): it shows in class names.
    pub custom_python: bool,
    /// Its own fields, not the inherited ones, in the order of declaration.
    pub fields: Cow<'static, [FieldDef]>,
    /// The author's text on it.
    pub help: Cow<'static, str>,
    /// The models it cannot be without: its base, its owner class and what its links lead to.
    #[serde(skip)]
    pub needs: &'static [fn() -> &'static ModelDef],
}

impl ModelDef {
    /// This model and all it needs, each once, in no special order.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_model_client::{Model, models::Service};
    ///
    /// let names: Vec<_> = Service::def().closure().iter().map(|model| model.name.as_ref()).collect();
    /// assert!(names.contains(&"XOSBase") && names.contains(&"Site"));
    /// ```
    pub fn closure(&'static self) -> Vec<&'static ModelDef> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(model) = found.get(next) {
            next += 1;
            for need in model.needs {
                let need = need();
                if !found.iter().any(|known| known.name == need.name) {
                    found.push(need);
                }
            }
        }
        found
    }
}

impl PartialEq for ModelDef {
    /// Whether two definitions mean the same; the crate version does not count, and neither does how the models
    /// that it needs are found.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.app_label == other.app_label
            && self.base == other.base
            && self.owner_class == other.owner_class
            && self.is_abstract == other.is_abstract
            && self.plural == other.plural
            && self.verbose_name == other.verbose_name
            && self.policy == other.policy
            && self.validators == other.validators
            && self.custom_python == other.custom_python
            && self.fields == other.fields
            && self.help == other.help
    }
}

/// The names of a model's fields and of its bases', for checks at compile time.
#[derive(Copy, Clone, Debug)]
pub struct Names {
    /// Its own, as the core writes them.
    pub own: &'static [&'static str],
    /// Its own, as Rust writes them.
    pub idents: &'static [&'static str],
    /// Those of its base.
    pub base: Option<&'static Names>,
}

/// A model: a plain struct with `#[derive(XosModel)]`. Never implemented by hand.
///
/// # Guarantees
///
/// `write_values` gives exactly [`FIELD_COUNT`](Model::FIELD_COUNT) values in the order of [`shape`](Model::shape):
/// `id`, the fields of the root, then those of each model down to this one.
///
/// # Examples
///
/// ```
/// # // An author depends on xos-sync alone and leaves `crate` out.
/// use xos_model_client::models::{Service, ServiceFields as _, ServiceInstance, ServiceInstanceFields as _};
/// use xos_model_client::{Model, XosModel};
///
/// /// One greeting.
/// #[derive(XosModel, Clone, Debug)]
/// #[xos(app_label = "hello-world", owner_class = Service, crate = xos_model_client)]
/// pub struct HelloWorldServiceInstance {
///     #[xos(base)]
///     pub service_instance: ServiceInstance,
///     /// The name of who is being greeted
///     #[xos(number = 1, max_length = 254, default = "Arya")]
///     pub hello_to: String,
/// }
///
/// let mut greeting = HelloWorldServiceInstance::default();
/// assert_eq!(greeting.hello_to, "Arya");
/// // Inherited fields are there, and so are their constants.
/// greeting.name = Some("morning".into());
/// assert_eq!(greeting.to_string(), "morning");
/// let _ = (HelloWorldServiceInstance::HELLO_TO.eq("Arya"), HelloWorldServiceInstance::NAME.eq("morning"));
/// assert_eq!(HelloWorldServiceInstance::def().fields[0].help, "The name of who is being greeted");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an XOS model",
    label = "not a model",
    note = "write `#[derive(XosModel, Clone, Debug)]` on the struct; a model of the core is in `xos_sync::models`"
)]
pub trait Model: Clone + Default + fmt::Debug + Send + Sync + 'static {
    /// The name in the core.
    const MODEL_NAME: &'static str;
    /// How many fields an object has, `id` and the inherited ones counted.
    const FIELD_COUNT: usize;
    /// The names of all fields.
    const NAMES: Names;

    /// What the core must know of it.
    fn def() -> &'static ModelDef;
    /// The order in which its fields travel.
    fn shape() -> &'static Arc<Shape>;
    /// The id, unset for an object that was not created yet.
    fn id(&self) -> ObjectId;
    /// What was loaded.
    #[doc(hidden)]
    fn origin(&self) -> &Origin;
    #[doc(hidden)]
    fn origin_mut(&mut self) -> &mut Origin;
    #[doc(hidden)]
    fn display_name(&self) -> Option<&str>;
    #[doc(hidden)]
    fn write_values(&self, out: &mut Vec<Value>);
    #[doc(hidden)]
    fn read_values(reader: &mut RecordReader<'_>) -> std::result::Result<Self, ConvertFault>;

    /// The object that a record is, when the record is laid out as [`shape`](Model::shape).
    ///
    /// # Errors
    ///
    /// A value that its field cannot hold: the error names model, object and field.
    fn from_record(record: Record) -> Result<Self> {
        crate::__private::from_record(record)
    }

    /// All values, in the order of [`shape`](Model::shape).
    fn values(&self) -> Vec<Value> {
        let mut out = Vec::with_capacity(Self::FIELD_COUNT);
        self.write_values(&mut out);
        out
    }
}

/// Says that a model is another one, or inherits from it. Every model is itself.
///
/// The derive implements it for all bases of a model: a `HelloWorldService` is a `Service` and an `XosBase`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not inherit from `{B}`",
    label = "has no field or link of `{B}`"
)]
pub trait IsA<B: ?Sized> {}
