//! From a checked [`Choice`] to Rust.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Choice, Variant};

/// Everything that the derive writes for an enum of choices.
pub(crate) fn generate(choice: &Choice) -> TokenStream {
    let Choice { ident: name, root, variants, catch_all, .. } = choice;
    let idents: Vec<_> = variants.iter().map(|Variant { ident, .. }| ident).collect();
    let values: Vec<_> = variants.iter().map(|Variant { value, .. }| value).collect();
    let labels: Vec<_> = variants.iter().map(|Variant { label, .. }| label).collect();
    let none = choice.none.as_ref().map(|label| {
        quote! {
            const CHOICES_OR_NONE: &'static [__x::ChoiceDef] = &[
                __x::ChoiceDef { value: ::core::option::Option::None, label: __x::Cow::Borrowed(#label) },
                #(__x::choice(#values, #labels)),*
            ];
        }
    });
    quote! {
        #[doc(hidden)]
        const _: () = {
            use #root::__private as __x;
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl __x::FieldType for #name {
                const KIND: __x::Kind = __x::Kind::Text;
                const CHOICES: &'static [__x::ChoiceDef] = &[#(__x::choice(#values, #labels)),*];
                #none
                type Query = #name;
                fn empty() -> Self {
                    #name::#catch_all(::std::string::String::new())
                }
                fn to_value(&self) -> __x::Value {
                    __x::Value::Text(::std::borrow::ToOwned::to_owned(__x::Choice::as_str(self)))
                }
                fn from_value(value: &__x::Value) -> ::core::result::Result<Self, __x::ConvertFault> {
                    <::std::string::String as __x::FieldType>::from_value(value).map(#name::from)
                }
            }
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl __x::Optional for #name {}
            #[automatically_derived]
            impl __x::Choice for #name {
                fn as_str(&self) -> &str {
                    match self {
                        #(#name::#idents => #values,)*
                        #name::#catch_all(other) => other.as_str(),
                    }
                }
                fn label(&self) -> &str {
                    match self {
                        #(#name::#idents => #labels,)*
                        #name::#catch_all(other) => other.as_str(),
                    }
                }
            }
            #[automatically_derived]
            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(__x::Choice::as_str(self))
                }
            }
            #[automatically_derived]
            impl ::core::convert::From<&str> for #name {
                fn from(value: &str) -> Self {
                    match value {
                        #(#values => #name::#idents,)*
                        other => #name::#catch_all(::std::borrow::ToOwned::to_owned(other)),
                    }
                }
            }
            #[automatically_derived]
            impl ::core::convert::From<::std::string::String> for #name {
                fn from(value: ::std::string::String) -> Self {
                    match value.as_str() {
                        #(#values => #name::#idents,)*
                        _ => #name::#catch_all(value),
                    }
                }
            }
            #[automatically_derived]
            impl ::core::convert::From<#name> for __x::Value {
                fn from(value: #name) -> Self {
                    __x::Value::Text(::std::borrow::ToOwned::to_owned(__x::Choice::as_str(&value)))
                }
            }
        };
    }
}
