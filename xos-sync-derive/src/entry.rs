//! `#[xos_sync::main]` and `#[xos_sync::test]`.

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemFn, Path, ReturnType};

use crate::attr::{Key, entries_in};
use crate::ctxt::Ctxt;

/// What may stand in `#[xos_sync::main(..)]` and `#[xos_sync::test(..)]`.
const KEYS: &[Key] = &[
    Key::value("flavor", "\"multi_thread\" or \"current_thread\"", "flavor = \"current_thread\""),
    Key::value("worker_threads", "an integer", "worker_threads = 4"),
    Key::value("crate", "the path of xos-sync", "crate = my_crate::xos_sync"),
];

/// Which of the two attributes it is.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Main,
    Test,
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Entry::Main => "#[xos_sync::main]",
            Entry::Test => "#[xos_sync::test]",
        }
    }
}

/// What the attribute's arguments say.
struct Settings {
    root: Path,
    /// How many threads run it, none being the caller's own; `None` for what is usual.
    workers: Option<usize>,
}

/// What the attribute makes of a function.
pub(crate) fn expand(entry: Entry, arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let ctxt = Ctxt::default();
    let settings = settings(&ctxt, entry, arguments);
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(_) if is_function(item) => {
            // The compiler says best what is wrong inside a function.
            return item.clone();
        }
        Err(_) => {
            ctxt.error_at(Span::call_site(), format!("`{}` belongs on an `async fn`", entry.name()));
            let error = ctxt.finish().err().map(syn::Error::into_compile_error);
            return quote!(#error #item);
        }
    };
    check(&ctxt, entry, &function);
    match ctxt.finish() {
        Ok(()) => generate(entry, &settings, function),
        Err(error) => {
            let error = error.into_compile_error();
            let function = fallback(entry, function);
            quote!(#error #function)
        }
    }
}

pub(crate) fn is_function(item: &TokenStream) -> bool {
    item.clone()
        .into_iter()
        .any(|token| matches!(&token, proc_macro2::TokenTree::Ident(ident) if ident == "fn"))
}

fn settings(ctxt: &Ctxt, entry: Entry, arguments: TokenStream) -> Settings {
    let mut settings = Settings { root: syn::parse_quote!(::xos_sync), workers: None };
    let mut current_thread = false;
    let mut place = Span::call_site();
    for argument in entries_in(ctxt, arguments, KEYS, &format!("`{}`", entry.name())) {
        match argument.name() {
            "flavor" => {
                let Some(flavor) = argument.text(ctxt) else { continue };
                match flavor.value().as_str() {
                    "current_thread" => current_thread = true,
                    "multi_thread" => {}
                    other => ctxt.error(
                        &flavor,
                        format!("the flavor is \"multi_thread\" or \"current_thread\", found \"{other}\""),
                    ),
                }
            }
            "worker_threads" => {
                if let Some(threads) = argument.int(ctxt, 1..=1024, "worker_threads is from 1 to 1024") {
                    settings.workers = Some(threads.value as usize);
                    place = threads.span;
                }
            }
            _ => {
                if let Some(path) = argument.path(ctxt) {
                    settings.root = path;
                }
            }
        }
    }
    if current_thread && settings.workers.replace(0).is_some() {
        ctxt.error_at(place, "the flavor \"current_thread\" has no worker threads; remove one of the two");
    }
    settings
}

fn check(ctxt: &Ctxt, entry: Entry, function: &ItemFn) {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let name = &signature.ident;
        ctxt.error(
            signature.fn_token,
            format!("`{}` runs an async function: write `async fn {name}`", entry.name()),
        );
    }
    if !signature.inputs.is_empty() {
        let message = match entry {
            Entry::Main => "`main` takes no arguments; read the command line with `Config::from_args()`",
            Entry::Test => {
                "a test takes no arguments; make what it needs inside, such as `MockAccessor::new()`"
            }
        };
        ctxt.error(&signature.inputs, message);
    }
    if !signature.generics.params.is_empty() {
        ctxt.error(&signature.generics, format!("`{}` cannot run a generic function", entry.name()));
    }
    match entry {
        Entry::Main => {
            if signature.ident != "main" {
                ctxt.error(
                    &signature.ident,
                    format!("`#[xos_sync::main]` belongs on `async fn main`, found `{}`", signature.ident),
                );
            }
            if matches!(signature.output, ReturnType::Default) {
                ctxt.error(
                    &signature.ident,
                    "`main` returns a result, so that an error can be printed: write \
                     `async fn main() -> xos_sync::Result<()>`",
                );
            }
        }
        Entry::Test => {
            for attribute in function.attrs.iter().filter(|attribute| attribute.path().is_ident("test")) {
                ctxt.error(attribute, "`#[xos_sync::test]` makes it a test already; remove `#[test]`");
            }
        }
    }
}

fn generate(entry: Entry, settings: &Settings, function: ItemFn) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let Settings { root, workers } = settings;
    let (name, output) = (&sig.ident, &sig.output);
    let run = match (entry, workers) {
        (Entry::Main, None) => "run_main",
        (Entry::Main, Some(_)) => "run_main_with",
        (Entry::Test, None) => "run_test",
        (Entry::Test, Some(_)) => "run_test_with",
    };
    // A result of another type is an error at the type.
    let span = match output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let run = format_ident!("{run}", span = span);
    let workers = workers.map(|workers| quote!(#workers,));
    let call = quote_spanned!(span=> #root::__private::#run(#workers #name()));
    let (test, returns) = match entry {
        Entry::Main => (None, quote!(-> ::std::process::ExitCode)),
        Entry::Test => (Some(quote!(#[::core::prelude::v1::test])), quote!(#output)),
    };
    quote! {
        #(#attrs)*
        #test
        #vis fn #name() #returns {
            #[allow(clippy::unused_async)]
            #sig #block
            #call
        }
    }
}

/// The function, in a form that adds no message.
fn fallback(entry: Entry, mut function: ItemFn) -> TokenStream {
    function.attrs.retain(|attribute| !attribute.path().is_ident("test"));
    let is_named_main = function.sig.ident == "main";
    let function = quote!(#[allow(dead_code, unused_variables)] #function);
    match entry {
        Entry::Main if is_named_main => quote!(fn main() { #function }),
        Entry::Main => quote!(fn main() {} #function),
        Entry::Test => function,
    }
}
