//! The rules of a model that only types can decide, written down for the compiler.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use super::check::{SECRET_DEFAULT, default_message, only_for};
use super::generate::{const_default, of_model, of_type};
use super::types::seen;
use super::{Default, Field, Model, Role};

/// Constants that panic with a message when a rule does not hold, each at the token that the rule is about.
pub(super) fn rules(model: &Model) -> TokenStream {
    let mut rules = TokenStream::new();
    if let Some(base) = model.base() {
        rules.extend(shadowing_rules(model, base));
    }
    let mut rule =
        |span: Span, check: TokenStream| rules.extend(quote_spanned!(span=> const _: () = #check;));
    for field in model.with_role(Role::Own) {
        let info = of_type(field, &quote!(INFO));
        // Keys are asked about only where the type could be an alias of a secret.
        let is_hidden = seen(&field.ty).is_none();
        for (attribute, check) in [
            ("max_length", "is_string"),
            ("text", "is_text"),
            ("stripped", "is_text"),
            ("url", "is_text"),
            ("ip", "is_text"),
            ("auto_now_add", "is_time"),
            ("reverse", "is_link"),
            ("secret", "is_secret"),
            ("tosca_key", "is_no_secret"),
            ("tosca_key_one_of", "is_no_secret"),
        ] {
            if let Some(span) = field.has(attribute).filter(|_| is_hidden || check != "is_no_secret") {
                let (check, message) = (Ident::new(check, span), only_for(attribute));
                rule(span, quote_spanned!(span=> __x::rules::#check(#info, #message)));
            }
        }
        if let (Some(length), None) = (&field.max_length, seen(&field.ty)) {
            let max = length.value as usize;
            let message = format!(
                "one of the values of the field's type is longer than {max} characters; give it room"
            );
            rule(length.span, quote_spanned!(length.span=> __x::rules::choices_fit(#info, #max, #message)));
        }
        if let Some(default) = &field.default {
            let (span, value, message) =
                (default.span, const_default(&default.value), default_message(&default.value));
            rule(span, quote_spanned!(span=> __x::rules::default_fits(#info, #value, #message)));
            // Where the type can be seen, nothing is left to ask.
            if seen(&field.ty).is_none() && default.value != Default::Null {
                rule(span, quote_spanned!(span=> __x::rules::is_no_secret(#info, #SECRET_DEFAULT)));
            }
        }
    }
    rules
}

/// No field may hide an inherited one, nor share its name in the core.
fn shadowing_rules(model: &Model, base: &Field) -> TokenStream {
    let names = of_model(&base.ty, &quote!(NAMES));
    let mut rules = TokenStream::new();
    let mut rule = |span: Span, check: &str, name: &str, message: String| {
        let check = Ident::new(check, span);
        rules.extend(quote_spanned!(span=> const _: () = __x::rules::#check(&#names, #name, #message);));
    };
    for field in model.fields.iter().filter(|field| matches!(field.role, Role::Base | Role::Own)) {
        let (ident, span) = (field.ident.unraw().to_string(), field.ident.span());
        let hides = format!(
            "the base has a field `{ident}` already, and this one would hide it; give it another name"
        );
        match &field.wire_name {
            _ if field.role == Role::Base => rule(span, "ident_not_inherited", &ident, hides),
            None => rule(span, "not_inherited", &ident, hides),
            Some(name) => {
                rule(span, "ident_not_inherited", &ident, hides);
                let message = format!(
                    "the base has a field that the core calls \"{}\" already; give this one another name",
                    field.name
                );
                rule(name.span(), "name_not_inherited", &field.name, message);
            }
        }
    }
    rules
}
