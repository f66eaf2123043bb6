//! Under construction.
use proc_macro2::TokenStream;
use syn::DeriveInput;
use super::Choice;
pub(crate) fn fallback(_: &DeriveInput, _: &Choice) -> TokenStream { TokenStream::new() }
