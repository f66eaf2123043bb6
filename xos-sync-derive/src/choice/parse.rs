//! From the author's tokens to a checked [`Choice`].

use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Ident, LitStr, Path};

use super::{Choice, Variant};
use crate::attr::{Key, entries};
use crate::ctxt::Ctxt;

/// What may stand in `#[xos(..)]` on the enum.
const ENUM: &[Key] = &[
    Key::value("none", "the label of no value", "none = \"Default\""),
    Key::value("crate", "the path of xos-sync", "crate = my_crate::xos_sync"),
];

/// What may stand in `#[xos(..)]` on a variant.
const VARIANT: &[Key] = &[
    Key::value("value", "the text that is stored", "value = \"control\""),
    Key::value("label", "the text that people see", "label = \"Control Plane\""),
];

/// The longest value: what a text field with the largest index can hold.
const LONGEST: usize = 1024;

/// The choices that this enum is.
pub(crate) fn parse(ctxt: &Ctxt, input: &DeriveInput) -> Choice {
    let root: Path = syn::parse_quote!(::xos_sync);
    let mut choice =
        Choice { ident: input.ident.clone(), root, none: None, variants: Vec::new(), catch_all: None };
    for entry in entries(ctxt, &input.attrs, ENUM, &[], "an enum of choices") {
        match entry.name() {
            "none" => choice.none = entry.text(ctxt),
            _ => {
                if let Some(path) = entry.path(ctxt) {
                    choice.root = path;
                }
            }
        }
    }
    if !input.generics.params.is_empty() {
        ctxt.error(&input.generics, "an enum of choices cannot be generic: its values are known to the core");
    }
    let data = match &input.data {
        Data::Enum(data) => data,
        Data::Struct(data) => {
            ctxt.error(
                data.struct_token,
                "choices are an enum: one variant for each value, and one `Other(String)`; for a model derive \
                 `XosModel`",
            );
            return choice;
        }
        Data::Union(data) => {
            ctxt.error(
                data.union_token,
                "choices are an enum: one variant for each value, and one `Other(String)`",
            );
            return choice;
        }
    };
    for variant in &data.variants {
        parse_variant(ctxt, &mut choice, variant);
    }
    if choice.catch_all.is_none()
        && !data.variants.iter().any(|variant| looks_like_catch_all(&variant.fields))
    {
        ctxt.error(
            &input.ident,
            "a core may know more values than this program: add a variant `Other(String)` for them",
        );
    }
    choice
}

fn looks_like_catch_all(fields: &Fields) -> bool {
    matches!(fields, Fields::Unnamed(_))
}

fn parse_variant(ctxt: &Ctxt, choice: &mut Choice, variant: &syn::Variant) {
    let ident = &variant.ident;
    let entries = entries(ctxt, &variant.attrs, VARIANT, &[], "a choice");
    match &variant.fields {
        Fields::Unit => {}
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 && is_string(&fields.unnamed[0].ty) => {
            if let Some(entry) = entries.first() {
                ctxt.error(
                    &entry.ident,
                    format!(
                        "`{ident}` holds any other value, so it has no `{}` of its own; remove it",
                        entry.name()
                    ),
                );
            }
            match &choice.catch_all {
                Some(first) => {
                    ctxt.error(
                        ident,
                        format!("only one variant can hold all other values, and `{first}` does already"),
                    );
                }
                None => choice.catch_all = Some(ident.clone()),
            }
            return;
        }
        fields => {
            ctxt.error(
                fields,
                format!("a choice is a plain value: write `{ident}` alone, or `{ident}(String)` for all other values"),
            );
            return;
        }
    }
    let mut value = None;
    let mut label = None;
    for entry in &entries {
        match entry.name() {
            "value" => value = entry.text(ctxt),
            _ => label = entry.text(ctxt),
        }
    }
    if let Some(text) = value.as_ref().filter(|text| text.value().len() > LONGEST) {
        ctxt.error(
            text,
            format!("a value has at most {LONGEST} characters, this one has {}", text.value().len()),
        );
    }
    let name = ident.unraw().to_string();
    let text = value.as_ref().map_or_else(|| snake_case(&name), LitStr::value);
    let is_given = entries.iter().any(|entry| entry.name() == "value");
    if let (false, Some(found)) = (is_given, name.chars().find(|char| !char.is_ascii())) {
        ctxt.error(
            ident,
            format!(
                "`value` goes to the core as xproto, which is ASCII only; found `{found}`; give it one with \
                 `#[xos(value = \"..\")]`"
            ),
        );
    }
    if let Some(twin) = choice.variants.iter().find(|twin| twin.value == text) {
        let message = format!("`{}` has the value \"{text}\" already; give each variant its own", twin.ident);
        match &value {
            Some(literal) => ctxt.error(literal, message),
            None => ctxt.error(ident, message),
        }
    }
    let label = label.map_or(name, |label| label.value());
    choice.variants.push(Variant { ident: ident.clone(), value: text, label });
}

fn is_string(ty: &syn::Type) -> bool {
    let last = |path: &syn::TypePath| path.path.segments.last().map(|segment| segment.ident.clone());
    matches!(ty, syn::Type::Path(path) if last(path).is_some_and(|ident: Ident| ident == "String"))
}

/// `ControlPlane` as `control_plane`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before = None;
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        let starts_word = char.is_uppercase()
            && before.is_some_and(|before: char| {
                !before.is_uppercase() || chars.peek().is_some_and(|next| next.is_lowercase())
            });
        if starts_word && before != Some('_') {
            snake.push('_');
        }
        snake.extend(char.to_lowercase());
        before = Some(char);
    }
    snake
}
