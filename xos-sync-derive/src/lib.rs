//! The macros of xos-sync.

mod attr;
mod choice;
mod ctxt;
mod help;
mod model;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a model of XOS.
#[proc_macro_derive(XosModel, attributes(xos))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    model::expand(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes an enum the values of a text field.
#[proc_macro_derive(XosChoice, attributes(xos))]
pub fn derive_choice(input: TokenStream) -> TokenStream {
    choice::expand(&parse_macro_input!(input as DeriveInput)).into()
}
