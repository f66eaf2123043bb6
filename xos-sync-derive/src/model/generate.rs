//! From a checked [`Model`] to Rust.
//!
//! All of it stands in one `const _`, so that no name leaks; paths are absolute, or go through `__x`, the `__private`
//! module of the crate that the author named. A field's type is always used as `<Type as FieldType>::..` with the
//! author's span: so a type that is none gives one message, at the type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{LitStr, Path, Visibility};

use super::rules::rules;
use super::{Content, Default, Field, Model, Role};

/// Everything that the derive writes for a model.
pub(crate) fn generate(model: &Model) -> TokenStream {
    let root = &model.root;
    let parts = [
        inheritance(model),
        constants(model),
        default(model),
        display(model),
        model_impl(model),
        rules(model),
    ];
    let fields_trait = model.extensible.map(|_| fields_trait(model));
    let parts: TokenStream = parts.into_iter().collect();
    let mut all = with_private(root, &parts);
    all.extend(fields_trait);
    all
}

/// Items that leak no name, with `__x` for what they need of xos-sync.
pub(super) fn with_private(root: &Path, items: &TokenStream) -> TokenStream {
    quote! {
        #[doc(hidden)]
        const _: () = {
            use #root::__private as __x;
            #items
        };
    }
}

/// `Deref` to the base, and what the model is.
fn inheritance(model: &Model) -> TokenStream {
    let name = &model.ident;
    let Some(Field { ident, ty, .. }) = model.base() else { return is_a(name, None) };
    let is_a = is_a(name, Some(&ty.to_token_stream()));
    quote! {
        #[automatically_derived]
        impl ::core::ops::Deref for #name {
            type Target = #ty;
            fn deref(&self) -> &#ty {
                &self.#ident
            }
        }
        #[automatically_derived]
        impl ::core::ops::DerefMut for #name {
            fn deref_mut(&mut self) -> &mut #ty {
                &mut self.#ident
            }
        }
        #is_a
    }
}

/// That the model is itself, and everything that its base is.
pub(super) fn is_a(name: &Ident, base: Option<&TokenStream>) -> TokenStream {
    let through_base = base.map(|base| {
        quote! {
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            impl<__B: ?::core::marker::Sized> __x::IsA<__B> for #name where #base: __x::IsA<__B> {}
        }
    });
    quote! {
        #[automatically_derived]
        impl __x::IsA<#name> for #name {}
        #through_base
    }
}

/// The typed constants, with the author's words.
pub(super) fn constants(model: &Model) -> TokenStream {
    let name = &model.ident;
    let constants = model.stored().map(|field| {
        let Field { vis, ty, .. } = field;
        let (constant, docs, wire) = (constant(field), constant_docs(field), &field.name);
        quote! {
            #docs
            #vis const #constant: __x::Field<#name, #ty> = __x::Field::new(#wire);
        }
    });
    quote! {
        #[allow(dead_code)]
        impl #name {
            #(#constants)*
        }
    }
}

/// The name of a field's constant.
pub(super) fn constant(field: &Field) -> Ident {
    Ident::new(&field.ident.unraw().to_string().to_uppercase(), field.ident.span())
}

fn constant_docs(field: &Field) -> TokenStream {
    if field.docs.is_empty() {
        let text = format!("The field `{}`, for queries.", field.ident.unraw());
        return quote!(#[doc = #text]);
    }
    let docs = &field.docs;
    quote!(#(#docs)*)
}

/// The trait by which models that inherit from this one have its constants too.
pub(super) fn fields_trait(model: &Model) -> TokenStream {
    let (root, vis, name) = (&model.root, &model.vis, &model.ident);
    let trait_name = format_ident!("{}Fields", name.unraw());
    let doc = format!("The fields of [`{name}`], as constants of every model that inherits from it.");
    // A trait's items are as public as the trait: private fields stay out.
    let constants = model.stored().filter(|field| !matches!(field.vis, Visibility::Inherited)).map(|field| {
        let ty = &field.ty;
        let (constant, docs) = (constant(field), constant_docs(field));
        quote! {
            #docs
            const #constant: #root::__private::Field<#name, #ty> = #name::#constant;
        }
    });
    quote! {
        #[doc = #doc]
        #vis trait #trait_name: #root::__private::Model + #root::__private::IsA<#name> {
            #(#constants)*
        }
        #[automatically_derived]
        impl<__M: #root::__private::Model + #root::__private::IsA<#name>> #trait_name for __M {}
    }
}

/// `Default` as the schema says.
fn default(model: &Model) -> TokenStream {
    let name = &model.ident;
    let values = model.fields.iter().map(|field| {
        let Field { ident, ty, .. } = field;
        let value = match (field.role, &field.default) {
            (Role::Base | Role::Origin, _) => {
                quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default())
            }
            (_, Some(default)) if !matches!(default.value, Default::Null | Default::Now | Default::First) => {
                let default = const_default(&default.value);
                of_type(field, &quote!(from_default(#default)))
            }
            _ => of_type(field, &quote!(empty())),
        };
        quote!(#ident: #value)
    });
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                #name { #(#values),* }
            }
        }
    }
}

/// `<Type as FieldType>::rest`, at the type.
pub(super) fn of_type(field: &Field, rest: &TokenStream) -> TokenStream {
    let ty = &field.ty;
    quote_spanned!(ty.span()=> <#ty as __x::FieldType>::#rest)
}

/// `<Model as Model>::rest`, at the name of the model.
pub(super) fn of_model(model: &impl ToTokens, rest: &TokenStream) -> TokenStream {
    quote_spanned!(model.span()=> <#model as __x::Model>::#rest)
}

fn display(model: &Model) -> TokenStream {
    let name = &model.ident;
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                __x::display(self, f)
            }
        }
    }
}

fn model_impl(model: &Model) -> TokenStream {
    let name = &model.ident;
    let model_name = model.model_name();
    let count = model.stored().count();
    let (own, idents): (Vec<_>, Vec<_>) =
        model.stored().map(|field| (&field.name, field.ident.unraw().to_string())).unzip();
    let (field_count, base_names) = match model.base() {
        Some(Field { ty, .. }) => {
            let base_count = of_model(ty, &quote!(FIELD_COUNT));
            let names = of_model(ty, &quote!(NAMES));
            (quote!(#base_count + #count), quote!(::core::option::Option::Some(&#names)))
        }
        None => (quote!(#count), quote!(::core::option::Option::None)),
    };
    let def = def(model);
    let access = access(model);
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl __x::Model for #name {
            const MODEL_NAME: &'static str = #model_name;
            const FIELD_COUNT: usize = #field_count;
            const NAMES: __x::Names = __x::Names { own: &[#(#own),*], idents: &[#(#idents),*], base: #base_names };

            fn def() -> &'static __x::ModelDef {
                #def
            }
            fn shape() -> &'static __x::Arc<__x::Shape> {
                static SHAPE: __x::LazyLock<__x::Arc<__x::Shape>> = __x::LazyLock::new(__x::shape_of::<#name>);
                &SHAPE
            }
            #access
        }
    }
}

/// The static definition.
fn def(model: &Model) -> TokenStream {
    let model_name = model.model_name();
    let help = &model.help;
    let app_label = model
        .app_label
        .as_ref()
        .map_or_else(|| quote!(::core::env!("CARGO_PKG_NAME")), |label| quote!(#label));
    let base = model.base().map(|field| &field.ty);
    let base_name = optional_text(base.map(|ty| of_model(ty, &quote!(MODEL_NAME))));
    let owner = model.owner_class.as_ref();
    let owner_name = optional_text(owner.map(|path| of_model(path, &quote!(MODEL_NAME))));
    let text = |text: &Option<LitStr>| optional_text(text.as_ref().map(|text| quote!(#text)));
    let (plural, verbose_name, policy) =
        (text(&model.plural), text(&model.verbose_name), text(&model.policy));
    let (is_abstract, custom_python) = (model.is_abstract.is_some(), model.custom_python.is_some());
    let validators = model.validators.iter().map(|(policy, message)| {
        quote!(__x::ValidatorDef {
            policy: __x::Cow::Borrowed(#policy),
            message: __x::Cow::Borrowed(#message),
        })
    });
    let specs = model.stored().map(spec);
    let direct = base.map(|ty| of_model(ty, &quote!(def))).into_iter();
    let direct = direct.chain(owner.map(|path| of_model(path, &quote!(def))));
    let direct = direct.map(|def| quote!(::core::option::Option::Some(#def)));
    let links = model.with_role(Role::Own).map(|field| {
        let info = of_type(field, &quote!(INFO));
        quote!(#info.target)
    });
    let needs = direct.chain(links);
    quote! {
        const FIELDS: &[__x::FieldDef] = &[#(#specs),*];
        const VALIDATORS: &[__x::ValidatorDef] = &[#(#validators),*];
        const NEEDS: &[::core::option::Option<__x::Need>] = &[#(#needs),*];
        static NEEDED: [__x::Need; __x::count_needs(NEEDS)] = __x::collect_needs(NEEDS);
        static DEF: __x::ModelDef = __x::ModelDef {
            name: __x::Cow::Borrowed(#model_name),
            app_label: __x::Cow::Borrowed(#app_label),
            version: __x::Cow::Borrowed(::core::env!("CARGO_PKG_VERSION")),
            base: #base_name,
            owner_class: #owner_name,
            is_abstract: #is_abstract,
            plural: #plural,
            verbose_name: #verbose_name,
            policy: #policy,
            validators: __x::Cow::Borrowed(VALIDATORS),
            custom_python: #custom_python,
            fields: __x::Cow::Borrowed(FIELDS),
            help: __x::Cow::Borrowed(#help),
            needs: &NEEDED,
        };
        &DEF
    }
}

fn optional_text(text: Option<TokenStream>) -> TokenStream {
    text.map_or_else(
        || quote!(::core::option::Option::None),
        |text| quote!(::core::option::Option::Some(__x::Cow::Borrowed(#text))),
    )
}

/// The definition of one field: what its attributes say, and what its type says.
fn spec(field: &Field) -> TokenStream {
    let (name, help) = (&field.name, &field.help);
    let number = field.number.as_ref().map_or(0, |number| number.value as u16);
    let mut given = TokenStream::new();
    let mut set = |name: &str, value: TokenStream| {
        let name = Ident::new(name, Span::call_site());
        given.extend(quote!(#name: #value,));
    };
    let some = |value: TokenStream| quote!(::core::option::Option::Some(#value));
    if let Some(content) = field.content.first() {
        let kind = match content.value {
            Content::Stripped => quote!(__x::Kind::Stripped),
            Content::Url => quote!(__x::Kind::Url),
            Content::Ip => quote!(__x::Kind::Ip),
        };
        set("content", some(kind));
    }
    if let Some(length) = field.max_length.as_ref().map(|length| length.value) {
        set("max_length", some(quote!(#length)));
    }
    if let Some(default) = &field.default {
        set("default", some(const_default(&default.value)));
    }
    if !field.unique_with.is_empty() {
        let names = &field.unique_with;
        set("unique_with", quote!(const { &[#(__x::Cow::Borrowed(#names)),*] }));
    }
    for (name, flag) in [
        ("text", field.text),
        ("unique", field.unique),
        ("index", field.index),
        ("feedback", field.feedback),
        ("bookkeeping", field.bookkeeping),
        ("gui_hidden", field.gui_hidden),
        ("auto_now_add", field.auto_now_add),
        ("tosca_key", field.tosca_key),
    ] {
        if flag.is_some() {
            set(name, quote!(true));
        }
    }
    if let Some(name) = &field.tosca_key_one_of {
        set("tosca_key_one_of", some(quote!(#name)));
    }
    if let Some(name) = &field.reverse {
        set("reverse", some(quote!(#name)));
    }
    if let Some(number) = field.reverse_number.as_ref().map(|number| number.value as u16) {
        set("reverse_number", some(quote!(#number)));
    }
    let new = quote!(__x::FieldSpec::new(#name, #number, #help));
    let spec = if given.is_empty() { new } else { quote!(__x::FieldSpec { #given ..#new }) };
    let info = of_type(field, &quote!(INFO));
    quote!(#spec.of(#info))
}

pub(super) fn const_default(default: &Default) -> TokenStream {
    match default {
        Default::Text(text) => quote!(__x::ConstDefault::Text(#text)),
        Default::Int(int) => quote!(__x::ConstDefault::Int(#int)),
        Default::Float(float) => quote!(__x::ConstDefault::Float(#float)),
        Default::Bool(bool) => quote!(__x::ConstDefault::Bool(#bool)),
        Default::Null => quote!(__x::ConstDefault::Null),
        Default::Now => quote!(__x::ConstDefault::Now),
        Default::First => quote!(__x::ConstDefault::First),
    }
}

/// The methods that reach into an object.
fn access(model: &Model) -> TokenStream {
    let (id, origin, origin_mut) = if let Some(base) = model.base() {
        let ident = &base.ident;
        (
            of_model(&base.ty, &quote!(id(&self.#ident))),
            of_model(&base.ty, &quote!(origin(&self.#ident))),
            of_model(&base.ty, &quote!(origin_mut(&mut self.#ident))),
        )
    } else {
        let ident = |role| model.with_role(role).next().map(|field| &field.ident);
        let (id, origin) = (ident(Role::Id), ident(Role::Origin));
        (quote!(self.#id), quote!(&self.#origin), quote!(&mut self.#origin))
    };
    let named = model.with_role(Role::Own).find(|field| field.name == "name");
    let display_name = match (named, model.base()) {
        (Some(field), _) => {
            let ident = &field.ident;
            of_type(field, &quote!(as_name(&self.#ident)))
        }
        (None, Some(base)) => {
            let ident = &base.ident;
            of_model(&base.ty, &quote!(display_name(&self.#ident)))
        }
        (None, None) => quote!(::core::option::Option::None),
    };
    let write_base = model.base().map(|Field { ident, ty, .. }| {
        let write = of_model(ty, &quote!(write_values(&self.#ident, out)));
        quote!(#write;)
    });
    let writes = model.stored().map(|field| {
        let ident = &field.ident;
        let value = of_type(field, &quote!(to_value(&self.#ident)));
        quote!(out.push(#value);)
    });
    let read_base = model.base().map(|Field { ident, ty, .. }| {
        let value = of_model(ty, &quote!(read_values(reader)));
        quote!(#ident: #value?,)
    });
    let read_origin = model
        .with_role(Role::Origin)
        .map(|Field { ident, ty, .. }| quote!(#ident: <#ty as ::core::default::Default>::default(),));
    let reads = model.stored().map(|field| {
        let ident = &field.ident;
        let value = of_type(field, &quote!(read(reader)));
        quote!(#ident: #value?,)
    });
    let name = &model.ident;
    quote! {
        fn id(&self) -> __x::ObjectId {
            #id
        }
        fn origin(&self) -> &__x::Origin {
            #origin
        }
        fn origin_mut(&mut self) -> &mut __x::Origin {
            #origin_mut
        }
        fn display_name(&self) -> ::core::option::Option<&str> {
            #display_name
        }
        fn write_values(&self, out: &mut ::std::vec::Vec<__x::Value>) {
            #write_base
            #(#writes)*
        }
        fn read_values(
            reader: &mut __x::RecordReader<'_>,
        ) -> ::core::result::Result<Self, __x::ConvertFault> {
            // Fields of a struct expression are evaluated as they are written: those of the base come first.
            ::core::result::Result::Ok(#name { #read_base #(#read_origin)* #(#reads)* })
        }
    }
}
