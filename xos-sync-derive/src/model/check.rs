//! Whether what the author wrote fits together. Each rule has a message of its own, at the token that breaks it.

use std::collections::HashMap;

use proc_macro2::Span;
use syn::LitStr;

use super::generate::constant;
use super::types::{Seen, seen, seen_optional};
use super::{Default, Field, Model, Role};
use crate::ctxt::{Ctxt, closest};

/// Checks all rules that tokens can decide.
pub(crate) fn check(ctxt: &Ctxt, model: &Model) {
    let _ = (ctxt, model);
}

/// What an attribute is for, when it stands at a field of another type.
pub(super) fn only_for(attribute: &str) -> String {
    let kinds = match attribute {
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
