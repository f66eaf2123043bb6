//! What is printed or written is read again as what it was.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use xos_model_client::xproto::{
    self, Document, Enum, Extend, Field, File, Formula, Item, Lambda, Link, LinkKind, Message, Modifier,
    Number, Part, Place, Policy, Quoted, Service, Setting, Term, Value, WriteOptions,
};
use xos_model_client::{ChoiceDef, DefaultValue, FieldDef, Kind, LinkDef, ModelDef, Presence, ValidatorDef};

const KEYWORDS: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "enum",
    "extend",
    "false",
    "float",
    "import",
    "int32",
    "int64",
    "map",
    "max",
    "message",
    "option",
    "package",
    "policy",
    "reduce",
    "repeated",
    "required",
    "returns",
    "rpc",
    "string",
    "to",
    "true",
    "uint32",
    "uint64",
    "optional",
    "_service",
    "extensions",
    "fixed32",
    "fixed64",
    "sint32",
    "sint64",
    "sfixed32",
    "sfixed64",
    "manytoone",
    "manytomany",
    "onetoone",
    "in",
    "not",
    "True",
    "False",
    "exists",
    "forall",
];

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z_$][A-Za-z0-9_+$]{0,7}".prop_filter("a word", |name| !KEYWORDS.contains(&name.as_str()))
}

fn dotted() -> impl Strategy<Value = String> {
    proptest::collection::vec(name(), 1..4).prop_map(|names| names.join("."))
}

fn number() -> impl Strategy<Value = Number> {
    "[+-]?[0-9]{1,6}([.][0-9]{1,3})?".prop_map(|text| Number::parse(&text).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        number().prop_map(Value::Number),
        Just(Value::True),
        Just(Value::False),
        any::<String>().prop_map(|text| Value::text(&text)),
        name().prop_map(Value::Name),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    (name(), value()).prop_map(|(name, value)| Setting::new(name, value))
}

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    proptest::collection::vec(setting(), 0..4)
}

/// A `>` would end the policy, wherever it stands.
fn inner_text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('>', ""))
}

fn term() -> impl Strategy<Value = Term> {
    prop_oneof![
        Just(Term::True),
        Just(Term::False),
        number().prop_map(Term::Number),
        inner_text().prop_map(|text| Term::Text(Quoted::new(&text))),
        (dotted(), any::<bool>()).prop_map(|(path, call)| Term::Path(if call {
            format!("{path}()")
        } else {
            path
        })),
        "[a-z ='().]{1,12}"
            .prop_map(|python| python.trim().to_owned())
            .prop_filter("empty", |python| !python.is_empty())
            .prop_map(Term::Python),
        (name(), dotted()).prop_map(|(policy, argument)| Term::Call { policy, argument }),
    ]
}

fn formula() -> impl Strategy<Value = Formula> {
    let leaf = prop_oneof![
        term().prop_map(Formula::Term),
        (term(), term()).prop_map(|(one, other)| Formula::Equal(one, other)),
        (term(), term()).prop_map(|(one, other)| Formula::In(one, other)),
    ];
    leaf.prop_recursive(5, 32, 4, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|formula| Formula::Not(Box::new(formula))),
            several.clone().prop_map(Formula::and),
            several.prop_map(Formula::or),
            (inner.clone(), inner.clone())
                .prop_map(|(when, then)| Formula::Implies(Box::new(when), Box::new(then))),
            (name(), inner.clone())
                .prop_map(|(variable, body)| Formula::Exists { variable, body: Box::new(body) }),
            (name(), inner).prop_map(|(variable, body)| Formula::ForAll { variable, body: Box::new(body) }),
        ]
    })
}

fn modifier() -> impl Strategy<Value = Modifier> {
    prop::sample::select(vec![Modifier::Required, Modifier::Optional, Modifier::Repeated])
}

fn field() -> impl Strategy<Value = Field> {
    let kind = prop_oneof![
        prop::sample::select(vec!["string", "int32", "bool", "double"]).prop_map(str::to_owned),
        dotted()
    ];
    let name = prop_oneof![name(), Just("message".to_owned()), Just("max".to_owned()), Just("+".to_owned())];
    (modifier(), kind, name, proptest::option::of(self::name()), number(), settings()).prop_map(
        |(modifier, kind, name, policy, number, options)| Field {
            modifier,
            kind,
            name,
            policy,
            number,
            options,
            place: Place::default(),
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    let kind = prop::sample::select(vec![LinkKind::OneToOne, LinkKind::ManyToOne, LinkKind::ManyToMany]);
    let reverse = proptest::option::of(prop_oneof![name(), Just("+".to_owned())]);
    let optional_name = proptest::option::of(name());
    (
        (modifier(), kind, name(), optional_name, dotted()),
        (proptest::option::of(dotted()), reverse, number(), proptest::option::of(number()), settings()),
    )
        .prop_map(
            |((modifier, kind, name, policy, target), (through, reverse, number, back, options))| Link {
                modifier,
                kind,
                name,
                policy,
                target,
                through,
                reverse,
                number,
                reverse_number: back,
                options,
                place: Place::default(),
            },
        )
}

fn enumeration() -> impl Strategy<Value = Enum> {
    (name(), proptest::collection::vec((name(), number()), 0..3), settings())
        .prop_map(|(name, values, options)| Enum { name, values, options })
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        3 => field().prop_map(Part::Field),
        3 => link().prop_map(Part::Link),
        1 => setting().prop_map(Part::Option),
        1 => enumeration().prop_map(Part::Enum),
        1 => (number(), proptest::option::of(number())).prop_map(|(from, to)| Part::Extensions { from, to }),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        let parts = proptest::collection::vec(inner, 0..3);
        prop_oneof![
            message(parts.clone()).prop_map(Part::Message),
            (name(), parts).prop_map(|(name, parts)| Part::Extend(Extend {
                name,
                parts,
                place: Place::default()
            })),
        ]
    })
}

fn message(parts: impl Strategy<Value = Vec<Part>>) -> impl Strategy<Value = Message> {
    let comment = proptest::collection::vec("[!-~]{1,30}", 0..8).prop_map(|words| words.join(" "));
    (name(), proptest::option::of(name()), proptest::collection::vec(dotted(), 0..3), parts, comment)
        .prop_map(|(name, policy, bases, parts, comment)| Message {
            name,
            policy,
            bases,
            parts,
            comment,
            place: Place::default(),
        })
}

fn item() -> impl Strategy<Value = Item> {
    let lambda = || {
        (name(), "[a-z :.()0-9\n-]{0,10}[a-z)]").prop_map(|(name, body)| Lambda {
            name,
            body,
            place: Place::default(),
        })
    };
    let methods = proptest::collection::vec([name(), name(), name()], 0..3);
    let parts = || proptest::collection::vec(part(), 0..4);
    prop_oneof![
        setting().prop_map(Item::Option),
        message(parts()).prop_map(Item::Message),
        enumeration().prop_map(Item::Enum),
        (name(), formula()).prop_map(|(name, formula)| Item::Policy(Policy {
            name,
            formula,
            place: Place::default()
        })),
        lambda().prop_map(Item::Map),
        lambda().prop_map(Item::Reduce),
        (name(), methods).prop_map(|(name, methods)| Item::Service(Service { name, methods })),
        (name(), parts()).prop_map(|(name, parts)| Item::Extend(Extend {
            name,
            parts,
            place: Place::default()
        })),
        any::<String>().prop_map(|path| Item::Import(Quoted::new(&path))),
        dotted().prop_map(Item::Package),
    ]
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof!["[ -~]{0,20}", "[ -~\n\t\r]{0,12}"]
        .prop_filter("a call", |text| !text.ends_with("()"))
        .prop_map(Cow::Owned)
}

/// A name that is a word of no language.
fn plain_name(prefix: &'static str) -> impl Strategy<Value = Cow<'static, str>> {
    "[a-zA-Z0-9_]{0,6}".prop_map(move |rest| Cow::Owned(format!("{prefix}{rest}")))
}

fn default(kind: Kind) -> BoxedStrategy<Option<DefaultValue>> {
    let of_kind = match kind {
        Kind::Date => Just(DefaultValue::Now).boxed(),
        Kind::Bool => any::<bool>().prop_map(DefaultValue::Bool).boxed(),
        Kind::Int32 => any::<i32>().prop_map(|int| DefaultValue::Int(i64::from(int))).boxed(),
        Kind::UInt32 => any::<u32>().prop_map(|int| DefaultValue::Int(i64::from(int))).boxed(),
        Kind::Float => prop::num::f32::NORMAL.prop_map(DefaultValue::Float).boxed(),
        Kind::Link | Kind::Links => Just(DefaultValue::Null).boxed(),
        Kind::Text | Kind::Stripped | Kind::Url | Kind::Ip => text().prop_map(DefaultValue::Text).boxed(),
    };
    proptest::option::of(prop_oneof![3 => of_kind, 1 => Just(DefaultValue::Null)]).boxed()
}

fn field_def() -> impl Strategy<Value = FieldDef> {
    let kind = prop::sample::select(vec![
        Kind::Text,
        Kind::Stripped,
        Kind::Url,
        Kind::Ip,
        Kind::Int32,
        Kind::UInt32,
        Kind::Bool,
        Kind::Float,
        Kind::Date,
        Kind::Link,
        Kind::Links,
    ]);
    kind.prop_flat_map(|kind| {
        let choice =
            (proptest::option::of(text()), text()).prop_map(|(value, label)| ChoiceDef { value, label });
        let choices = if kind.is_text() { 0..4_usize } else { 0..1 };
        let back = proptest::option::of((plain_name("back_"), proptest::option::of(1000..1900_u16)));
        let is_link = matches!(kind, Kind::Link | Kind::Links);
        let link = (plain_name("Target"), back).prop_map(move |(target, back)| {
            let (reverse, number) = back.unzip();
            is_link.then_some(LinkDef { target, reverse, reverse_number: number.flatten() })
        });
        (
            (
                plain_name("f_"),
                any::<bool>(),
                proptest::option::of(any::<u32>()),
                default(kind),
                link,
                text(),
            ),
            proptest::collection::vec(choice, choices),
            proptest::collection::vec(plain_name("u_"), 0..3),
            proptest::option::of(plain_name("k_")),
            any::<[bool; 8]>(),
        )
            .prop_map(
                move |((name, required, max_length, default, link, help), choices, with, one_of, flags)| {
                    let [text, unique, db_index, feedback, bookkeeping, gui_hidden, auto_now_add, tosca_key] =
                        flags;
                    FieldDef {
                        name,
                        number: 1,
                        kind,
                        presence: if required { Presence::Required } else { Presence::Optional },
                        max_length,
                        text,
                        secret: kind.is_text() && flags[0],
                        default,
                        choices: choices.into(),
                        unique,
                        unique_with: with.into(),
                        db_index,
                        feedback,
                        bookkeeping,
                        gui_hidden,
                        auto_now_add,
                        tosca_key,
                        tosca_key_one_of: one_of,
                        link,
                        help,
                    }
                },
            )
    })
}

fn model_def() -> impl Strategy<Value = ModelDef> {
    let fields = proptest::collection::btree_map(1..100_u16, field_def(), 0..6).prop_map(distinct);
    let validator = ("[a-z]{1,6}", "[!-+./0-9;-~]{1,10}")
        .prop_map(|(policy, message)| ValidatorDef { policy: policy.into(), message: message.into() });
    (
        (plain_name("M"), plain_name("app_"), plain_name("Base"), proptest::option::of(plain_name("Owner"))),
        (proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(plain_name("p_"))),
        proptest::collection::vec(validator, 0..3),
        any::<[bool; 2]>(),
        fields,
        prop_oneof![text(), Just("One sentence, in words.".into())],
    )
        .prop_map(
            |(
                (name, app_label, base, owner_class),
                (plural, verbose_name, policy),
                checks,
                flags,
                fields,
                help,
            )| {
                ModelDef {
                    name,
                    app_label,
                    version: "1.2.3".into(),
                    base: Some(base),
                    owner_class,
                    is_abstract: flags[0],
                    plural,
                    verbose_name,
                    policy,
                    validators: checks.into(),
                    custom_python: flags[1],
                    fields: fields.into(),
                    help,
                    needs: &[],
                }
            },
        )
}

/// Fields with the numbers that they are filed under, and with names of their own.
fn distinct(fields: BTreeMap<u16, FieldDef>) -> Vec<FieldDef> {
    let rename = |(number, field): (u16, FieldDef)| FieldDef {
        number,
        name: Cow::Owned(format!("{}{number}", field.name)),
        ..field
    };
    fields.into_iter().map(rename).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    // A document that is printed is read as the same document.
    #[test]
    fn a_document_comes_back(items in proptest::collection::vec(item(), 0..6)) {
        let document = Document { files: vec![File::new("a.xproto", items)] };
        let text = document.to_string();
        match xproto::parse("a.xproto", &text) {
            Ok(read) => prop_assert_eq!(read, document, "{}", text),
            Err(errors) => prop_assert!(false, "{}\n{}", errors, text),
        }
    }

    // So is a formula.
    #[test]
    fn a_formula_comes_back(formula in formula()) {
        let text = formula.to_string();
        match Formula::parse(&text) {
            Ok(read) => prop_assert_eq!(read, formula, "{}", text),
            Err(errors) => prop_assert!(false, "{}\n{}", errors, text),
        }
    }

    // Definitions that are written are read as the same definitions, and the text is ASCII.
    #[test]
    fn definitions_come_back(models in proptest::collection::vec(model_def(), 1..4)) {
        let text = match xproto::write(&models, &WriteOptions::default()) {
            Ok(text) => text,
            Err(findings) => return Err(TestCaseError::fail(findings.to_string())),
        };
        prop_assert!(text.is_ascii());
        let bases: Vec<ModelDef> = models
            .iter()
            .filter_map(|model| Some(ModelDef { name: model.base.clone()?, ..model.clone() }))
            .collect();
        let read = xproto::parse("a.xproto", &text).unwrap().models_against(&bases).unwrap();
        prop_assert_eq!(&read, &models, "{}", text);
        // The same models give the same text.
        prop_assert_eq!(xproto::write(&read, &WriteOptions::default()).unwrap(), text);
    }
}

#[test]
fn places_do_not_count_when_documents_are_compared() {
    let one = xproto::parse("a.xproto", "option a = b;").unwrap();
    let other = xproto::parse("a.xproto", "\n\n   option  a=b ;").unwrap();
    assert_eq!(one, other);
    assert_ne!(one, xproto::parse("a.xproto", "option a = c;").unwrap());
}
