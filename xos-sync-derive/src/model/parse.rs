//! From the author's tokens to a [`Model`]: what stands there, not yet whether it fits together.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Expr, ExprLit, Fields, Ident, Lit, UnOp};

use super::{Content, Default, Field, Model, Role};
use crate::attr::{At, Entry, Key, ascii, entries};
use crate::ctxt::Ctxt;
use crate::help::{docs, help};

/// What may stand in `#[xos(..)]` on the struct.
const STRUCT: &[Key] = &[
    Key::value("app_label", "the name of the service", "app_label = \"hello-world\""),
    Key::value("name", "the name of the model", "name = \"HelloWorldService\""),
    Key::value("owner_class", "the struct of the owner's model", "owner_class = HelloWorldService"),
    Key::value("plural", "the plural of the name", "plural = \"Bunnies\""),
    Key::value("verbose_name", "the name that people see", "verbose_name = \"Hello World Service\""),
    Key::value("policy", "the name of an xproto policy", "policy = \"slice_policy\""),
    Key::value(
        "validator",
        "the name of an xproto policy and a message",
        "validator(\"name_no_spaces\", \"the name may not contain spaces\")",
    ),
    Key::flag("abstract"),
    Key::flag("custom_python"),
    Key::flag("extensible"),
    Key::value("crate", "the path of xos-sync", "crate = my_crate::xos_sync"),
];

/// What may stand in `#[xos(..)]` on a field.
const FIELD: &[Key] = &[
    Key::flag("base"),
    Key::flag("origin"),
    Key::flag("id"),
    Key::value("number", "an integer", "number = 1"),
    Key::value("name", "the name in the core", "name = \"versionNumber\""),
    Key::value("max_length", "an integer", "max_length = 200"),
    Key::flag("text"),
    Key::flag("stripped"),
    Key::flag("url"),
    Key::flag("ip"),
    Key::value(
        "default",
        "a text, a number, `true`, `false`, `now`, `none` or `first`",
        "default = \"generic\"",
    ),
    Key::flag("unique"),
    Key::value("unique_with", "the name of another field", "unique_with = \"site\""),
    Key::flag("index"),
    Key::flag("feedback"),
    Key::flag("bookkeeping"),
    Key::flag("gui_hidden"),
    Key::flag("secret"),
    Key::flag("auto_now_add"),
    Key::flag("tosca_key"),
    Key::value("tosca_key_one_of", "the name of another field", "tosca_key_one_of = \"subscriber_network\""),
    Key::value("reverse", "the name of the way back", "reverse = \"service_instances\""),
    Key::value("reverse_number", "an integer", "reverse_number = 1009"),
];

/// The model that this struct is; `None` when it is no struct with named fields.
pub(crate) fn parse(ctxt: &Ctxt, input: &DeriveInput) -> Option<Model> {
    let mut model = Model {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        help: help(ctxt, &input.attrs),
        root: syn::parse_quote!(::xos_sync),
        app_label: None,
        name: None,
        owner_class: None,
        plural: None,
        verbose_name: None,
        policy: None,
        validators: Vec::new(),
        is_abstract: None,
        custom_python: None,
        extensible: None,
        fields: Vec::new(),
    };
    for entry in entries(ctxt, &input.attrs, STRUCT, &["validator"], "a model") {
        struct_entry(ctxt, &mut model, &entry);
    }
    if !input.generics.params.is_empty() {
        ctxt.error(
            &input.generics,
            "a model cannot be generic: the core needs to know its fields; write one struct for each model",
        );
    }
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            Fields::Unnamed(_) | Fields::Unit => {
                ctxt.error(
                    &input.ident,
                    "a model is a struct with named fields: `struct Name { field: Type, .. }`",
                );
                return None;
            }
        },
        Data::Enum(data) => {
            ctxt.error(
                data.enum_token,
                "a model is a struct with named fields, found an enum; for the choices of a field derive `XosChoice`",
            );
            return None;
        }
        Data::Union(data) => {
            ctxt.error(data.union_token, "a model is a struct with named fields, found a union");
            return None;
        }
    };
    model.fields = fields.iter().filter_map(|field| parse_field(ctxt, &input.ident, field)).collect();
    Some(model)
}

fn struct_entry(ctxt: &Ctxt, model: &mut Model, entry: &Entry) {
    match entry.name() {
        "app_label" => model.app_label = entry.text(ctxt),
        "name" => model.name = entry.text(ctxt),
        "owner_class" => model.owner_class = entry.path(ctxt),
        "plural" => model.plural = entry.text(ctxt),
        "verbose_name" => model.verbose_name = entry.text(ctxt),
        "policy" => model.policy = entry.text(ctxt),
        "validator" => {
            let texts = entry.texts(ctxt);
            if let [policy, message] = texts.as_slice() {
                if ascii(ctxt, "validator", policy) && ascii(ctxt, "validator", message) {
                    model.validators.push((policy.clone(), message.clone()));
                }
            } else {
                entry.missing(ctxt);
            }
        }
        "abstract" => model.is_abstract = Some(entry.flag(ctxt)),
        "custom_python" => model.custom_python = Some(entry.flag(ctxt)),
        "extensible" => model.extensible = Some(entry.flag(ctxt)),
        "crate" => {
            if let Some(path) = entry.path(ctxt) {
                model.root = path;
            }
        }
        _ => {}
    }
}

fn parse_field(ctxt: &Ctxt, model: &Ident, field: &syn::Field) -> Option<Field> {
    let ident = field.ident.clone()?;
    let mut parsed = Field {
        name: ident.unraw().to_string(),
        ident,
        vis: field.vis.clone(),
        ty: super::types::without_self(field.ty.clone(), model),
        docs: docs(&field.attrs),
        help: String::new(),
        role: Role::Own,
        number: None,
        wire_name: None,
        max_length: None,
        text: None,
        content: Vec::new(),
        default: None,
        unique: None,
        unique_with: Vec::new(),
        index: None,
        feedback: None,
        bookkeeping: None,
        gui_hidden: None,
        secret: None,
        auto_now_add: None,
        tosca_key: None,
        tosca_key_one_of: None,
        reverse: None,
        reverse_number: None,
        given: Vec::new(),
    };
    for entry in entries(ctxt, &field.attrs, FIELD, &[], "a field") {
        parsed.given.push((entry.name(), entry.span()));
        field_entry(ctxt, &mut parsed, &entry);
    }
    if matches!(parsed.role, Role::Own | Role::Id) {
        parsed.help = help(ctxt, &field.attrs);
    }
    Some(parsed)
}

fn field_entry(ctxt: &Ctxt, field: &mut Field, entry: &Entry) {
    match entry.name() {
        "base" => role(ctxt, field, entry, Role::Base),
        "origin" => role(ctxt, field, entry, Role::Origin),
        "id" => role(ctxt, field, entry, Role::Id),
        "number" => field.number = entry.int(ctxt, 1..=99, "only numbers from 1 to 99 are permitted"),
        "name" => {
            if let Some(name) = entry.text(ctxt) {
                field.name = name.value();
                field.wire_name = Some(name);
            }
        }
        "max_length" => {
            let range = 1..=i32::MAX.cast_unsigned();
            field.max_length = entry.int(ctxt, range, "max_length is from 1 to 2147483647");
        }
        "text" => field.text = Some(entry.flag(ctxt)),
        "stripped" => content(ctxt, field, entry, Content::Stripped),
        "url" => content(ctxt, field, entry, Content::Url),
        "ip" => content(ctxt, field, entry, Content::Ip),
        "default" => field.default = default(ctxt, entry),
        "unique" => field.unique = Some(entry.flag(ctxt)),
        "unique_with" => field.unique_with = entry.texts(ctxt),
        "index" => field.index = Some(entry.flag(ctxt)),
        "feedback" => field.feedback = Some(entry.flag(ctxt)),
        "bookkeeping" => field.bookkeeping = Some(entry.flag(ctxt)),
        "gui_hidden" => field.gui_hidden = Some(entry.flag(ctxt)),
        "secret" => field.secret = Some(entry.flag(ctxt)),
        "auto_now_add" => field.auto_now_add = Some(entry.flag(ctxt)),
        "tosca_key" => field.tosca_key = Some(entry.flag(ctxt)),
        "tosca_key_one_of" => field.tosca_key_one_of = entry.text(ctxt),
        "reverse" => field.reverse = entry.text(ctxt),
        "reverse_number" => {
            field.reverse_number = entry.int(ctxt, 1000..=1899, "reverse numbers are from 1000 to 1899");
        }
        _ => {}
    }
}

fn role(ctxt: &Ctxt, field: &mut Field, entry: &Entry, role: Role) {
    entry.flag(ctxt);
    if field.role != Role::Own {
        ctxt.error(
            &entry.ident,
            format!("a field is either `{}` or `{}`; remove one", field.role.name(), role.name()),
        );
        return;
    }
    field.role = role;
}

fn content(ctxt: &Ctxt, field: &mut Field, entry: &Entry, content: Content) {
    field.content.push(At { value: content, span: entry.flag(ctxt) });
}

fn default(ctxt: &Ctxt, entry: &Entry) -> Option<At<Default>> {
    let value = entry.value(ctxt)?;
    let (negative, literal) = match value {
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => (true, unary.expr.as_ref()),
        other => (false, other),
    };
    let found = match literal {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => match int.base10_parse::<i64>() {
            Ok(value) => Some(Default::Int(if negative { -value } else { value })),
            Err(_) => None,
        },
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => match float.base10_parse::<f32>() {
            Ok(value) if value.is_finite() => Some(Default::Float(if negative { -value } else { value })),
            _ => None,
        },
        _ if negative => None,
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            if !ascii(ctxt, "default", text) {
                return None;
            }
            Some(Default::Text(text.value()))
        }
        Expr::Lit(ExprLit { lit: Lit::Bool(bool), .. }) => Some(Default::Bool(bool.value)),
        Expr::Path(path) if path.path.is_ident("now") => Some(Default::Now),
        Expr::Path(path) if path.path.is_ident("none") => Some(Default::Null),
        Expr::Path(path) if path.path.is_ident("first") => Some(Default::First),
        _ => None,
    };
    match found {
        Some(value) => Some(At { value, span: span_of(literal) }),
        None => entry.unexpected(ctxt, value),
    }
}

fn span_of(expr: &Expr) -> Span {
    syn::spanned::Spanned::span(expr)
}
