//! What can be seen of a type without a compiler: enough for a message at the right place, never for a decision.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

/// What a field seems to hold, going by the name of its type.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text,
    Secret,
    Int,
    Float,
    Bool,
    Time,
    Link,
    Links,
}

/// What a type is called, through `Option`; `None` for a name that could be anything.
pub(crate) fn seen(ty: &Type) -> Option<Seen> {
    let (name, argument) = name_of(ty)?;
    match name.as_str() {
        "String" => Some(Seen::Text),
        "Secret" => Some(Seen::Secret),
        "i32" | "u32" => Some(Seen::Int),
        "f32" => Some(Seen::Float),
        "bool" => Some(Seen::Bool),
        "Timestamp" => Some(Seen::Time),
        "Link" => Some(Seen::Link),
        "Links" => Some(Seen::Links),
        "Option" => seen(argument?),
        _ => None,
    }
}

/// Whether the type is written as an `Option`; `None` when that cannot be seen.
pub(crate) fn seen_optional(ty: &Type) -> Option<bool> {
    let (name, _) = name_of(ty)?;
    (name == "Option" || seen(ty).is_some()).then_some(name == "Option" || name == "Links")
}

fn name_of(ty: &Type) -> Option<(String, Option<&Type>)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let argument = match &last.arguments {
        PathArguments::AngleBracketed(generics) => generics.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    };
    Some((last.ident.to_string(), argument))
}

/// The type with the name of the struct in place of `Self`: generated items stand outside of any `impl`.
pub(crate) fn without_self(ty: Type, model: &Ident) -> Type {
    fn replace(tokens: TokenStream, model: &Ident) -> TokenStream {
        tokens
            .into_iter()
            .map(|token| match token {
                TokenTree::Ident(ident) if ident == "Self" => {
                    let mut named = model.clone();
                    named.set_span(ident.span());
                    TokenTree::Ident(named)
                }
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), replace(group.stream(), model));
                    inner.set_span(group.span());
                    TokenTree::Group(inner)
                }
                other => other,
            })
            .collect()
    }
    syn::parse2(replace(ty.to_token_stream(), model)).unwrap_or(ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_last_name() {
        let check = |ty: Type, expected| assert_eq!(seen(&ty), expected);
        check(syn::parse_quote!(String), Some(Seen::Text));
        check(syn::parse_quote!(std::option::Option<xos_sync::Link<Slice>>), Some(Seen::Link));
        check(syn::parse_quote!(Title), None);
        check(syn::parse_quote!((String, i32)), None);
    }

    #[test]
    fn self_becomes_the_name_of_the_struct() {
        let ty = without_self(syn::parse_quote!(Option<Link<Self>>), &quote::format_ident!("Slice"));
        assert_eq!(ty.to_token_stream().to_string(), "Option < Link < Slice > >");
    }
}
