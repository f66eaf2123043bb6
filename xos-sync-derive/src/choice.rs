//! `#[derive(XosChoice)]`: parse, check, generate.

mod fallback;
mod generate;
mod parse;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::{DeriveInput, Ident, LitStr, Path};

use crate::ctxt::Ctxt;

/// An enum of choices as its author wrote it.
pub(crate) struct Choice {
    ident: Ident,
    /// The path under which `__private` is found.
    root: Path,
    /// The label of "nothing".
    none: Option<LitStr>,
    variants: Vec<Variant>,
    /// The variant for values that the program does not know.
    catch_all: Option<Ident>,
}

/// One value.
struct Variant {
    ident: Ident,
    value: String,
    label: String,
}

/// What the derive writes for this enum.
pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let ctxt = Ctxt::default();
    let choice = parse::parse(&ctxt, input);
    match ctxt.finish() {
        Ok(()) => generate::generate(&choice),
        Err(error) => {
            let mut tokens = error.into_compile_error();
            tokens.extend(fallback::fallback(input, &choice));
            tokens
        }
    }
}
