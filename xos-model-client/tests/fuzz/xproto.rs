//! xproto: what is read prints as what is read as the same; what is not says where it is wrong.

use xos_model_client::xproto::{self, Document, RustOptions, WriteOptions};

use crate::choices::{Choices, damaged, words};

const WORDS: &[&str] = &[
    ";",
    "message",
    "A",
    "{",
    "}",
    "(",
    ")",
    "::",
    ":",
    "=",
    "[",
    "]",
    ",",
    "->",
    "/",
    "required",
    "optional",
    "string",
    "int32",
    "bool",
    "manytoone",
    "manytomany",
    "onetoone",
    "1",
    "-1.5",
    "1e9",
    "\"x\"",
    "\"",
    "'",
    "True",
    "False",
    "policy",
    "enum",
    "option",
    "<",
    ">",
    "&",
    "|",
    "not",
    "in",
    "exists X:",
    "forall",
    "obj.id",
    "f()",
    "*a(b)",
    "{{ p }}",
    "// c\n",
    "/* c */",
    "/*",
    "\n",
    "+",
    ".",
    "é",
    "\u{0}",
    "\r",
    "\\",
    "extend",
    "rpc",
    "_service",
    "import",
    "package",
    "map",
    "reduce",
    "lambda",
    "extensions",
    "to",
    "max",
    "(XOSBase)",
    "name",
    "default",
    "choices",
    "null",
    "max_length",
    "text",
    "repeated",
    "returns",
    "99999999999999999999",
    "None",
    "\"(('a', 'A'), )\"",
    "app_label",
];

const NAMES: &[&str] =
    &["a", "A", "Site", "name", "owner", "XOSBase", "Service", "hello_to", "max", "x$+", "_", "id"];

/// Real files, and those of other tests.
const SAMPLES: &[&str] = &[
    include_str!("../xproto/hello-world.xproto"),
    include_str!("../xproto/everything.xproto"),
    include_str!("../xproto/kubernetes.xproto"),
    include_str!("../xproto/findings/core.xproto"),
    include_str!("../xproto/findings/lint.xproto"),
    include_str!("../xproto/errors/brick.xproto"),
    include_str!("../xproto/errors/ends.xproto"),
    include_str!("../xproto/errors/policies.xproto"),
    include_str!("../xproto/errors/statements.xproto"),
];

#[test]
fn fuzz() {
    bolero::check!().with_iterations(3_000).for_each(|bytes: &[u8]| check(&text_of(bytes)));
}

fn text_of(bytes: &[u8]) -> String {
    let mut choices = Choices(bytes);
    match choices.below(4) {
        0 => choices.text(),
        1 => words(&mut choices, WORDS),
        2 => Grammar { choices, text: String::new() }.file(),
        _ => {
            let sample = choices.below(SAMPLES.len());
            damaged(&mut choices, SAMPLES[sample], WORDS)
        }
    }
}

/// Everything that can be done with a text.
fn check(text: &str) {
    let document = match xproto::parse("a.xproto", text) {
        Ok(document) => document,
        Err(errors) => {
            assert!((1..=20).contains(&errors.iter().count()));
            for error in &errors {
                assert_eq!(error.file, "a.xproto");
                let line = text.split('\n').nth(error.place.line as usize - 1);
                let line = line.unwrap_or_else(|| panic!("there is no line {}: {error}", error.place.line));
                let columns = line.chars().count() + 1;
                assert!((1..=columns).contains(&(error.place.column as usize)), "{columns} columns: {error}");
                assert!(!error.expected.is_empty() && !error.found.is_empty());
            }
            assert!(!errors.to_string().is_empty());
            return;
        }
    };
    let printed = document.to_string();
    match xproto::parse("a.xproto", &printed) {
        Ok(again) => assert_eq!(again, document, "{printed}"),
        Err(errors) => panic!("what was printed cannot be read: {errors}\n{printed}"),
    }
    check_models(&document);
}

/// What a document means, where it means something.
fn check_models(document: &Document) {
    let findings = document.check();
    for finding in &findings {
        assert!(!finding.to_string().is_empty());
    }
    let _ = xproto::to_rust(document, &RustOptions::default());
    let Ok(models) = document.models() else { return };
    // Definitions that can be written are read as the same definitions, or are refused.
    let Ok(written) = xproto::write(&models, &WriteOptions::default()) else { return };
    assert!(written.is_ascii(), "{document}\n became {written}");
    let read =
        xproto::parse("written.xproto", &written).unwrap_or_else(|errors| panic!("{errors}\n{written}"));
    let same = xproto::write(&read.models_against(&models).unwrap(), &WriteOptions::default());
    assert_eq!(same.unwrap(), written);
}

/// A text by the rules of the language, but for a mistake here and there.
struct Grammar<'a> {
    choices: Choices<'a>,
    text: String,
}

impl Grammar<'_> {
    fn file(mut self) -> String {
        while !self.choices.is_over() {
            self.item();
            self.put("\n");
        }
        self.text
    }

    fn put(&mut self, text: &str) {
        if self.choices.one_in(40) {
            let other = self.choices.pick(WORDS);
            self.text.push_str(other);
        } else {
            self.text.push_str(text);
        }
        if !text.is_empty() && !self.choices.one_in(20) {
            self.text.push(' ');
        }
    }

    fn name(&mut self) {
        let name = self.choices.pick(NAMES);
        self.put(name);
    }

    fn dotted(&mut self) {
        self.name();
        while self.choices.one_in(4) {
            self.put(".");
            self.name();
        }
    }

    fn number(&mut self) {
        let number = self.choices.byte();
        let number = match self.choices.below(6) {
            0..4 => number.to_string(),
            4 => format!("-{number}.50"),
            _ => format!("{number}000000000"),
        };
        self.put(&number);
    }

    fn quoted(&mut self) {
        let texts = [
            "\"a\"",
            "\"\"",
            "\"True\"",
            "\"5\"",
            "\"now()\"",
            "\"(('a', 'A'), ('b', 'B'))\"",
            "\"say \\\"hi\\\" \\\\\"",
            "'single'",
            "\"a\tb\"",
            "\"{{ x }}\"",
            "\"-\"",
            "\"\\n\"",
        ];
        let text = self.choices.pick(&texts);
        self.put(text);
    }

    fn value(&mut self) {
        match self.choices.below(6) {
            0 | 1 => self.put("True"),
            2 => self.put("False"),
            3 => self.number(),
            4 => self.quoted(),
            _ => self.name(),
        }
    }

    fn option(&mut self) {
        let names = [
            "app_label",
            "name",
            "abstract",
            "validators",
            "owner_class_name",
            "plural",
            "verbose_name",
            "description",
            "policy_implemented",
            "custom_python",
            "a",
            "tosca_key",
            "version",
            "gui_hidden",
        ];
        let name = self.choices.pick(&names);
        self.put("option");
        self.put(name);
        self.put("=");
        self.value();
        self.put(";");
    }

    fn item(&mut self) {
        match self.choices.below(12) {
            0..6 => self.message(0),
            6 => self.option(),
            7 => {
                self.put("policy");
                self.name();
                self.put("<");
                self.formula(0);
                self.put(">");
            }
            8 => self.enumeration(),
            9 => {
                self.put("import");
                self.quoted();
                self.put(";");
            }
            10 => {
                self.put("package");
                self.dotted();
                self.put(";");
            }
            _ => {
                self.put("extend");
                self.name();
                self.put("{");
                self.field();
                self.put("}");
            }
        }
    }

    fn enumeration(&mut self) {
        self.put("enum");
        self.name();
        self.put("{");
        while !self.choices.is_over() && self.choices.one_in(2) {
            self.name();
            self.put("=");
            self.number();
            self.put(";");
        }
        self.put("}");
    }

    fn message(&mut self, depth: usize) {
        if self.choices.one_in(4) {
            self.put("// A comment, in words\n");
        }
        self.put("message");
        self.name();
        if self.choices.one_in(4) {
            self.put("::");
            self.name();
        }
        if !self.choices.one_in(8) {
            self.put("(");
            self.dotted();
            while self.choices.one_in(6) {
                self.put(",");
                self.dotted();
            }
            self.put(")");
        }
        self.put("{");
        while !self.choices.is_over() && !self.choices.one_in(4) {
            match self.choices.below(10) {
                0..6 => self.field(),
                6..8 => self.option(),
                8 if depth < 3 => self.message(depth + 1),
                _ => self.enumeration(),
            }
        }
        self.put("}");
    }

    fn field(&mut self) {
        let modifier = self.choices.pick(&["required", "required", "optional", "optional", "repeated"]);
        self.put(modifier);
        if self.choices.one_in(3) {
            self.link();
        } else {
            let kind =
                self.choices.pick(&["string", "string", "int32", "uint32", "bool", "float", "double", "A"]);
            self.put(kind);
            self.name();
            self.put("=");
            self.number();
        }
        self.put("[");
        while !self.choices.is_over() && !self.choices.one_in(3) {
            let names = [
                "max_length",
                "default",
                "null",
                "blank",
                "db_index",
                "choices",
                "text",
                "content_type",
                "help_text",
                "unique",
                "unique_with",
                "tosca_key",
                "tosca_key_one_of",
                "feedback_state",
                "auto_now_add",
                "min_value",
                "gui_hidden",
                "modifier",
                "a",
            ];
            let name = self.choices.pick(&names);
            self.put(name);
            self.put("=");
            self.value();
            self.put(",");
        }
        if !self.choices.one_in(8) {
            self.put("null = True");
        }
        self.put("]");
        self.put(";");
    }

    fn link(&mut self) {
        let kind = self.choices.pick(&["manytoone", "manytoone", "manytomany", "onetoone"]);
        self.put(kind);
        self.name();
        self.put("->");
        self.dotted();
        if self.choices.one_in(5) {
            self.put("/");
            self.dotted();
        }
        if !self.choices.one_in(4) {
            self.put(":");
            let reverse = self.choices.pick(&["widgets", "+", "a"]);
            self.put(reverse);
        }
        self.put("=");
        self.number();
        if self.choices.one_in(2) {
            self.put(":");
            self.number();
        }
    }

    fn formula(&mut self, depth: usize) {
        let kind = if depth > 70 { 0 } else { self.choices.below(12) };
        match kind {
            0..4 => self.term(),
            4 => {
                self.term();
                self.put("=");
                self.term();
            }
            5 => {
                self.term();
                self.put("in");
                self.term();
            }
            6 | 7 => {
                let operator = self.choices.pick(&["&", "|", "->"]);
                self.formula(depth + 1);
                self.put(operator);
                self.formula(depth + 1);
            }
            8 => {
                self.put("not");
                self.formula(depth + 1);
            }
            9 => {
                self.put("(");
                self.formula(depth + 1);
                self.put(")");
            }
            _ => {
                let quantifier = self.choices.pick(&["exists", "forall"]);
                self.put(quantifier);
                self.name();
                self.put(":");
                self.formula(depth + 1);
            }
        }
    }

    fn term(&mut self) {
        match self.choices.below(8) {
            0 => self.put("True"),
            1 => self.put("False"),
            2 => self.number(),
            3 => self.quoted(),
            4 => self.put("{{ obj.name == 'a' }}"),
            5 => self.put("*policy(obj)"),
            6 => self.put("ctx.user.is_admin()"),
            _ => self.dotted(),
        }
    }
}

/// Short, and each of another kind: what damages most.
#[test]
fn bytes_that_run_out_make_a_text_that_ends() {
    for first in 0..=255_u8 {
        for second in 0..=255 {
            check(&text_of(&[first, second]));
        }
    }
}
