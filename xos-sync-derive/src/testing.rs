//! What the tests of the macros share.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::ctxt::Ctxt;

/// The text of each mistake, in the order of the source.
pub(crate) fn messages_of(ctxt: Ctxt) -> Vec<String> {
    match ctxt.finish() {
        Ok(()) => Vec::new(),
        Err(error) => error.into_iter().map(|error| error.to_string()).collect(),
    }
}

/// The messages in an expansion: what stands in its `compile_error!`s.
pub(crate) fn messages(expanded: &TokenStream) -> Vec<String> {
    let text = normal(expanded.clone());
    let parts = text.split("compile_error ! { ").skip(1);
    parts
        .map(|part| syn::parse_str::<syn::LitStr>(part.split(" }").next().unwrap()).unwrap().value())
        .collect()
}

/// Tokens as text, one space apart, without what rustfmt adds or takes away: commas before what closes a list.
pub(crate) fn normal(tokens: TokenStream) -> String {
    let mut words = Vec::new();
    flatten(tokens, &mut words);
    words.join(" ")
}

fn flatten(tokens: TokenStream, words: &mut Vec<String>) {
    for tree in tokens {
        let TokenTree::Group(group) = tree else {
            if tree.to_string() == ">" && words.last().is_some_and(|word| word == ",") {
                words.pop();
            }
            words.push(tree.to_string());
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        words.push(open.to_owned());
        flatten(group.stream(), words);
        if words.last().is_some_and(|word| word == ",") {
            words.pop();
        }
        words.push(close.to_owned());
    }
    words.retain(|word| !word.is_empty());
}
