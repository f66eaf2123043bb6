use super::*;
use crate::testing::messages_of;

fn messages(source: &str) -> Vec<String> {
    let input: DeriveInput = syn::parse_str(source).unwrap();
    let ctxt = Ctxt::default();
    if let Some(model) = parse::parse(&ctxt, &input) {
        check::check(&ctxt, &model);
    }
    messages_of(ctxt)
}

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    assert_eq!(messages(source), expected, "of {source}");
}

/// The messages of a model with a base and these fields.
#[track_caller]
fn check_fields(fields: &str, expected: &[&str]) {
    check(&format!("struct S {{ #[xos(base)] base: XosBase, {fields} }}"), expected);
}

/// The messages of a struct with these attributes.
#[track_caller]
fn check_struct(attributes: &str, expected: &[&str]) {
    check(&format!("{attributes} struct S {{ #[xos(base)] base: XosBase }}"), expected);
}

#[test]
fn a_correct_model_has_no_messages() {
    check_struct(
        "/// Says hello.
         #[derive(Clone)]
         #[xos(app_label = \"hello-world\", name = \"Hello\", owner_class = Service, plural = \"Hellos\",
               verbose_name = \"Hello there\", policy = \"p\", validator(\"a\", \"b\"), validator(\"c\", \"d\"),
               abstract, custom_python, extensible, crate = crate::xos)]",
        &[],
    );
    check_fields(
        "/// Who
         #[xos(number = 1, name = \"versionNumber\", max_length = 200, stripped, default = \"x\", unique, index)]
         a: Option<String>,
         #[xos(number = 2, text, unique_with = \"versionNumber\", feedback, gui_hidden)] b: Title,
         #[xos(number = 3, reverse = \"things\", reverse_number = 1000, tosca_key_one_of = \"f\", default = first)] c: Link<S>,
         #[xos(number = 4, auto_now_add, bookkeeping)] d: Timestamp,
         #[xos(number = 5, default = -1.5, unique_with(\"b\", \"c\"))] e: f32,
         #[xos(number = 6, default = none, tosca_key)] f: Option<i32>,
         #[xos(number = 7)] #[xos(default = now)] r#type: Timestamp,
         #[xos(number = 99, default = true)] h: bool,",
        &[],
    );
    check("struct Root { #[xos(origin)] __origin: Origin, #[xos(id)] id: ObjectId }", &[]);
}

#[test]
fn a_model_is_a_plain_struct_with_named_fields() {
    let named = "a model is a struct with named fields: `struct Name { field: Type, .. }`";
    check("struct S(String);", &[named]);
    check("struct S;", &[named]);
    check(
        "enum E { A }",
        &[
            "a model is a struct with named fields, found an enum; for the choices of a field derive `XosChoice`",
        ],
    );
    check("union U { a: u32 }", &["a model is a struct with named fields, found a union"]);
    check(
        "struct S<T> { #[xos(base)] base: XosBase, #[xos(number = 1)] a: T }",
        &["a model cannot be generic: the core needs to know its fields; write one struct for each model"],
    );
}

#[test]
fn attributes_are_known_and_given_once() {
    let a_field = |attributes: &str| format!("#[xos({attributes})] a: String,");
    let cases = [
        ("number = 1, max_lenght = 3", "a field has no attribute `max_lenght`; did you mean `max_length`?"),
        (
            "number = 1, colour",
            "a field has no attribute `colour`; there are base, origin, id, number, name, max_length, text, stripped, \
             url, ip, default, unique, unique_with, index, feedback, bookkeeping, gui_hidden, secret, auto_now_add, tosca_key, \
             tosca_key_one_of, reverse, reverse_number",
        ),
        ("number = 1, unique, unique", "`unique` is given twice; remove one"),
        ("number = 1, text = true", "`text` takes no value; write `text` alone"),
        ("number = 1, text()", "`text` takes no value; write `text` alone"),
        ("number = 1, text(1)", "`text` takes no value; write `text` alone"),
        ("number", "`number` needs an integer; write `number = 1`"),
        ("number(1)", "`number` needs an integer; write `number = 1`"),
        ("number = \"1\"", "`number` needs an integer, such as `number = 1`; found a text"),
        ("number = 1.5", "`number` needs an integer, such as `number = 1`; found a number with a fraction"),
        ("number = -1", "`number` needs an integer, such as `number = 1`; found a negative number"),
        ("number = one", "`number` needs an integer, such as `number = 1`; found a name"),
        ("number = 1 + 1", "`number` needs an integer, such as `number = 1`; found an expression"),
        ("number = 'a'", "`number` needs an integer, such as `number = 1`; found another literal"),
        (
            "number = 1, name = true",
            "`name` needs the name in the core, such as `name = \"versionNumber\"`; found a bool",
        ),
        ("number = 1, name = \"\"", "`name` is empty; give it a text or leave it out"),
        ("number = 1, max_length = 0", "max_length is from 1 to 2147483647, found 0"),
        ("number = 1, max_length = 5000000000", "max_length is from 1 to 2147483647, found 5000000000"),
        (
            "number = 1, unique_with()",
            "`unique_with` needs the name of another field; write `unique_with = \"site\"`",
        ),
        (
            "number = 1, unique_with(1)",
            "`unique_with` needs the name of another field, such as `unique_with = \"site\"`; found an integer",
        ),
    ];
    for (attributes, message) in cases {
        check_fields(&a_field(attributes), &[message]);
    }
    check_fields(
        "#[xos(number = 1, unique)] #[xos(unique)] a: String,",
        &["`unique` is given twice; remove one"],
    );
    check_struct(
        "#[xos(app_lable = \"a\")]",
        &["a model has no attribute `app_lable`; did you mean `app_label`?"],
    );
    check_struct(
        "#[xos(owner_class = \"Service\")]",
        &[
            "`owner_class` needs the struct of the owner's model, such as `owner_class = HelloWorldService`; found a text",
        ],
    );
}

#[test]
fn attributes_have_a_syntax() {
    check_struct("#[xos]", &["expected a list in parentheses: `#[xos(..)]`"]);
    check_struct("#[xos = \"a\"]", &["expected a list in parentheses: `#[xos(..)]`"]);
    check_struct("#[xos(\"a\")]", &["expected the name of an attribute"]);
    check_struct("#[xos(abstract extensible)]", &["expected `,` or `=` after `abstract`"]);
    check_struct(
        "#[xos(name = )]",
        &["expected a value for `name` here: a text in quotes, a number or a name"],
    );
    check_struct(
        "#[xos(validator(,))]",
        &["expected a value for `validator` here: a text in quotes, a number or a name"],
    );
}

#[test]
fn a_validator_has_a_policy_and_a_message() {
    let message = "`validator` needs the name of an xproto policy and a message; write \
                   `validator(\"name_no_spaces\", \"the name may not contain spaces\")`";
    check_struct("#[xos(validator(\"a\"))]", &[message]);
    check_struct("#[xos(validator = \"a\")]", &[message]);
    check_struct(
        "#[xos(validator(\"a\", \"no \u{e4}\"))]",
        &["`validator` goes to the core as xproto, which is ASCII only; found `\u{e4}`"],
    );
}

#[test]
fn what_goes_to_the_core_is_ascii() {
    let help = |char| {
        format!(
            "a doc comment goes to the core as help text, and xproto is ASCII only; found `{char}`; write it in ASCII, \
             or as a plain `//` comment"
        )
    };
    check_struct("/// Gr\u{fc}\u{df}e\n", &[&help('\u{fc}')]);
    check_fields("/// a \u{2013} b\n#[xos(number = 1)] a: String,", &[&help('\u{2013}')]);
    check_struct(
        "#[xos(plural = \"\u{e9}s\")]",
        &["`plural` goes to the core as xproto, which is ASCII only; found `\u{e9}`"],
    );
    check_fields(
        "#[xos(number = 1, default = \"\u{e9}\")] a: String,",
        &["`default` goes to the core as xproto, which is ASCII only; found `\u{e9}`"],
    );
    check("struct S { /// \u{fc}ber\n #[xos(base)] base: XosBase }", &[]);
}

#[test]
fn a_model_has_one_base_or_is_a_root() {
    check(
        "struct S { #[xos(number = 1)] a: String }",
        &["a model inherits from another: add a field `#[xos(base)] pub base: XosBase` (or `Service`, \
           `ServiceInstance`, ..)"],
    );
    check_fields(
        "#[xos(base)] other: Service,",
        &["a model has one base, and `base` is it; remove this `base`"],
    );
    check_fields("#[xos(id)] id: ObjectId,", &["`id` is inherited from `base`; remove this field"]);
    check_fields(
        "#[xos(origin)] __origin: Origin,",
        &["`origin` is inherited from `base`; remove this field"],
    );
    check(
        "struct R { #[xos(origin)] o: Origin }",
        &["a model without base has an id: add `#[xos(id)] pub id: ObjectId`"],
    );
    check(
        "struct R { #[xos(id)] id: ObjectId }",
        &[
            "a model without base keeps what was loaded: add `#[doc(hidden)] #[xos(origin)] pub __origin: Origin`",
        ],
    );
    check(
        "struct R { #[xos(origin)] o: Origin, #[xos(id)] id: ObjectId, #[xos(id)] again: ObjectId }",
        &["a model has one field `id`; remove this one"],
    );
    check_fields(
        "#[xos(id, base)] a: Service,",
        &["a field is either `id` or `base`; remove one", "`id` is inherited from `base`; remove this field"],
    );
    check(
        "#[xos(owner_class = Service)] struct R { #[xos(origin)] o: Origin, #[xos(id)] id: ObjectId }",
        &["`owner_class` is for a model that inherits from ServiceInstance; this one has no base"],
    );
}

#[test]
fn base_origin_and_id_stand_alone() {
    check(
        "struct S { #[xos(base, number = 1)] base: XosBase }",
        &["the base has no number: its fields keep the numbers they have; remove it"],
    );
    check(
        "struct S { #[xos(base, unique)] base: XosBase }",
        &["`unique` means nothing at a field that is `base`; remove it"],
    );
    check(
        "struct R { #[xos(origin, number = 1)] o: Origin, #[xos(id, number = 2)] id: ObjectId }",
        &[
            "the origin is not sent, so it has no number; remove it",
            "the id always has number 1 on the wire; remove `number`",
        ],
    );
}

#[test]
fn every_field_has_a_number_of_its_own() {
    check_fields(
        "a: String, #[xos(text)] b: String, #[xos(number = 1)] c: String,",
        &[
            "every field needs a number for the wire: add `#[xos(number = N)]`; 2 is free",
            "every field needs a number for the wire: add `#[xos(number = N)]`; 3 is free",
        ],
    );
    check_fields("#[xos(number = 0)] a: String,", &["only numbers from 1 to 99 are permitted, found 0"]);
    check_fields("#[xos(number = 100)] a: String,", &["only numbers from 1 to 99 are permitted, found 100"]);
    check_fields(
        "#[xos(number = 1)] a: String, #[xos(number = 1)] b: String,",
        &["number 1 is used by `a` already; 2 is free"],
    );
    let full: Vec<String> =
        (1..=99).map(|number| format!("#[xos(number = {number})] f{number}: bool,")).collect();
    let full = full.concat();
    check_fields(
        &format!("{full} more: bool,"),
        &["every field needs a number for the wire: add `#[xos(number = N)]`; all 99 are taken"],
    );
}

#[test]
fn names_are_the_cores() {
    check_fields(
        "#[xos(number = 1)] id: String,",
        &["`id` is the id that every model inherits; give this field another name"],
    );
    check_fields(
        "#[xos(number = 1, name = \"a-b\")] a: String,",
        &[
            "a field's name in the core starts with a letter and has letters, digits and underscores only, found `a-b`; \
           give it another with `#[xos(name = \"..\")]`",
        ],
    );
    check_fields(
        "#[xos(number = 1)] gr\u{f6}sse: String,",
        &[
            "a field's name in the core starts with a letter and has letters, digits and underscores only, found \
           `gr\u{f6}sse`; give it another with `#[xos(name = \"..\")]`",
        ],
    );
    check_fields(
        "#[xos(number = 1)] a__b: String,",
        &["`__` separates the names of a path, as in `owner__name`; take it out of `a__b`"],
    );
    check_fields(
        "#[xos(number = 1)] a: String, #[xos(number = 2, name = \"a\")] b: String,",
        &["`a` is called \"a\" in the core too; give one of them another name"],
    );
    check_fields(
        "#[xos(number = 1)] ab: String, #[xos(number = 2)] aB: String,",
        &["`ab` and this field would share the constant `AB`; give one another name"],
    );
    check_fields(
        "#[xos(number = 1)] site: Link<Site>, #[xos(number = 2)] site_id: i32,",
        &["the link `site` is called \"site_id\" on the wire; give one of them another name"],
    );
    check_fields(
        "#[xos(number = 1)] site: Links<Site>, #[xos(number = 2)] site_ids: i32,",
        &["the link `site` is called \"site_ids\" on the wire; give one of them another name"],
    );
    let model = |name: &str| {
        format!(
            "a model's name in the core starts with a letter and has letters, digits and underscores only, found \
             `{name}`; give it another with `#[xos(name = \"..\")]`"
        )
    };
    check_struct("#[xos(name = \"Hello World\")]", &[&model("Hello World")]);
    check("struct Gr\u{fc}n { #[xos(base)] base: XosBase }", &[&model("Gr\u{fc}n")]);
    check_struct(
        "#[xos(app_label = \"hello world\")]",
        &[
            "an app_label has letters, digits, `-`, `_` and `.` only, found ` `; write the name of the service, such as \
           \"hello-world\"",
        ],
    );
}

#[test]
fn attributes_that_exclude_each_other() {
    let cases = [
        (
            "text, max_length = 2",
            "`text` means unlimited, `max_length` a limit; remove `text` or `max_length`",
        ),
        ("stripped, url", "a text is either `stripped` or `url`; remove one"),
        ("ip, stripped", "a text is either `ip` or `stripped`; remove one"),
        (
            "feedback, bookkeeping",
            "`feedback` is written by steps, `bookkeeping` by the core and the engine; remove `feedback` or \
             `bookkeeping`",
        ),
        (
            "tosca_key, tosca_key_one_of = \"b\"",
            "a key of its own is always given, one of several is not; remove `tosca_key` or `tosca_key_one_of`",
        ),
    ];
    for (attributes, message) in cases {
        check_fields(
            &format!("#[xos(number = 1, {attributes})] a: String, #[xos(number = 2)] b: String,"),
            &[message],
        );
    }
    check_fields(
        "#[xos(number = 1, auto_now_add, default = now)] a: Timestamp,",
        &["`auto_now_add` gives the field its value; remove `auto_now_add` or `default`"],
    );
}

#[test]
fn a_way_back_belongs_to_a_link() {
    check_fields(
        "#[xos(number = 1, reverse_number = 1000)] a: Link<S>,",
        &["a number for the way back needs its name: add `reverse = \"..\"`"],
    );
    for number in ["999", "1900"] {
        check_fields(
            &format!("#[xos(number = 1, reverse = \"as\", reverse_number = {number})] a: Link<S>,"),
            &[&format!("reverse numbers are from 1000 to 1899, found {number}")],
        );
    }
    check_fields(
        "#[xos(number = 1, reverse = \"a b\")] a: Link<S>,",
        &["the name of a way back has letters, digits and underscores only"],
    );
    check_fields(
        "#[xos(number = 1, reverse = \"as\")] a: Option<String>,",
        &["`reverse` is for links (Link, Option<Link> or Links); remove it or change the field's type"],
    );
}

#[test]
fn attributes_fit_the_type() {
    let text = "texts (String, or an enum with #[derive(XosChoice)])";
    for (attribute, kinds) in [
        ("text", text),
        ("stripped", text),
        ("url", text),
        ("ip", text),
        ("auto_now_add", "times (Timestamp)"),
        ("max_length = 1", "texts (String, or an enum with #[derive(XosChoice)]) and times"),
    ] {
        let name = attribute.split(' ').next().unwrap();
        check_fields(
            &format!("#[xos(number = 1, {attribute})] a: Option<bool>,"),
            &[&format!("`{name}` is for {kinds}; remove it or change the field's type")],
        );
    }
}

#[test]
fn what_is_secret_is_said_by_the_type() {
    let by_type = "what is secret is said by the type, so that nothing can show it: make the field a `Secret` (or \
                   `Option<Secret>`)";
    for ty in ["String", "Option<String>", "i32", "Option<Link<S>>"] {
        check_fields(&format!("#[xos(number = 1, secret)] a: {ty},"), &[by_type]);
    }
    check_fields(
        "#[xos(number = 1, default = \"hodor\")] a: Option<xos_sync::Secret>,",
        &["a secret cannot have a default, which everybody could read in the program; remove `default`"],
    );
    for attribute in ["tosca_key", "tosca_key_one_of = \"b\""] {
        let name = attribute.split(' ').next().unwrap();
        check_fields(
            &format!("#[xos(number = 1, {attribute})] a: Secret, #[xos(number = 2)] b: String,"),
            &[&format!("`{name}` is not for secrets: keys of recipes are remembered and shown; remove it")],
        );
    }
}

#[test]
fn a_default_fits_the_type() {
    let only = |what: &str, kinds: &str| {
        format!("{what} can be the default of {kinds} only; change the default or the field's type")
    };
    for (default, ty, message) in [
        ("\"a\"", "i32", only("a text", "a text (String, or an enum with #[derive(XosChoice)])")),
        ("1", "String", only("an integer", "a number (i32, u32 or f32)")),
        ("1.5", "i32", only("a number with a fraction", "an f32")),
        ("true", "Option<Timestamp>", only("`true` or `false`", "a bool")),
        ("none", "String", only("`none`", "an Option")),
        ("now", "String", only("`now`", "a Timestamp")),
        ("first", "Links<S>", only("`first`", "a Link or Option<Link>")),
    ] {
        check_fields(&format!("#[xos(number = 1, default = {default})] a: {ty},"), &[&message]);
    }
    for (default, found) in [
        ("later", "a name"),
        ("-\"a\"", "a negative number"),
        ("99999999999999999999", "an integer"),
        ("1e99", "a number with a fraction"),
    ] {
        check_fields(
            &format!("#[xos(number = 1, default = {default})] a: Title,"),
            &[&format!(
                "`default` needs a text, a number, `true`, `false`, `now`, `none` or `first`, such as \
                 `default = \"generic\"`; found {found}"
            )],
        );
    }
    check_fields(
        "#[xos(number = 1, max_length = 3, default = \"long\")] a: String,",
        &["this default has 4 characters, but max_length is 3"],
    );
}

#[test]
fn fields_that_are_named_exist() {
    let cases = [
        (
            "unique_with = \"hello_form\"",
            "names \"hello_form\", which is no field that this model adds; did you mean \"hello_from\"?",
        ),
        (
            "unique_with = \"rust_name\"",
            "names \"rust_name\", which is no field that this model adds; did you mean \"coreName\"?",
        ),
        (
            "tosca_key_one_of = \"colour\"",
            "names \"colour\", which is no field that this model adds; write the name of a field of the same struct, as the core calls it",
        ),
        ("unique_with(\"hello_from\", \"a\")", "names another field, not the field itself"),
    ];
    for (attribute, message) in cases {
        let name = attribute.split([' ', '(']).next().unwrap();
        check_fields(
            &format!(
                "#[xos(number = 1, {attribute})] a: String, #[xos(number = 2)] hello_from: String,
                 #[xos(number = 3, name = \"coreName\")] rust_name: String,"
            ),
            &[&format!("`{name}` {message}")],
        );
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    check(
        "#[xos(app_lable = \"a\")]
         struct S {
             #[xos(base)] base: XosBase,
             #[xos(number = 100)] a: String,
             #[xos(numbre = 1)] b: String,
             c: String,
         }",
        &[
            "a model has no attribute `app_lable`; did you mean `app_label`?",
            "only numbers from 1 to 99 are permitted, found 100",
            "a field has no attribute `numbre`; did you mean `number`?",
            "every field needs a number for the wire: add `#[xos(number = N)]`; 1 is free",
            "every field needs a number for the wire: add `#[xos(number = N)]`; 2 is free",
        ],
    );
}
