//! `#[derive(XosModel)]`: parse, check, generate.

mod check;
mod fallback;
mod generate;
#[cfg(test)]
mod output_tests;
mod parse;
mod rules;
#[cfg(test)]
mod tests;
mod types;

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, DeriveInput, Ident, LitStr, Path, Type, Visibility};

use crate::attr::At;
use crate::ctxt::Ctxt;

/// A model as its author wrote it.
pub(crate) struct Model {
    ident: Ident,
    vis: Visibility,
    help: String,
    /// The path under which `__private` is found.
    root: Path,
    app_label: Option<LitStr>,
    name: Option<LitStr>,
    owner_class: Option<Path>,
    plural: Option<LitStr>,
    verbose_name: Option<LitStr>,
    policy: Option<LitStr>,
    /// Policy and message.
    validators: Vec<(LitStr, LitStr)>,
    is_abstract: Option<Span>,
    custom_python: Option<Span>,
    extensible: Option<Span>,
    fields: Vec<Field>,
}

/// One field of the struct.
struct Field {
    ident: Ident,
    vis: Visibility,
    ty: Type,
    docs: Vec<Attribute>,
    help: String,
    role: Role,
    /// The name in the core.
    name: String,
    number: Option<At<u32>>,
    wire_name: Option<LitStr>,
    max_length: Option<At<u32>>,
    text: Option<Span>,
    content: Vec<At<Content>>,
    default: Option<At<Default>>,
    unique: Option<Span>,
    unique_with: Vec<LitStr>,
    index: Option<Span>,
    feedback: Option<Span>,
    bookkeeping: Option<Span>,
    gui_hidden: Option<Span>,
    /// Says what the type says already; it is only checked.
    secret: Option<Span>,
    auto_now_add: Option<Span>,
    tosca_key: Option<Span>,
    tosca_key_one_of: Option<LitStr>,
    reverse: Option<LitStr>,
    reverse_number: Option<At<u32>>,
    /// Every attribute that was given, also with a wrong value.
    given: Vec<(&'static str, Span)>,
}

/// What a field is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Role {
    /// The model it inherits from.
    Base,
    /// What was loaded, in a model without base.
    Origin,
    /// The id, in a model without base.
    Id,
    /// A field that the model adds.
    Own,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Base => "base",
            Role::Origin => "origin",
            Role::Id => "id",
            Role::Own => "number",
        }
    }
}

/// `content_type` of a text.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Content {
    Stripped,
    Url,
    Ip,
}

impl Content {
    fn name(self) -> &'static str {
        match self {
            Content::Stripped => "stripped",
            Content::Url => "url",
            Content::Ip => "ip",
        }
    }
}

/// `default = ..`
#[derive(Clone, Debug, PartialEq)]
enum Default {
    Text(String),
    Int(i64),
    Float(f32),
    Bool(bool),
    Null,
    Now,
    First,
}

impl Model {
    fn with_role(&self, role: Role) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.role == role)
    }

    fn base(&self) -> Option<&Field> {
        self.with_role(Role::Base).next()
    }

    /// What goes to the core: `id`, where it is declared here, then the model's own.
    fn stored(&self) -> impl Iterator<Item = &Field> {
        self.with_role(Role::Id).chain(self.with_role(Role::Own))
    }

    /// The name in the core.
    fn model_name(&self) -> String {
        use syn::ext::IdentExt;
        self.name.as_ref().map_or_else(|| self.ident.unraw().to_string(), LitStr::value)
    }
}

impl Field {
    fn has(&self, attribute: &str) -> Option<Span> {
        self.given.iter().find(|(name, _)| *name == attribute).map(|(_, span)| *span)
    }
}

/// What the derive writes for this struct: the impls of a model, or all its mistakes and impls that keep the compiler
/// from adding others.
pub(crate) fn expand(input: &DeriveInput) -> TokenStream {
    let ctxt = Ctxt::default();
    let model = parse::parse(&ctxt, input);
    if let Some(model) = &model {
        check::check(&ctxt, model);
    }
    match (ctxt.finish(), model) {
        (Ok(()), Some(model)) => generate::generate(&model),
        (Ok(()), None) => TokenStream::new(),
        (Err(error), model) => {
            let mut tokens = error.into_compile_error();
            tokens.extend(fallback::fallback(input, model));
            tokens
        }
    }
}
