//! What is written for choices with mistakes: impls that do nothing, so that their uses elsewhere add no messages.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use super::Choice;

/// Impls for this type.
pub(crate) fn fallback(input: &DeriveInput, choice: &Choice) -> TokenStream {
    if matches!(input.data, Data::Union(_)) {
        return TokenStream::new();
    }
    let (name, root) = (&input.ident, &choice.root);
    let (impl_generics, type_generics, _) = input.generics.split_for_impl();
    // Of a type without parameters the compiler checks this itself, and says it better.
    let bounds = (!input.generics.params.is_empty()).then(|| {
        quote!(where #name #type_generics: ::core::clone::Clone + ::core::cmp::PartialEq + ::core::fmt::Debug
            + ::core::marker::Send + ::core::marker::Sync + 'static)
    });
    quote! {
        #[doc(hidden)]
        const _: () = {
            use #root::__private as __x;
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #impl_generics __x::FieldType for #name #type_generics #bounds {
                const KIND: __x::Kind = __x::Kind::Text;
                type Query = ::std::string::String;
                fn empty() -> Self {
                    ::core::unreachable!()
                }
                fn to_value(&self) -> __x::Value {
                    ::core::unreachable!()
                }
                fn from_value(_: &__x::Value) -> ::core::result::Result<Self, __x::ConvertFault> {
                    ::core::unreachable!()
                }
            }
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl #impl_generics __x::Optional for #name #type_generics #bounds {}
            #[automatically_derived]
            impl #impl_generics __x::Choice for #name #type_generics #bounds {
                fn as_str(&self) -> &str {
                    ::core::unreachable!()
                }
                fn label(&self) -> &str {
                    ::core::unreachable!()
                }
            }
            #[automatically_derived]
            impl #impl_generics ::core::fmt::Display for #name #type_generics #bounds {
                fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    ::core::unreachable!()
                }
            }
            #[automatically_derived]
            impl #impl_generics ::core::convert::From<&str> for #name #type_generics #bounds {
                fn from(_: &str) -> Self {
                    ::core::unreachable!()
                }
            }
            #[automatically_derived]
            impl #impl_generics ::core::convert::From<::std::string::String> for #name #type_generics #bounds {
                fn from(_: ::std::string::String) -> Self {
                    ::core::unreachable!()
                }
            }
        };
    }
}
