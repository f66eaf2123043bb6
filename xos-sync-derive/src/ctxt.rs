//! Where mistakes are collected, so that all of them are reported at once.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;
use strsim::osa_distance;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Ctxt {
    errors: RefCell<Vec<syn::Error>>,
}

impl Ctxt {
    /// A mistake in these tokens.
    pub(crate) fn error(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake at this place.
    pub(crate) fn error_at(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// A mistake that a parser found.
    pub(crate) fn push(&self, error: syn::Error) {
        self.errors.borrow_mut().push(error);
    }

    /// All mistakes as one error, or that there are none.
    pub(crate) fn finish(self) -> Result<(), syn::Error> {
        let mut errors = self.errors.into_inner().into_iter();
        let Some(mut all) = errors.next() else { return Ok(()) };
        all.extend(errors);
        Err(all)
    }
}

/// The candidate that is most like a misspelt name, for "did you mean".
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // In a name of two letters, one that differs is another name.
    let limit = match name.chars().count() {
        0..=2 => 0,
        letters => (letters / 3).max(1),
    };
    candidates
        .into_iter()
        .map(|candidate| (osa_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let names = ["max_length", "number", "unique", "unique_with"];
        assert_eq!(closest("max_lenght", names), Some("max_length"));
        assert_eq!(closest("lable", ["label", "value"]), Some("label"));
        assert_eq!(closest("nubmer", names), Some("number"));
        assert_eq!(closest("unique_wiht", names), Some("unique_with"));
        assert_eq!(closest("colour", names), None);
    }

    #[test]
    fn mistakes_are_reported_together() {
        let ctxt = Ctxt::default();
        ctxt.error_at(Span::call_site(), "one");
        ctxt.error(quote::quote!(a b), "two");
        let texts = |error: syn::Error| error.into_iter().map(|error| error.to_string()).collect::<Vec<_>>();
        assert_eq!(ctxt.finish().map_err(texts), Err(vec!["one".to_owned(), "two".to_owned()]));
        assert!(Ctxt::default().finish().is_ok());
    }
}
