//! Recipes that want to break the reader: deep, wide and repeated ones.

use std::fmt::Write as _;

use xos_model_client::tosca::Recipe;

use crate::recipe::check;

const HEAD: &str =
    "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  node_templates:\n";

fn refused(text: &str) -> String {
    check(text, false);
    Recipe::parse(text, "r.yaml").expect_err("it is accepted").to_string()
}

#[test]
fn deep_nesting_is_refused_and_not_a_deep_stack() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("[{a: ", "}]")] {
        for closed in [true, false] {
            let close = if closed { close } else { "" };
            let text = format!("{HEAD}    {}a{}", open.repeat(100_000), close.repeat(100_000));
            let said = refused(&text);
            assert!(said.len() < 2_000, "{open}: {} bytes", said.len());
        }
        // As deep as it may be, and one deeper.
        let each = if open == "[{a: " { 2 } else { 1 };
        for (depth, fits) in [(32, true), (34, false)] {
            let text = format!("{}a{}", open.repeat(depth / each), close.repeat(depth / each));
            assert_eq!(!refused(&text).contains("32 levels deep"), fits, "{open} {depth}");
        }
    }
    let mut text = HEAD.to_owned();
    for depth in 0..3_000 {
        let _ = writeln!(text, "{:depth$}a:", "");
    }
    refused(&text);
}

#[test]
fn aliases_do_not_multiply() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{aliases}]");
    }
    assert!(refused(&bomb).len() < 20_000);
    let merge = "a: &a {b: c}\n".to_owned() + &"d: {<<: *a}\n".repeat(20_000);
    refused(&merge);
    refused("a: &a [*a]\n");
}

/// What takes a time that grows with the square of the length would take minutes here.
#[test]
fn long_recipes_are_read_once() {
    let node = |at: usize, model: &str, rest: &str| {
        format!("    n{at}:\n      type: tosca.nodes.{model}\n      properties:\n        name: x{at}\n{rest}")
    };
    let many = |count: usize, one: &dyn Fn(usize) -> String| {
        HEAD.to_owned() + &(0..count).map(one).collect::<String>()
    };
    let good = many(2_000, &|at| node(at, "Service", ""));
    assert_eq!(Recipe::parse(&good, "r.yaml").unwrap().nodes().count(), 2_000);
    check(&good, false);
    for text in [
        many(2_000, &|_| node(0, "Service", "")),
        many(2_000, &|at| node(at, "Servic", "        nme: x\n")),
        many(2_000, &|at| {
            let link = format!("      requirements:\n        - owner: missing{at}\n");
            node(at, "ServiceInstance", &link)
        }),
        // Each leads to the next one and back to the first: a circle for each.
        many(2_000, &|at| {
            let links = format!("      requirements:\n        - owner: n{}\n        - master: n0\n", at + 1);
            node(at, "ServiceInstance", &links)
        }),
        format!("{HEAD}    n:\n      type: \"tosca.nodes.{}\"\n", "x".repeat(1_000_000)),
        format!("{HEAD}    n:\n      ? {}\n      : 1\n", "x".repeat(1_000_000)),
        "a: \"\\x41\"\n".repeat(20_000),
        "# comment\n".repeat(100_000),
        "x".repeat(1_000_000),
        "\"".repeat(200_000),
        "\n".repeat(500_000),
        " ".repeat(500_000),
        "&a ".repeat(100_000),
        "!!str ".repeat(100_000),
        "--- a\n".repeat(50_000),
    ] {
        check(&text, false);
    }
}
