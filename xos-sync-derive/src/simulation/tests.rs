use super::*;
use crate::testing::{messages, normal};

fn tokens(source: &str) -> TokenStream {
    source.parse().unwrap()
}

#[track_caller]
fn check(arguments: &str, item: &str, expected: &[&str]) {
    let expanded = expand(tokens(arguments), &tokens(item));
    assert_eq!(messages(&expanded), expected, "of ({arguments}) {item}");
}

const SITES: &str = "fn sites(backend: Backend) -> Synchronizer { make(backend) }";

#[test]
fn it_is_a_test_that_simulates() {
    let expanded = expand(tokens("seeds = 20, objects = 8"), &tokens(&format!("/// Doc\n{SITES}")));
    let expected = "
        /// Doc
        #[::core::prelude::v1::test]
        fn sites() {
            fn sites(backend: Backend) -> Synchronizer { make(backend) }
            ::xos_sync::testing::simulate(sites).seeds(0..20u64).objects(8usize).test();
        }";
    assert_eq!(normal(expanded), normal(tokens(expected)));
}

#[test]
fn what_is_not_said_is_left_to_the_simulation() {
    let expanded = normal(expand(tokens("crate = crate"), &tokens(SITES)));
    let call = normal(tokens("crate::testing::simulate(sites).test();"));
    assert!(expanded.contains(&format!("}} {call} }}")), "{expanded}");
}

#[test]
fn arguments_are_known() {
    check("seed = 4", SITES, &["`#[xos_sync::simulation]` has no attribute `seed`; did you mean `seeds`?"]);
    check("seeds = 0", SITES, &["seeds is from 1 to 1000000000, found 0"]);
}

#[test]
fn it_belongs_on_a_function_that_makes_a_synchronizer() {
    check("", "struct Sites;", &["`#[xos_sync::simulation]` belongs on a function"]);
    check(
        "",
        "async fn sites() -> Synchronizer { make() }",
        &[
            "what makes a synchronizer is no async function; remove `async`",
            "a simulation is a function that makes the synchronizer with a simulated backend: write `fn \
             sites(backend: Backend) -> Synchronizer`",
        ],
    );
    check(
        "",
        "#[test] fn sites<T>(backend: Backend) -> Synchronizer { make(backend) }",
        &[
            "`#[xos_sync::simulation]` cannot run a generic function",
            "`#[xos_sync::simulation]` makes it a test already; remove `#[test]`",
        ],
    );
}
