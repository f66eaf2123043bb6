//! Texts that want to break the reader: it neither panics nor overflows, and looks at each byte once.

use proptest::prelude::*;
use xos_model_client::xproto;

use crate::read;

/// Everything that can be done with a text; what is wrong is told, and nothing panics.
fn use_it(text: &str) {
    match xproto::parse("a.xproto", text) {
        Ok(document) => {
            let _ = document.check().to_string();
            let _ = document.models().map(|models| models.len());
            let _ = xproto::to_rust(&document, &xproto::RustOptions::default());
            assert_eq!(xproto::parse("a.xproto", &document.to_string()).as_ref(), Ok(&document));
        }
        Err(errors) => {
            assert!(errors.iter().count() > 0);
            for error in &errors {
                let lines = text.split('\n').count() as u32;
                assert!((1..=lines).contains(&error.place.line), "{error}");
            }
            let _ = errors.to_string();
        }
    }
}

#[test]
fn nesting_has_a_limit_and_a_clear_error() {
    for (open, close) in [
        ("message A {", "}"),
        ("extend A {", "}"),
        ("policy a < ", ">"),
        ("policy a < (", ">"),
        ("policy a < not ", ">"),
        ("policy a < exists X: ", ">"),
        ("policy a < a -> ", ">"),
    ] {
        let (start, repeated) = match open.split_once("< ") {
            Some((start, repeated)) => (format!("{start}< "), repeated),
            None => (String::new(), open),
        };
        let text = format!("{start}{}{close}", repeated.repeat(100_000));
        let Err(errors) = xproto::parse("deep.xproto", &text) else {
            assert!(repeated.is_empty() || repeated.starts_with("message"), "{open} is accepted");
            continue;
        };
        if !repeated.is_empty() {
            assert!(errors.to_string().contains("at most 64"), "{open}: {}", &errors.to_string()[..200]);
        }
    }
    // Long is not deep.
    let long = format!("policy a < {}b >", "a & b | ".repeat(100_000));
    assert!(xproto::parse("long.xproto", &long).is_ok());
}

#[test]
fn large_texts_are_read() {
    let field = "    required string name = 1 [help_text = \"text\", max_length = 256];\n";
    for text in [
        format!("message A (XOSBase) {{\n{}}}", field.repeat(20_000)),
        "message A (XOSBase) { required string a = 1; }".repeat(20_000),
        format!("message A (XOSBase) {{ {} }}", field.replace('\n', " ").repeat(20_000)),
        format!("option a = \"{}\";", "\\\"".repeat(500_000)),
        "option a = b;".repeat(100_000),
        "<".repeat(500_000),
        "/* ".repeat(500_000),
        "\"".repeat(500_000),
        "message A { ".repeat(50_000),
        "} ".repeat(200_000),
        format!("message A (XOSBase) {{ required string a = 1 [{}]; }}", "a = 1, ".repeat(100_000)),
        "// comment\n".repeat(100_000),
        format!("option x = \"{}", "x".repeat(1_000_000)),
    ] {
        use_it(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // Whatever the bytes are, reading them ends without a panic.
    #[test]
    fn any_text_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        use_it(&String::from_utf8_lossy(&bytes));
    }

    // Tokens in any order.
    #[test]
    fn any_tokens_are_read_or_refused(tokens in proptest::collection::vec(prop::sample::select(vec![
        "message", "A", "{", "}", "(", ")", "::", ":", ";", "=", "[", "]", ",", "->", "/", "required", "optional",
        "string", "int32", "bool", "manytoone", "1", "-1.5", "\"x\"", "\"", "'", "True", "true", "policy", "enum",
        "option", "< a & b >", "<", ">", "// c\n", "/*", "*/", "\n", "+", ".", "é", "\u{0}", "\r", "extend", "rpc",
        "_service", "import", "package", "map", "reduce", "extensions", "to", "max", "(XOSBase)", "name", "default",
    ]), 0..40)) {
        use_it(&tokens.join(" "));
    }

    // A text that was damaged at some places.
    #[test]
    fn a_damaged_text_is_read_or_refused(
        file in prop::sample::select(vec!["everything.xproto", "kubernetes.xproto", "findings/core.xproto"]),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..8, "[ -~\n]{0,4}"), 1..6),
    ) {
        let mut text: Vec<char> = read(file).chars().collect();
        for (at, removed, added) in damages {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        use_it(&text.into_iter().collect::<String>());
    }
}
