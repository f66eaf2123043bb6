//! `#[xos_sync::simulation]`.

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{ItemFn, Path};

use crate::attr::{Key, entries_in};
use crate::ctxt::Ctxt;

/// What may stand in `#[xos_sync::simulation(..)]`.
const KEYS: &[Key] = &[
    Key::value("seeds", "an integer", "seeds = 200"),
    Key::value("objects", "an integer", "objects = 50"),
    Key::value("crate", "the path of xos-sync", "crate = my_crate::xos_sync"),
];

const NAME: &str = "#[xos_sync::simulation]";

/// What the attribute's arguments say.
struct Settings {
    root: Path,
    seeds: Option<u64>,
    objects: Option<usize>,
}

/// What the attribute makes of a function.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> TokenStream {
    let ctxt = Ctxt::default();
    let settings = settings(&ctxt, arguments);
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        // The compiler says best what is wrong inside a function.
        if !crate::entry::is_function(item) {
            ctxt.error_at(Span::call_site(), format!("`{NAME}` belongs on a function"));
        }
        let error = ctxt.finish().err().map(syn::Error::into_compile_error);
        return quote!(#error #item);
    };
    check(&ctxt, &function);
    match ctxt.finish() {
        Ok(()) => generate(&settings, function),
        Err(error) => {
            let error = error.into_compile_error();
            let mut function = function;
            function.attrs.retain(|attribute| !attribute.path().is_ident("test"));
            quote!(#error #[allow(dead_code, unused_variables)] #function)
        }
    }
}

fn settings(ctxt: &Ctxt, arguments: TokenStream) -> Settings {
    let mut settings = Settings { root: syn::parse_quote!(::xos_sync), seeds: None, objects: None };
    for argument in entries_in(ctxt, arguments, KEYS, &format!("`{NAME}`")) {
        match argument.name() {
            "seeds" => {
                let seeds = argument.int(ctxt, 1..=1_000_000_000, "seeds is from 1 to 1000000000");
                settings.seeds = seeds.map(|seeds| u64::from(seeds.value));
            }
            "objects" => {
                let objects = argument.int(ctxt, 1..=1_000_000, "objects is from 1 to 1000000");
                settings.objects = objects.map(|objects| objects.value as usize);
            }
            _ => {
                if let Some(path) = argument.path(ctxt) {
                    settings.root = path;
                }
            }
        }
    }
    settings
}

fn check(ctxt: &Ctxt, function: &ItemFn) {
    let signature = &function.sig;
    let name = &signature.ident;
    if let Some(asyncness) = signature.asyncness {
        ctxt.error(asyncness, "what makes a synchronizer is no async function; remove `async`");
    }
    if signature.inputs.len() != 1 {
        ctxt.error(
            name,
            format!(
                "a simulation is a function that makes the synchronizer with a simulated backend: write `fn \
                 {name}(backend: Backend) -> Synchronizer`"
            ),
        );
    }
    if !signature.generics.params.is_empty() {
        ctxt.error(&signature.generics, format!("`{NAME}` cannot run a generic function"));
    }
    for attribute in function.attrs.iter().filter(|attribute| attribute.path().is_ident("test")) {
        ctxt.error(attribute, format!("`{NAME}` makes it a test already; remove `#[test]`"));
    }
}

fn generate(settings: &Settings, function: ItemFn) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let Settings { root, seeds, objects } = settings;
    let name = &sig.ident;
    let seeds = seeds.map(|seeds| quote!(.seeds(0..#seeds)));
    let objects = objects.map(|objects| quote!(.objects(#objects)));
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        #vis fn #name() {
            #sig #block
            #root::testing::simulate(#name) #seeds #objects .test();
        }
    }
}
