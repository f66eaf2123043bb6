//! What is written for a model with mistakes: impls that do nothing, so that its uses elsewhere add no messages.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Data, DeriveInput};

use super::generate::{constant, constants, fields_trait, is_a, with_private};
use super::{Model, Role};

/// Impls for this struct, as far as it was understood.
pub(crate) fn fallback(input: &DeriveInput, model: Option<Model>) -> TokenStream {
    if !matches!(input.data, Data::Struct(_)) {
        return TokenStream::new();
    }
    let root = model.as_ref().map_or_else(|| syn::parse_quote!(::xos_sync), |model| model.root.clone());
    let mut parts = dummies(input);
    let mut after = TokenStream::new();
    if let Some(mut model) = model.filter(|_| input.generics.params.is_empty()) {
        let mut known = HashSet::new();
        model
            .fields
            .retain(|field| matches!(field.role, Role::Base | Role::Origin) || known.insert(constant(field)));
        parts.extend(inheritance(&model));
        parts.extend(constants(&model));
        after = model.extensible.map(|_| fields_trait(&model)).unwrap_or_default();
    }
    let mut all = with_private(&root, &parts);
    all.extend(after);
    all
}

/// `Deref` to the base, or to the one that is most likely forgotten.
fn inheritance(model: &Model) -> TokenStream {
    let name = &model.ident;
    let base = match model.base() {
        Some(base) => base.ty.to_token_stream(),
        None if model.with_role(Role::Origin).chain(model.with_role(Role::Id)).next().is_some() => {
            return is_a(name, None);
        }
        None => quote!(__x::XosBase),
    };
    let is_a = is_a(name, Some(&base));
    quote! {
        #[automatically_derived]
        impl ::core::ops::Deref for #name {
            type Target = #base;
            fn deref(&self) -> &#base {
                ::core::unreachable!()
            }
        }
        #[automatically_derived]
        impl ::core::ops::DerefMut for #name {
            fn deref_mut(&mut self) -> &mut #base {
                ::core::unreachable!()
            }
        }
        #is_a
    }
}

fn dummies(input: &DeriveInput) -> TokenStream {
    let name = &input.ident;
    let text = name.to_string();
    let (impl_generics, type_generics, _) = input.generics.split_for_impl();
    // Of a type without parameters the compiler checks this itself, and says it better.
    let bounds = (!input.generics.params.is_empty()).then(|| {
        quote!(where #name #type_generics: ::core::clone::Clone + ::core::fmt::Debug + ::core::marker::Send
            + ::core::marker::Sync + 'static)
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics ::core::default::Default for #name #type_generics #bounds {
            fn default() -> Self {
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
        #[diagnostic::do_not_recommend]
        impl #impl_generics __x::Model for #name #type_generics #bounds {
            const MODEL_NAME: &'static str = #text;
            const FIELD_COUNT: usize = 0;
            const NAMES: __x::Names = __x::Names { own: &[], idents: &[], base: ::core::option::Option::None };
            fn def() -> &'static __x::ModelDef {
                ::core::unreachable!()
            }
            fn shape() -> &'static __x::Arc<__x::Shape> {
                ::core::unreachable!()
            }
            fn id(&self) -> __x::ObjectId {
                ::core::unreachable!()
            }
            fn origin(&self) -> &__x::Origin {
                ::core::unreachable!()
            }
            fn origin_mut(&mut self) -> &mut __x::Origin {
                ::core::unreachable!()
            }
            fn display_name(&self) -> ::core::option::Option<&str> {
                ::core::unreachable!()
            }
            fn write_values(&self, _: &mut ::std::vec::Vec<__x::Value>) {
                ::core::unreachable!()
            }
            fn read_values(_: &mut __x::RecordReader<'_>) -> ::core::result::Result<Self, __x::ConvertFault> {
                ::core::unreachable!()
            }
        }
    }
}
