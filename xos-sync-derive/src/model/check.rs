//! Whether what the author wrote fits together. Each rule has a message of its own, at the token that breaks it.
//!
//! What only types can decide is checked by the compiler, in what [`generate`](super::generate) writes; where the
//! type's name can be seen, the same message comes from here.

use syn::LitStr;
use syn::ext::IdentExt;

use super::generate::constant;
use super::types::{Seen, seen, seen_optional};
use super::{Default, Field, Model, Role};
use crate::ctxt::{Ctxt, closest};

/// Checks all rules that tokens can decide.
pub(crate) fn check(ctxt: &Ctxt, model: &Model) {
    check_struct(ctxt, model);
    check_roles(ctxt, model);
    check_numbers(ctxt, model);
    check_names(ctxt, model);
    for field in model.with_role(Role::Own) {
        check_pairs(ctxt, field);
        check_type(ctxt, field);
        check_default(ctxt, field);
        check_references(ctxt, model, field);
    }
}

fn check_struct(ctxt: &Ctxt, model: &Model) {
    let name = model.model_name();
    if !name.starts_with(|char: char| char.is_ascii_alphabetic()) || !is_name(&name) {
        let message = format!(
            "a model's name in the core starts with a letter and has letters, digits and underscores only, found \
             `{name}`; give it another with `#[xos(name = \"..\")]`"
        );
        match &model.name {
            Some(text) => ctxt.error(text, message),
            None => ctxt.error(&model.ident, message),
        }
    }
    if let Some(label) = &model.app_label {
        let value = label.value();
        if let Some(found) =
            value.chars().find(|char| !char.is_ascii_alphanumeric() && !"-_.".contains(*char))
        {
            ctxt.error(
                label,
                format!("an app_label has letters, digits, `-`, `_` and `.` only, found `{found}`; write the name of \
                         the service, such as \"hello-world\""),
            );
        }
    }
    if let (Some(owner), None) = (&model.owner_class, model.base()) {
        ctxt.error(
            owner,
            "`owner_class` is for a model that inherits from ServiceInstance; this one has no base",
        );
    }
}

/// One base, or the two fields of a root.
fn check_roles(ctxt: &Ctxt, model: &Model) {
    let mut bases = model.with_role(Role::Base);
    let base = bases.next();
    for field in bases {
        let first = base.map(|base| base.ident.to_string()).unwrap_or_default();
        ctxt.error_at(
            place(field, "base"),
            format!("a model has one base, and `{first}` is it; remove this `base`"),
        );
    }
    for role in [Role::Origin, Role::Id] {
        let mut fields = model.with_role(role);
        if let (Some(field), Some(base)) = (fields.next(), base) {
            let message = format!("`{}` is inherited from `{}`; remove this field", role.name(), base.ident);
            ctxt.error_at(place(field, role.name()), message);
        }
        for field in fields {
            ctxt.error_at(
                place(field, role.name()),
                format!("a model has one field `{}`; remove this one", role.name()),
            );
        }
    }
    if base.is_none() {
        match (model.with_role(Role::Origin).next(), model.with_role(Role::Id).next()) {
            (Some(_), Some(_)) => {}
            (None, None) => ctxt.error(
                &model.ident,
                "a model inherits from another: add a field `#[xos(base)] pub base: XosBase` (or `Service`, \
                 `ServiceInstance`, ..)",
            ),
            (Some(_), None) => {
                ctxt.error(&model.ident, "a model without base has an id: add `#[xos(id)] pub id: ObjectId`");
            }
            (None, Some(_)) => ctxt.error(
                &model.ident,
                "a model without base keeps what was loaded: add `#[doc(hidden)] #[xos(origin)] pub __origin: Origin`",
            ),
        }
    }
    for field in model.fields.iter().filter(|field| field.role != Role::Own) {
        let role = field.role.name();
        for (name, span) in field.given.iter().filter(|(name, _)| !["base", "origin", "id"].contains(name)) {
            let message = match (*name, field.role) {
                ("number", Role::Base) => {
                    "the base has no number: its fields keep the numbers they have; remove it".to_owned()
                }
                ("number", Role::Id) => "the id always has number 1 on the wire; remove `number`".to_owned(),
                ("number", _) => "the origin is not sent, so it has no number; remove it".to_owned(),
                _ => format!("`{name}` means nothing at a field that is `{role}`; remove it"),
            };
            ctxt.error_at(*span, message);
        }
    }
}

fn check_numbers(ctxt: &Ctxt, model: &Model) {
    let number = |field: &Field| field.number.as_ref().map(|number| number.value);
    let mut taken: Vec<u32> = model.with_role(Role::Own).filter_map(number).collect();
    // Two fields without number get two proposals.
    let mut free = || {
        let free = (1..=99).find(|number| !taken.contains(number));
        taken.extend(free);
        match free {
            Some(free) => format!("{free} is free"),
            None => "all 99 are taken".to_owned(),
        }
    };
    for (at, field) in model.with_role(Role::Own).enumerate() {
        let Some(number) = &field.number else {
            if field.has("number").is_none() {
                let message =
                    format!("every field needs a number for the wire: add `#[xos(number = N)]`; {}", free());
                ctxt.error(&field.ident, message);
            }
            continue;
        };
        let twin = |twin: &&Field| twin.number.as_ref().is_some_and(|twin| twin.value == number.value);
        if let Some(twin) = model.with_role(Role::Own).take(at).find(twin) {
            let message = format!("number {} is used by `{}` already; {}", number.value, twin.ident, free());
            ctxt.error_at(number.span, message);
        }
    }
}

fn check_names(ctxt: &Ctxt, model: &Model) {
    let own = || model.with_role(Role::Own);
    for (at, field) in own().enumerate() {
        let error = |message: String| match &field.wire_name {
            Some(name) => ctxt.error(name, message),
            None => ctxt.error(&field.ident, message),
        };
        let name = &field.name;
        if name == "id" {
            error("`id` is the id that every model inherits; give this field another name".to_owned());
        } else if !is_name(name) || name.starts_with(|char: char| char.is_ascii_digit()) {
            error(format!(
                "a field's name in the core starts with a letter and has letters, digits and underscores only, found \
                 `{name}`; give it another with `#[xos(name = \"..\")]`"
            ));
        } else if name.contains("__") {
            error(format!(
                "`__` separates the names of a path, as in `owner__name`; take it out of `{name}`"
            ));
        }
        if let Some(twin) = own().take(at).find(|twin| twin.name == *name) {
            error(format!(
                "`{}` is called \"{name}\" in the core too; give one of them another name",
                twin.ident
            ));
        } else if let Some(twin) = own().take(at).find(|twin| constant(twin) == constant(field)) {
            ctxt.error(
                &field.ident,
                format!(
                    "`{}` and this field would share the constant `{}`; give one another name",
                    twin.ident,
                    constant(field)
                ),
            );
        }
        if let Some(link) = own().find(|link| wire_name_of_link(link).as_ref() == Some(name)) {
            error(format!(
                "the link `{}` is called \"{name}\" on the wire; give one of them another name",
                link.ident
            ));
        }
    }
}

/// What a field that is seen to be a link is called on the wire.
fn wire_name_of_link(field: &Field) -> Option<String> {
    match seen(&field.ty)? {
        Seen::Link => Some(format!("{}_id", field.name)),
        Seen::Links => Some(format!("{}_ids", field.name)),
        _ => None,
    }
}

/// Attributes that exclude or need each other.
fn check_pairs(ctxt: &Ctxt, field: &Field) {
    for (one, other, why) in [
        ("text", "max_length", "`text` means unlimited, `max_length` a limit"),
        (
            "feedback",
            "bookkeeping",
            "`feedback` is written by steps, `bookkeeping` by the core and the engine",
        ),
        ("tosca_key", "tosca_key_one_of", "a key of its own is always given, one of several is not"),
        ("auto_now_add", "default", "`auto_now_add` gives the field its value"),
    ] {
        if let (Some(_), Some(span)) = (field.has(one), field.has(other)) {
            ctxt.error_at(span, format!("{why}; remove `{one}` or `{other}`"));
        }
    }
    if let [first, rest @ ..] = field.content.as_slice() {
        for second in rest {
            let (first, name) = (first.value.name(), second.value.name());
            ctxt.error_at(second.span, format!("a text is either `{first}` or `{name}`; remove one"));
        }
    }
    if let (Some(span), None) = (field.has("reverse_number"), field.has("reverse")) {
        ctxt.error_at(span, "a number for the way back needs its name: add `reverse = \"..\"`");
    }
    if let Some(reverse) = &field.reverse
        && !is_name(&reverse.value())
    {
        ctxt.error(reverse, "the name of a way back has letters, digits and underscores only");
    }
}

/// Attributes at a type that they are not for, as far as that can be seen.
fn check_type(ctxt: &Ctxt, field: &Field) {
    let Some(seen) = seen(&field.ty) else { return };
    let is_text = matches!(seen, Seen::Text | Seen::Secret);
    for (attribute, fits) in [
        ("max_length", is_text || seen == Seen::Time),
        ("text", is_text),
        ("stripped", is_text),
        ("url", is_text),
        ("ip", is_text),
        ("secret", seen == Seen::Secret),
        ("tosca_key", seen != Seen::Secret),
        ("tosca_key_one_of", seen != Seen::Secret),
        ("auto_now_add", seen == Seen::Time),
        ("reverse", matches!(seen, Seen::Link | Seen::Links)),
    ] {
        if let (Some(span), false) = (field.has(attribute), fits) {
            ctxt.error_at(span, only_for(attribute));
        }
    }
}

fn check_default(ctxt: &Ctxt, field: &Field) {
    let Some(default) = &field.default else { return };
    if let (Default::Text(text), Some(max)) = (&default.value, &field.max_length)
        && text.len() > max.value as usize
    {
        let message = format!("this default has {} characters, but max_length is {}", text.len(), max.value);
        ctxt.error_at(default.span, message);
    }
    let seen = seen(&field.ty);
    if seen == Some(Seen::Secret) && default.value != Default::Null {
        ctxt.error_at(default.span, SECRET_DEFAULT);
        return;
    }
    let fits = match (&default.value, seen) {
        (Default::Null, _) => seen_optional(&field.ty) != Some(false),
        (_, None) => true,
        (Default::Text(_), Some(seen)) => seen == Seen::Text,
        (Default::Int(_), Some(seen)) => matches!(seen, Seen::Int | Seen::Float),
        (Default::Float(_), Some(seen)) => seen == Seen::Float,
        (Default::Bool(_), Some(seen)) => seen == Seen::Bool,
        (Default::Now, Some(seen)) => seen == Seen::Time,
        (Default::First, Some(seen)) => seen == Seen::Link,
    };
    if !fits {
        ctxt.error_at(default.span, default_message(&default.value));
    }
}

/// Fields that this one names must exist.
fn check_references(ctxt: &Ctxt, model: &Model, field: &Field) {
    let check = |attribute: &str, other: &LitStr| {
        let value = other.value();
        if value == field.name {
            ctxt.error(other, format!("`{attribute}` names another field, not the field itself"));
            return;
        }
        let names = || model.with_role(Role::Own).filter(|other| other.ident != field.ident);
        if names().any(|other| other.name == value) {
            return;
        }
        let renamed = names().find(|other| other.ident.unraw() == value).map(|other| other.name.as_str());
        let like = renamed.or_else(|| closest(&value, names().map(|other| other.name.as_str())));
        let hint = match like {
            Some(like) => format!("did you mean \"{like}\"?"),
            None => "write the name of a field of the same struct, as the core calls it".to_owned(),
        };
        ctxt.error(
            other,
            format!("`{attribute}` names \"{value}\", which is no field that this model adds; {hint}"),
        );
    };
    for other in &field.unique_with {
        check("unique_with", other);
    }
    if let Some(other) = &field.tosca_key_one_of {
        check("tosca_key_one_of", other);
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Where an attribute of a field stands.
fn place(field: &Field, attribute: &str) -> proc_macro2::Span {
    field.has(attribute).unwrap_or_else(|| field.ident.span())
}

/// A default is in the program and in xproto, for everybody to read.
pub(super) const SECRET_DEFAULT: &str =
    "a secret cannot have a default, which everybody could read in the program; remove `default`";

/// What an attribute is for, when it stands at a field of another type.
pub(super) fn only_for(attribute: &str) -> String {
    let kinds = match attribute {
        "secret" => {
            return "what is secret is said by the type, so that nothing can show it: make the field a `Secret` (or \
                    `Option<Secret>`)"
                .to_owned();
        }
        "tosca_key" | "tosca_key_one_of" => {
            return format!(
                "`{attribute}` is not for secrets: keys of recipes are remembered and shown; remove it"
            );
        }
        "reverse" => "links (Link, Option<Link> or Links)",
        "max_length" => "texts (String, or an enum with #[derive(XosChoice)]) and times",
        "auto_now_add" => "times (Timestamp)",
        _ => "texts (String, or an enum with #[derive(XosChoice)])",
    };
    format!("`{attribute}` is for {kinds}; remove it or change the field's type")
}

/// Which fields may have this default.
pub(super) fn default_message(default: &Default) -> String {
    let (what, kinds) = match default {
        Default::Text(_) => ("a text", "a text (String, or an enum with #[derive(XosChoice)])"),
        Default::Int(_) => ("an integer", "a number (i32, u32 or f32)"),
        Default::Float(_) => ("a number with a fraction", "an f32"),
        Default::Bool(_) => ("`true` or `false`", "a bool"),
        Default::Null => ("`none`", "an Option"),
        Default::Now => ("`now`", "a Timestamp"),
        Default::First => ("`first`", "a Link or Option<Link>"),
    };
    format!("{what} can be the default of {kinds} only; change the default or the field's type")
}
