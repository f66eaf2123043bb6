//! Rules of a model that only types can decide, checked at compile time.
//!
//! A derive sees tokens. Whether `Title` is a `String`, and which fields a base has, only the compiler knows: so the
//! derive writes a call of one of these functions into a `const`, at the token that the rule is about, together with
//! the message that is shown when it does not hold. `#[track_caller]` keeps the insides of this file out of it.

use crate::model::{ConstDefault, Kind, Names};
use crate::spec::TypeInfo;

/// The field holds a text.
///
/// # Panics
///
/// At compile time, with `message`, when it does not.
#[track_caller]
pub const fn is_text(info: TypeInfo, message: &str) {
    must(info.kind.is_text(), message);
}

/// The field is a string of xproto: a text or a time.
///
/// # Panics
///
/// At compile time, with `message`, when it is not.
#[track_caller]
pub const fn is_string(info: TypeInfo, message: &str) {
    must(info.kind.is_text() || matches!(info.kind, Kind::Date), message);
}

/// Every choice has room in the field.
///
/// # Panics
///
/// At compile time, with `message`, when one has not.
#[track_caller]
pub const fn choices_fit(info: TypeInfo, max_length: usize, message: &str) {
    let mut at = 0;
    while at < info.choices.len() {
        if let Some(std::borrow::Cow::Borrowed(value)) = info.choices[at].value {
            must(value.len() <= max_length, message);
        }
        at += 1;
    }
}

/// The field holds a secret.
///
/// # Panics
///
/// At compile time, with `message`, when it does not.
#[track_caller]
pub const fn is_secret(info: TypeInfo, message: &str) {
    must(info.secret, message);
}

/// The field holds no secret.
///
/// # Panics
///
/// At compile time, with `message`, when it does.
#[track_caller]
pub const fn is_no_secret(info: TypeInfo, message: &str) {
    must(!info.secret, message);
}

/// The field holds a time.
///
/// # Panics
///
/// At compile time, with `message`, when it does not.
#[track_caller]
pub const fn is_time(info: TypeInfo, message: &str) {
    must(matches!(info.kind, Kind::Date), message);
}

/// The field is a link, or a list of links.
///
/// # Panics
///
/// At compile time, with `message`, when it is not.
#[track_caller]
pub const fn is_link(info: TypeInfo, message: &str) {
    must(info.link.is_some(), message);
}

/// The field may have this default.
///
/// # Panics
///
/// At compile time, with `message` when the default is of another kind, and with a message of its own when it is out
/// of range or not among the choices.
#[track_caller]
#[allow(clippy::panic)]
pub const fn default_fits(info: TypeInfo, default: ConstDefault, message: &str) {
    match default {
        ConstDefault::Null => must(info.optional, message),
        ConstDefault::Now => must(matches!(info.kind, Kind::Date), message),
        ConstDefault::First => must(matches!(info.kind, Kind::Link), message),
        ConstDefault::Bool(_) => must(matches!(info.kind, Kind::Bool), message),
        ConstDefault::Float(_) => must(matches!(info.kind, Kind::Float), message),
        ConstDefault::Int(int) => match info.kind {
            Kind::Float => {}
            Kind::Int32 => assert!(
                int >= i32::MIN as i64 && int <= i32::MAX as i64,
                "this default does not fit into the i32 of its field"
            ),
            Kind::UInt32 => {
                assert!(
                    int >= 0 && int <= u32::MAX as i64,
                    "this default does not fit into the u32 of its field"
                );
            }
            _ => panic!("{}", message),
        },
        ConstDefault::Text(text) => {
            must(info.kind.is_text(), message);
            assert!(
                info.choices.is_empty() || is_choice(info, text),
                "this default is none of the values that the field's type has; write the `value` of one of its variants"
            );
        }
    }
}

const fn is_choice(info: TypeInfo, text: &str) -> bool {
    let mut at = 0;
    while at < info.choices.len() {
        if let Some(std::borrow::Cow::Borrowed(value)) = info.choices[at].value
            && same(value, text)
        {
            return true;
        }
        at += 1;
    }
    false
}

/// No inherited field has this name, in Rust or in the core.
///
/// # Panics
///
/// At compile time, with `message`, when one has.
#[track_caller]
pub const fn not_inherited(base: &Names, name: &str, message: &str) {
    ident_not_inherited(base, name, message);
    name_not_inherited(base, name, message);
}

/// No inherited field is called this in Rust: through `Deref` it could not be reached any more.
///
/// # Panics
///
/// At compile time, with `message`, when one is.
#[track_caller]
pub const fn ident_not_inherited(base: &Names, ident: &str, message: &str) {
    let mut level = Some(base);
    while let Some(names) = level {
        must(!has(names.idents, ident), message);
        level = names.base;
    }
}

/// No inherited field is called this in the core, where all fields of a chain are fields of one object.
///
/// # Panics
///
/// At compile time, with `message`, when one is.
#[track_caller]
pub const fn name_not_inherited(base: &Names, name: &str, message: &str) {
    let mut level = Some(base);
    while let Some(names) = level {
        must(!has(names.own, name), message);
        level = names.base;
    }
}

const fn has(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if same(names[at], name) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[track_caller]
const fn must(holds: bool, message: &str) {
    assert!(holds, "{}", message);
}
