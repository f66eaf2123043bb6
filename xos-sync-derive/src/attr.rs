//! The inside of `#[xos(..)]`: names, each alone, with a value or with a list.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Path, Token};

use crate::ctxt::{Ctxt, closest};

/// One name that may stand in `#[xos(..)]`.
pub(crate) struct Key {
    /// The name.
    pub(crate) name: &'static str,
    /// What it takes, in words for a message.
    takes: &'static str,
    /// How it is written.
    example: &'static str,
}

impl Key {
    /// A name that stands alone.
    pub(crate) const fn flag(name: &'static str) -> Self {
        Key { name, takes: "", example: name }
    }

    /// A name with a value.
    pub(crate) const fn value(name: &'static str, takes: &'static str, example: &'static str) -> Self {
        Key { name, takes, example }
    }
}

/// A value, and where it stands.
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// One `name`, `name = value` or `name(value, ..)` as the author wrote it.
pub(crate) struct Entry {
    pub(crate) ident: Ident,
    given: Given,
    key: &'static Key,
}

enum Given {
    Nothing,
    Value(Expr),
    List(Punctuated<Expr, Token![,]>),
}

struct Raw {
    ident: Ident,
    given: Given,
}

impl Parse for Raw {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ident = Ident::parse_any(input)
            .map_err(|error| syn::Error::new(error.span(), "expected the name of an attribute"))?;
        let value = |error: syn::Error| {
            let message =
                format!("expected a value for `{ident}` here: a text in quotes, a number or a name");
            syn::Error::new(error.span(), message)
        };
        let given = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Given::Value(input.parse::<Expr>().map(ungroup).map_err(value)?)
        } else if input.peek(syn::token::Paren) {
            let inner;
            syn::parenthesized!(inner in input);
            let list = Punctuated::<Expr, Token![,]>::parse_terminated(&inner).map_err(value)?;
            Given::List(list.into_iter().map(ungroup).collect())
        } else if input.is_empty() || input.peek(Token![,]) {
            Given::Nothing
        } else {
            return Err(input.error(format!("expected `,` or `=` after `{ident}`")));
        };
        Ok(Raw { ident, given })
    }
}

/// A literal that came through a `macro_rules!` is wrapped in an invisible group.
fn ungroup(expr: Expr) -> Expr {
    match expr {
        Expr::Group(group) => ungroup(*group.expr),
        other => other,
    }
}

/// What stands in all `#[xos(..)]` of these attributes: known names only, each once unless it is among `repeatable`.
pub(crate) fn entries(
    ctxt: &Ctxt,
    attributes: &[Attribute],
    keys: &'static [Key],
    repeatable: &[&str],
    of_what: &str,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("xos")) {
        match &attribute.meta {
            Meta::List(list) => add(ctxt, &mut entries, list.tokens.clone(), keys, repeatable, of_what),
            _ => ctxt.error(attribute, "expected a list in parentheses: `#[xos(..)]`"),
        }
    }
    entries
}

/// What stands in these tokens: known names only, each once.
pub(crate) fn entries_in(
    ctxt: &Ctxt,
    tokens: TokenStream,
    keys: &'static [Key],
    of_what: &str,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    add(ctxt, &mut entries, tokens, keys, &[], of_what);
    entries
}

fn add(
    ctxt: &Ctxt,
    entries: &mut Vec<Entry>,
    tokens: TokenStream,
    keys: &'static [Key],
    repeatable: &[&str],
    of_what: &str,
) {
    let raws = match Punctuated::<Raw, Token![,]>::parse_terminated.parse2(tokens) {
        Ok(raws) => raws,
        Err(error) => return ctxt.push(error),
    };
    for Raw { ident, given } in raws {
        let name = ident.unraw().to_string();
        let Some(key) = keys.iter().find(|key| key.name == name) else {
            ctxt.error(&ident, unknown(&name, keys, of_what));
            continue;
        };
        if !repeatable.contains(&key.name) && entries.iter().any(|entry| entry.key.name == key.name) {
            ctxt.error(&ident, format!("`{name}` is given twice; remove one"));
            continue;
        }
        entries.push(Entry { ident, given, key });
    }
}

fn unknown(name: &str, keys: &[Key], of_what: &str) -> String {
    let names = keys.iter().map(|key| key.name);
    if let Some(like) = closest(name, names.clone()) {
        return format!("{of_what} has no attribute `{name}`; did you mean `{like}`?");
    }
    let names: Vec<_> = names.collect();
    format!("{of_what} has no attribute `{name}`; there are {}", names.join(", "))
}

impl Entry {
    /// The name that the author wrote.
    pub(crate) fn name(&self) -> &'static str {
        self.key.name
    }

    /// The place of the name.
    pub(crate) fn span(&self) -> Span {
        self.ident.span()
    }

    /// It stands alone; where.
    pub(crate) fn flag(&self, ctxt: &Ctxt) -> Span {
        let name = self.name();
        let tokens = match &self.given {
            Given::Nothing => return self.span(),
            Given::Value(value) => value.to_token_stream(),
            Given::List(list) if list.is_empty() => self.ident.to_token_stream(),
            Given::List(list) => list.to_token_stream(),
        };
        ctxt.error(tokens, format!("`{name}` takes no value; write `{name}` alone"));
        self.span()
    }

    /// It has a text that is not empty.
    pub(crate) fn text(&self, ctxt: &Ctxt) -> Option<LitStr> {
        let text = self.literal(ctxt)?;
        if text.value().is_empty() {
            ctxt.error(&text, format!("`{}` is empty; give it a text or leave it out", self.name()));
            return None;
        }
        ascii(ctxt, self.name(), &text).then_some(text)
    }

    /// It has a text.
    pub(crate) fn literal(&self, ctxt: &Ctxt) -> Option<LitStr> {
        match self.value(ctxt)? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            other => self.unexpected(ctxt, other),
        }
    }

    /// It has a path.
    pub(crate) fn path(&self, ctxt: &Ctxt) -> Option<Path> {
        match self.value(ctxt)? {
            Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            other => self.unexpected(ctxt, other),
        }
    }

    /// It has an integer in this range.
    pub(crate) fn int(
        &self,
        ctxt: &Ctxt,
        range: std::ops::RangeInclusive<u32>,
        why: &str,
    ) -> Option<At<u32>> {
        let value = self.value(ctxt)?;
        let Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) = value else {
            return self.unexpected(ctxt, value);
        };
        match literal.base10_parse::<u32>() {
            Ok(int) if range.contains(&int) => Some(At { value: int, span: literal.span() }),
            _ => {
                ctxt.error(literal, format!("{why}, found {}", literal.base10_digits()));
                None
            }
        }
    }

    /// It has one text, or several in parentheses.
    pub(crate) fn texts(&self, ctxt: &Ctxt) -> Vec<LitStr> {
        let Given::List(list) = &self.given else { return self.literal(ctxt).into_iter().collect() };
        if list.is_empty() {
            self.missing(ctxt);
        }
        let text = |expr: &Expr| match expr {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            other => self.unexpected(ctxt, other),
        };
        list.iter().filter_map(text).collect()
    }

    /// Its value, of any form.
    pub(crate) fn value(&self, ctxt: &Ctxt) -> Option<&Expr> {
        match &self.given {
            Given::Value(value) => Some(value),
            Given::Nothing | Given::List(_) => {
                self.missing(ctxt);
                None
            }
        }
    }

    /// Says that the value is missing.
    pub(crate) fn missing(&self, ctxt: &Ctxt) {
        let Key { name, takes, example } = self.key;
        ctxt.error(&self.ident, format!("`{name}` needs {takes}; write `{example}`"));
    }

    /// Says that the value is of a wrong form.
    pub(crate) fn unexpected<T>(&self, ctxt: &Ctxt, found: &Expr) -> Option<T> {
        let Key { name, takes, example } = self.key;
        ctxt.error_at(
            found.span(),
            format!("`{name}` needs {takes}, such as `{example}`; found {}", describe(found)),
        );
        None
    }
}

/// What an expression is, in words for a message.
fn describe(expr: &Expr) -> &'static str {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(_) => "a text",
            Lit::Int(_) => "an integer",
            Lit::Float(_) => "a number with a fraction",
            Lit::Bool(_) => "a bool",
            _ => "another literal",
        },
        Expr::Path(_) => "a name",
        Expr::Unary(_) => "a negative number",
        _ => "an expression",
    }
}

/// Whether a text that goes to the core in xproto is in ASCII, as that must be.
pub(crate) fn ascii(ctxt: &Ctxt, what: &str, text: &LitStr) -> bool {
    let value = text.value();
    let Some(found) = value.chars().find(|char| !char.is_ascii()) else { return true };
    ctxt.error(text, format!("`{what}` goes to the core as xproto, which is ASCII only; found `{found}`"));
    false
}
