use super::*;
use crate::testing::normal;

/// The derive's output for this source, as one line of tokens.
fn expanded(source: &str) -> String {
    normal(expand(&syn::parse_str(source).unwrap()))
}

#[test]
fn a_model_with_mistakes_still_is_a_model() {
    let expanded = expanded(
        "#[xos(extensible)] pub struct S { #[xos(number = 1)] pub a: String, #[xos(number = 1)] pub r#a: i64 }",
    );
    for part in [
        "compile_error",
        "impl __x::Model for S",
        "impl ::core::default::Default for S",
        "type Target = __x::XosBase",
        "pub const A:",
        "pub trait SFields",
    ] {
        let count = expanded.matches(&normal(part.parse().unwrap())).count();
        assert_eq!(count, if part == "compile_error" { 3 } else { 1 }, "{part} in {expanded}");
    }
}

#[test]
fn what_is_no_model_at_all_gets_the_message_alone() {
    let expanded = expanded("union U { a: u32 }");
    assert!(expanded.contains("compile_error") && !expanded.contains("impl"), "{expanded}");
}

#[test]
fn the_generated_code_is_as_reviewed() {
    let source = include_str!("../../tests/snapshots/model.in.rs");
    let reviewed = include_str!("../../tests/snapshots/model.out.rs");
    let generated = expand(&syn::parse_str(source).unwrap());
    assert_eq!(
        normal(generated.clone()),
        normal(reviewed.parse().unwrap()),
        "the derive writes other code than tests/snapshots/model.out.rs; review it, and store what rustfmt makes of:\n{generated}\n=== end"
    );
}
