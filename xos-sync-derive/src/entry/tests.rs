use super::*;
use crate::testing::{messages, normal};

fn tokens(source: &str) -> TokenStream {
    source.parse().unwrap()
}

#[track_caller]
fn check(entry: Entry, arguments: &str, item: &str, expected: &[&str]) {
    let expanded = expand(entry, tokens(arguments), &tokens(item));
    assert_eq!(messages(&expanded), expected, "of ({arguments}) {item}");
}

const MAIN: &str = "async fn main() -> xos_sync::Result<()> { Ok(()) }";

#[test]
fn main_runs_on_a_runtime() {
    let expanded =
        expand(Entry::Main, tokens(""), &tokens("/// Doc\nasync fn main() -> Result<()> { go().await }"));
    let expected = "
        /// Doc
        fn main() -> ::std::process::ExitCode {
            #[allow(clippy::unused_async)]
            async fn main() -> Result<()> { go().await }
            ::xos_sync::__private::run_main(main())
        }";
    assert_eq!(normal(expanded), normal(tokens(expected)));
}

#[test]
fn a_test_runs_on_a_runtime_of_its_own() {
    let expanded = expand(
        Entry::Test,
        tokens("crate = crate"),
        &tokens("#[ignore] pub async fn a_greeting() { go().await }"),
    );
    let expected = "
        #[ignore]
        #[::core::prelude::v1::test]
        pub fn a_greeting() {
            #[allow(clippy::unused_async)]
            async fn a_greeting() { go().await }
            crate::__private::run_test(a_greeting())
        }";
    assert_eq!(normal(expanded), normal(tokens(expected)));
}

#[test]
fn the_threads_can_be_chosen() {
    for (arguments, call) in [
        ("flavor = \"multi_thread\"", "run_main(main())"),
        ("flavor = \"current_thread\"", "run_main_with(0usize, main())"),
        ("worker_threads = 4", "run_main_with(4usize, main())"),
        ("flavor = \"multi_thread\", worker_threads = 2", "run_main_with(2usize, main())"),
    ] {
        let expanded = normal(expand(Entry::Main, tokens(arguments), &tokens(MAIN)));
        assert!(expanded.contains(&normal(tokens(call))), "{expanded}");
    }
}

#[test]
fn arguments_are_known() {
    for (arguments, message) in [
        ("flavour = \"a\"", "`#[xos_sync::main]` has no attribute `flavour`; did you mean `flavor`?"),
        ("flavor = \"many\"", "the flavor is \"multi_thread\" or \"current_thread\", found \"many\""),
        (
            "flavor",
            "`flavor` needs \"multi_thread\" or \"current_thread\"; write `flavor = \"current_thread\"`",
        ),
        ("worker_threads = 0", "worker_threads is from 1 to 1024, found 0"),
        (
            "worker_threads = 2, flavor = \"current_thread\"",
            "the flavor \"current_thread\" has no worker threads; remove one of the two",
        ),
        ("4", "expected the name of an attribute"),
    ] {
        check(Entry::Main, arguments, MAIN, &[message]);
    }
}

#[test]
fn main_is_an_async_function_without_arguments() {
    check(
        Entry::Main,
        "",
        "fn main() -> Result<()> { Ok(()) }",
        &["`#[xos_sync::main]` runs an async function: write `async fn main`"],
    );
    check(
        Entry::Main,
        "",
        "async fn main(config: Config) -> Result<()> { Ok(()) }",
        &["`main` takes no arguments; read the command line with `Config::from_args()`"],
    );
    check(
        Entry::Main,
        "",
        "async fn start() -> Result<()> { Ok(()) }",
        &["`#[xos_sync::main]` belongs on `async fn main`, found `start`"],
    );
    check(
        Entry::Main,
        "",
        "async fn main() {}",
        &[
            "`main` returns a result, so that an error can be printed: write `async fn main() -> xos_sync::Result<()>`",
        ],
    );
    check(
        Entry::Main,
        "",
        "async fn main<T>() -> Result<()> { Ok(()) }",
        &["`#[xos_sync::main]` cannot run a generic function"],
    );
    check(Entry::Main, "", "struct Main;", &["`#[xos_sync::main]` belongs on an `async fn`"]);
}

#[test]
fn a_test_is_an_async_function_without_arguments() {
    check(Entry::Test, "", "fn a() {}", &["`#[xos_sync::test]` runs an async function: write `async fn a`"]);
    check(
        Entry::Test,
        "",
        "async fn a(core: MockAccessor) {}",
        &["a test takes no arguments; make what it needs inside, such as `MockAccessor::new()`"],
    );
    check(
        Entry::Test,
        "",
        "#[test] async fn a() {}",
        &["`#[xos_sync::test]` makes it a test already; remove `#[test]`"],
    );
}

#[test]
fn after_a_mistake_the_function_is_still_there() {
    for (item, expected) in [
        ("async fn main() {}", "fn main() { #[allow(dead_code, unused_variables)] async fn main() {} }"),
        (
            "fn start() -> Result<()> {}",
            "fn main() {} #[allow(dead_code, unused_variables)] fn start() -> Result<()> {}",
        ),
    ] {
        let expanded = normal(expand(Entry::Main, tokens(""), &tokens(item)));
        assert!(expanded.ends_with(&normal(tokens(expected))), "{expanded}");
    }
    let expanded = normal(expand(Entry::Test, tokens(""), &tokens("#[test] async fn a() {}")));
    assert!(
        expanded.ends_with(&normal(tokens("#[allow(dead_code, unused_variables)] async fn a() {}"))),
        "{expanded}"
    );
}
