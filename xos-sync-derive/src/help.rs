//! Doc comments as help texts.

use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

use crate::ctxt::Ctxt;

/// The doc attributes, to be repeated on what is generated.
pub(crate) fn docs(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| line(attribute).is_some()).cloned().collect()
}

/// The doc comment as one line of ASCII, which is what xproto can carry.
pub(crate) fn help(ctxt: &Ctxt, attributes: &[Attribute]) -> String {
    let mut help = String::new();
    for (attribute, text) in attributes.iter().filter_map(|attribute| Some((attribute, line(attribute)?))) {
        let value = text.value();
        if let Some(found) = value.chars().find(|char| !char.is_ascii()) {
            ctxt.error(
                attribute.to_token_stream(),
                format!(
                    "a doc comment goes to the core as help text, and xproto is ASCII only; found `{found}`; write it \
                     in ASCII, or as a plain `//` comment"
                ),
            );
        }
        let lines = value.lines().map(|line| if value.contains('\n') { without_star(line) } else { line });
        for word in lines.flat_map(str::split_whitespace) {
            if !help.is_empty() {
                help.push(' ');
            }
            help.push_str(word);
        }
    }
    help
}

/// A line of a block comment; each may start with an asterisk. In `///`, that is a list.
fn without_star(line: &str) -> &str {
    line.trim_start().trim_start_matches('*')
}

/// One line (or block) of a doc comment.
fn line(attribute: &Attribute) -> Option<&LitStr> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(item: &syn::ItemStruct, expected: &str) {
        let ctxt = Ctxt::default();
        assert_eq!(help(&ctxt, &item.attrs), expected);
        assert!(ctxt.finish().is_ok());
    }

    #[test]
    fn the_lines_of_a_doc_comment_become_one() {
        check(
            &syn::parse_quote! {
                /// The name of who
                ///   is greeted.
                ///
                /// Once.
                #[doc(hidden)]
                struct S;
            },
            "The name of who is greeted. Once.",
        );
        check(
            &syn::parse_quote! {
                /** A block
                 * of three
                 *
                 * lines
                 */
                struct S;
            },
            "A block of three lines",
        );
        check(&syn::parse_quote! { struct S; }, "");
    }
}
