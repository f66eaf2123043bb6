//! Fields and links as definitions.

use std::borrow::Cow;

use super::{Faults, bare, last_name};
use crate::model::{DefaultValue, FieldDef, FieldName, Kind, LinkDef, Presence};
use crate::xproto::choices;
use crate::xproto::document::{Field, Link, LinkKind, Message, Modifier, Place, Setting};
use crate::xproto::value::{Number, Value};

/// Notes what is wrong with one field.
struct At<'a, 'b> {
    message: &'a Message,
    name: &'a str,
    place: Place,
    faults: &'a mut Faults<'b>,
}

impl At<'_, '_> {
    fn add(&mut self, place: Place, problem: impl Into<String>) {
        self.faults.add(self.message, Some((self.name, place)), problem);
    }

    fn presence(&mut self, modifier: Modifier) -> Presence {
        match modifier {
            Modifier::Required => Presence::Required,
            Modifier::Optional => Presence::Optional,
            Modifier::Repeated => {
                self.add(
                    self.place,
                    "no field of XOS is `repeated`; write `required` or `optional`, or a link",
                );
                Presence::Optional
            }
        }
    }

    fn number(&mut self, number: &Number, range: std::ops::RangeInclusive<u16>, what: &str) -> u16 {
        let found = number.as_int().and_then(|int| u16::try_from(int).ok()).filter(|int| range.contains(int));
        found.unwrap_or_else(|| {
            self.add(
                self.place,
                format!("{what} are from {} to {}, found {number}", range.start(), range.end()),
            );
            0
        })
    }
}

pub(super) fn field(message: &Message, field: &Field, faults: &mut Faults<'_>) -> Option<FieldDef> {
    let mut at = At { message, name: &field.name, place: field.place, faults };
    let content = find(&field.options, "content_type").map(|option| (option.value.as_text(), option.place));
    let kind = match (field.kind.as_str(), content) {
        ("string", None) => Kind::Text,
        ("string", Some((content, place))) => match content.as_deref() {
            Some("date") => Kind::Date,
            Some("stripped") => Kind::Stripped,
            Some("url") => Kind::Url,
            Some("ip") => Kind::Ip,
            _ => {
                at.add(place, "a content_type is \"stripped\", \"date\", \"url\" or \"ip\"");
                return None;
            }
        },
        ("int32", _) => Kind::Int32,
        ("uint32", _) => Kind::UInt32,
        ("bool", _) => Kind::Bool,
        ("float", _) => Kind::Float,
        (other, _) => {
            at.add(
                field.place,
                format!("unknown type `{other}`; the types are string, int32, uint32, float and bool"),
            );
            return None;
        }
    };
    let mut def = FieldDef {
        presence: at.presence(field.modifier),
        number: at.number(&field.number, 1..=99, "field numbers"),
        ..bare(&field.name, 0, kind)
    };
    options(&mut def, &field.options, &mut at);
    Some(def)
}

pub(super) fn link(message: &Message, link: &Link, faults: &mut Faults<'_>) -> Option<FieldDef> {
    let mut at = At { message, name: &link.name, place: link.place, faults };
    let kind = match link.kind {
        LinkKind::ManyToOne => Kind::Link,
        LinkKind::ManyToMany => Kind::Links,
        LinkKind::OneToOne => {
            at.add(link.place, "there are no onetoone links; write manytoone with `unique = True`");
            return None;
        }
    };
    let mut def = FieldDef {
        presence: at.presence(link.modifier),
        number: at.number(&link.number, 1..=99, "field numbers"),
        ..bare(&link.name, 0, kind)
    };
    let reverse = link.reverse.clone().filter(|reverse| reverse != "+");
    let number = link.reverse_number.as_ref().filter(|_| reverse.is_some());
    def.link = Some(LinkDef {
        target: Cow::Owned(last_name(&link.target).to_owned()),
        reverse: reverse.map(Cow::Owned),
        reverse_number: number.map(|number| at.number(number, 1000..=1899, "reverse numbers")),
    });
    options(&mut def, &link.options, &mut at);
    Some(def)
}

/// The option of that name; the first of several counts, as in the generator.
fn find<'a>(options: &'a [Setting], name: &str) -> Option<&'a Setting> {
    options.iter().find(|option| option.name == name)
}

fn options(def: &mut FieldDef, options: &[Setting], at: &mut At<'_, '_>) {
    for option in options.iter().rev() {
        let Setting { name, value, place } = option;
        match name.as_str() {
            "help_text" => def.help = Cow::Owned(value.as_text().unwrap_or_default().into_owned()),
            "max_length" => match value {
                Value::Number(number) => {
                    def.max_length = number.as_int().and_then(|int| u32::try_from(int).ok());
                    if def.max_length.is_none() {
                        at.add(
                            *place,
                            format!("max_length must be a whole number from 1 on, found {number}"),
                        );
                    }
                }
                _ => at.add(*place, format!("max_length must be a number, found {value}")),
            },
            "default" => match default(def, value) {
                Ok(default) => def.default = Some(default),
                Err(problem) => at.add(*place, problem),
            },
            "choices" => match value {
                Value::Text(text) => match choices::read(text.raw()) {
                    Ok(choices) => def.choices = Cow::Owned(choices),
                    Err(problem) => at.add(*place, problem),
                },
                _ => at.add(*place, "choices are a text with a Python tuple: \"(('value', 'label'), )\""),
            },
            "unique_with" => match value.as_text() {
                Some(names) => {
                    def.unique_with =
                        names.split(',').map(|name| FieldName::Owned(name.to_owned())).collect();
                }
                None => at.add(*place, "unique_with is the name of another field"),
            },
            "tosca_key_one_of" => match value.as_text() {
                Some(other) if !other.contains(',') => {
                    def.tosca_key_one_of = Some(Cow::Owned(other.into_owned()));
                }
                _ => at.add(*place, "tosca_key_one_of is the name of one other field"),
            },
            "text" => flag(&mut def.text, option, at),
            "secret" if def.kind.is_text() => flag(&mut def.secret, option, at),
            "unique" => flag(&mut def.unique, option, at),
            "db_index" => flag(&mut def.db_index, option, at),
            "feedback_state" => flag(&mut def.feedback, option, at),
            "bookkeeping_state" => flag(&mut def.bookkeeping, option, at),
            "gui_hidden" => flag(&mut def.gui_hidden, option, at),
            "auto_now_add" => flag(&mut def.auto_now_add, option, at),
            "tosca_key" => flag(&mut def.tosca_key, option, at),
            _ => {}
        }
    }
}

fn flag(flag: &mut bool, option: &Setting, at: &mut At<'_, '_>) {
    match option.value.as_bool() {
        Some(value) => *flag = value,
        None => at.add(option.place, format!("`{}` is True or False, found {}", option.name, option.value)),
    }
}

/// What `default = ..` says, at a field of that kind.
fn default(def: &FieldDef, value: &Value) -> Result<DefaultValue, String> {
    let wrong = |expected: &str| Err(format!("the default of this field is {expected}, found {value}"));
    if matches!(value, Value::Name(name) if name == "None") {
        return Ok(DefaultValue::Null);
    }
    match (def.kind, value) {
        (Kind::Date, _) => match value.as_text().as_deref() {
            Some("now()") => Ok(DefaultValue::Now),
            _ => wrong("\"now()\" or None"),
        },
        (Kind::Bool, _) => match value.as_bool() {
            Some(bool) => Ok(DefaultValue::Bool(bool)),
            None => wrong("True or False"),
        },
        (Kind::Int32 | Kind::UInt32, _) => {
            let number = match value {
                Value::Number(number) => number.as_int(),
                _ => None,
            };
            let fits = |int: &i64| match def.kind {
                Kind::UInt32 => u32::try_from(*int).is_ok(),
                _ => i32::try_from(*int).is_ok(),
            };
            match number.filter(fits) {
                Some(int) => Ok(DefaultValue::Int(int)),
                None => wrong("a whole number of 32 bits"),
            }
        }
        (Kind::Float, Value::Number(number)) => match number.as_float() {
            Some(float) => Ok(DefaultValue::Float(float)),
            None => wrong("a number of 32 bits"),
        },
        (Kind::Float, _) => wrong("a number"),
        (Kind::Link, Value::Name(name)) if name.starts_with("get_first_") => Ok(DefaultValue::First),
        (Kind::Link | Kind::Links, _) => {
            wrong("`get_first_site`, the function of the core that finds the first one")
        }
        (_, Value::Text(text)) => Ok(DefaultValue::Text(Cow::Owned(text.text().into_owned()))),
        _ => wrong("a text in double quotes"),
    }
}
