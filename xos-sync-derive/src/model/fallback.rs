//! Under construction.
use proc_macro2::TokenStream;
use syn::DeriveInput;
use super::Model;
pub(crate) fn fallback(_: &DeriveInput, _: Option<&Model>) -> TokenStream { TokenStream::new() }
