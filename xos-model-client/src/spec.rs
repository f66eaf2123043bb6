//! What the derive writes down of a field, and the rules that only the field's type can decide.
//!
//! Everything here runs at compile time: a [`FieldSpec`] has the values of the attributes, [`TypeInfo`] what the
//! field's type says, and [`FieldSpec::of`] makes the [`FieldDef`] of both.

use std::borrow::Cow;

use crate::model::{
    ChoiceDef, ConstDefault, DefaultValue, FieldDef, FieldName, Kind, LinkDef, Model, ModelDef, Presence,
};
use crate::models::XosBase;

/// Finds a model's definition when it is asked for, so that models may link to each other.
pub type Need = fn() -> &'static ModelDef;

/// What a field's type says of the field.
#[derive(Copy, Clone, Debug)]
pub struct TypeInfo {
    /// What it holds.
    pub kind: Kind,
    /// Whether it may have no value.
    pub optional: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// The name of the model that it links to.
    pub link: Option<&'static str>,
    /// The model that it links to.
    pub target: Option<Need>,
    /// The values it may have.
    pub choices: &'static [ChoiceDef],
}

/// What the attributes of a field say.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of its own, with a name at the place where it is set"
)]
#[derive(Copy, Clone, Debug)]
pub struct FieldSpec {
    /// The name in the core.
    pub name: &'static str,
    /// The number; 0 for `id`.
    pub number: u16,
    /// The doc comment.
    pub help: &'static str,
    /// `stripped`, `url` or `ip`.
    pub content: Option<Kind>,
    /// `max_length`.
    pub max_length: Option<u32>,
    /// `text`.
    pub text: bool,
    /// `default`.
    pub default: Option<ConstDefault>,
    /// `unique`.
    pub unique: bool,
    /// `unique_with`.
    pub unique_with: &'static [FieldName],
    /// `index`.
    pub index: bool,
    /// `feedback`.
    pub feedback: bool,
    /// `bookkeeping`.
    pub bookkeeping: bool,
    /// `gui_hidden`.
    pub gui_hidden: bool,
    /// `auto_now_add`.
    pub auto_now_add: bool,
    /// `tosca_key`.
    pub tosca_key: bool,
    /// `tosca_key_one_of`.
    pub tosca_key_one_of: Option<&'static str>,
    /// `reverse`.
    pub reverse: Option<&'static str>,
    /// `reverse_number`.
    pub reverse_number: Option<u16>,
}

impl FieldSpec {
    /// A field with no attributes but its number.
    pub const fn new(name: &'static str, number: u16, help: &'static str) -> Self {
        FieldSpec {
            name,
            number,
            help,
            content: None,
            max_length: None,
            text: false,
            default: None,
            unique: false,
            unique_with: &[],
            index: false,
            feedback: false,
            bookkeeping: false,
            gui_hidden: false,
            auto_now_add: false,
            tosca_key: false,
            tosca_key_one_of: None,
            reverse: None,
            reverse_number: None,
        }
    }

    /// The definition of this field, its type being known.
    pub const fn of(self, info: TypeInfo) -> FieldDef {
        FieldDef {
            name: Cow::Borrowed(self.name),
            number: self.number,
            kind: match self.content {
                Some(kind) => kind,
                None => info.kind,
            },
            presence: if info.optional { Presence::Optional } else { Presence::Required },
            max_length: self.max_length,
            text: self.text,
            secret: info.secret,
            default: match self.default {
                Some(default) => Some(default.of_kind(info.kind)),
                None => None,
            },
            choices: Cow::Borrowed(info.choices),
            unique: self.unique,
            unique_with: Cow::Borrowed(self.unique_with),
            db_index: self.index,
            feedback: self.feedback,
            bookkeeping: self.bookkeeping,
            gui_hidden: self.gui_hidden,
            auto_now_add: self.auto_now_add,
            tosca_key: self.tosca_key,
            tosca_key_one_of: match self.tosca_key_one_of {
                Some(name) => Some(Cow::Borrowed(name)),
                None => None,
            },
            link: match info.link {
                Some(target) => Some(LinkDef {
                    target: Cow::Borrowed(target),
                    reverse: match self.reverse {
                        Some(name) => Some(Cow::Borrowed(name)),
                        None => None,
                    },
                    reverse_number: self.reverse_number,
                }),
                None => None,
            },
            help: Cow::Borrowed(self.help),
        }
    }
}

impl ConstDefault {
    /// As the definition has it. An integer is a fine default of a float.
    const fn of_kind(self, kind: Kind) -> DefaultValue {
        match self {
            ConstDefault::Null => DefaultValue::Null,
            ConstDefault::Now => DefaultValue::Now,
            ConstDefault::First => DefaultValue::First,
            ConstDefault::Text(text) => DefaultValue::Text(Cow::Borrowed(text)),
            ConstDefault::Int(int) if matches!(kind, Kind::Float) => DefaultValue::Float(int as f32),
            ConstDefault::Int(int) => DefaultValue::Int(int),
            ConstDefault::Bool(bool) => DefaultValue::Bool(bool),
            ConstDefault::Float(float) => DefaultValue::Float(float),
        }
    }
}

/// How many of these are there.
pub const fn count_needs(needs: &[Option<Need>]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < needs.len() {
        if needs[at].is_some() {
            count += 1;
        }
        at += 1;
    }
    count
}

/// Those that are there.
pub const fn collect_needs<const COUNT: usize>(needs: &[Option<Need>]) -> [Need; COUNT] {
    // Overwritten below, all of it.
    let mut found: [Need; COUNT] = [<XosBase as Model>::def; COUNT];
    let (mut at, mut count) = (0, 0);
    while at < needs.len() {
        if let Some(need) = needs[at] {
            found[count] = need;
            count += 1;
        }
        at += 1;
    }
    found
}
