use super::*;
use crate::testing::{messages_of, normal};

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let input: DeriveInput = syn::parse_str(source).unwrap();
    let ctxt = Ctxt::default();
    parse::parse(&ctxt, &input);
    assert_eq!(messages_of(ctxt), expected, "of {source}");
}

/// The messages of an enum with these variants and a catch-all.
#[track_caller]
fn check_variants(variants: &str, expected: &[&str]) {
    check(&format!("enum E {{ {variants}, Other(String) }}"), expected);
}

#[test]
fn correct_choices_have_no_messages() {
    check_variants("#[xos(value = \"generic\", label = \"Generic\")] Generic, ControlPlane", &[]);
    check("#[xos(none = \"Default\", crate = crate)] enum E { A, Unknown(std::string::String) }", &[]);
}

#[test]
fn choices_are_an_enum() {
    check(
        "struct S { a: u8 }",
        &[
            "choices are an enum: one variant for each value, and one `Other(String)`; for a model derive `XosModel`",
        ],
    );
    check("union U { a: u8 }", &["choices are an enum: one variant for each value, and one `Other(String)`"]);
    check(
        "enum E<T> { A, Other(String) }",
        &["an enum of choices cannot be generic: its values are known to the core"],
    );
}

#[test]
fn one_variant_holds_all_other_values() {
    check(
        "enum E { A, B }",
        &["a core may know more values than this program: add a variant `Other(String)` for them"],
    );
    check(
        "enum E {}",
        &["a core may know more values than this program: add a variant `Other(String)` for them"],
    );
    check_variants(
        "A, Unknown(String)",
        &["only one variant can hold all other values, and `Unknown` does already"],
    );
    check(
        "enum E { A, #[xos(value = \"o\")] Other(String) }",
        &["`Other` holds any other value, so it has no `value` of its own; remove it"],
    );
}

#[test]
fn a_choice_is_a_plain_value() {
    let message = |name: &str| {
        format!("a choice is a plain value: write `{name}` alone, or `{name}(String)` for all other values")
    };
    check_variants("A { a: String }", &[&message("A")]);
    check_variants("A(u8)", &[&message("A")]);
    check_variants("A(String, String)", &[&message("A")]);
    check("enum E { A, Other(i32) }", &[&message("Other")]);
}

#[test]
fn values_are_different_and_neither_empty_nor_endless() {
    check_variants(
        "#[xos(value = \"a\")] A, #[xos(value = \"a\")] B",
        &["`A` has the value \"a\" already; give each variant its own"],
    );
    check_variants(
        "#[xos(value = \"control_plane\")] A, ControlPlane",
        &["`A` has the value \"control_plane\" already; give each variant its own"],
    );
    check_variants("#[xos(value = \"\")] A", &["`value` is empty; give it a text or leave it out"]);
    check_variants(
        "#[xos(value = \"\u{fc}\")] A",
        &["`value` goes to the core as xproto, which is ASCII only; found `\u{fc}`"],
    );
    check_variants(
        "Gr\u{fc}n",
        &[
            "`value` goes to the core as xproto, which is ASCII only; found `\u{fc}`; give it one with `#[xos(value = \"..\")]`",
        ],
    );
    check_variants(
        &format!("#[xos(value = \"{}\")] A", "x".repeat(1025)),
        &["a value has at most 1024 characters, this one has 1025"],
    );
}

#[test]
fn attributes_are_known() {
    check_variants("#[xos(lable = \"A\")] A", &["a choice has no attribute `lable`; did you mean `label`?"]);
    check_variants(
        "#[xos(label)] A",
        &["`label` needs the text that people see; write `label = \"Control Plane\"`"],
    );
    check(
        "#[xos(colour = 1)] enum E { A, Other(String) }",
        &["an enum of choices has no attribute `colour`; there are none, crate"],
    );
}

#[test]
fn a_variant_becomes_its_value_in_snake_case() {
    for (name, value) in [
        ("Generic", "generic"),
        ("ControlPlane", "control_plane"),
        ("OSSTools", "oss_tools"),
        ("Ip4", "ip4"),
        ("NAT", "nat"),
        ("A_b", "a_b"),
    ] {
        assert_eq!(parse::snake_case(name), value);
    }
}

#[test]
fn the_generated_code_is_as_reviewed() {
    let source = include_str!("../../tests/snapshots/choice.in.rs");
    let reviewed = include_str!("../../tests/snapshots/choice.out.rs");
    let generated = expand(&syn::parse_str(source).unwrap());
    assert_eq!(
        normal(generated.clone()),
        normal(reviewed.parse().unwrap()),
        "the derive writes other code than tests/snapshots/choice.out.rs; review it, and store what rustfmt makes of:\n{generated}\n=== end"
    );
}

#[test]
fn choices_with_mistakes_still_are_choices() {
    let expanded = normal(expand(&syn::parse_str("enum E { A }").unwrap()));
    for part in ["compile_error", "impl __x::FieldType for E", "impl __x::Choice for E", "From<&str> for E"] {
        assert_eq!(expanded.matches(&normal(part.parse().unwrap())).count(), 1, "{part} in {expanded}");
    }
}
