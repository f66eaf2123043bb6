//! Config files, override files and variables that nobody meant: every mistake says where it is, none shows a secret,
//! and what is accepted is within its bounds.

use std::fmt::Write as _;
use std::path::Path;

use super::super::keys::{Key, Kind};
use super::super::load::finish;
use super::super::tree::Tree;
use super::super::{keys, testing::TUTORIAL};
use super::*;
use crate::args::Args;
use crate::choices::{Choices, damaged, words};

const FILE: &str = "/no-such-folder/config.yaml";

/// Stands where only a secret stands.
const SECRET: &str = "hunter2";

const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    ": ",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "name",
    "accessor",
    "engine",
    "logging",
    "event_bus",
    "kind",
    "grpcapi",
    "kafka",
    "endpoint",
    "database",
    "concurrency",
    "password",
    "handlers",
    "class",
    "level",
    "true",
    "yes",
    "null",
    "~",
    "1",
    "-1.5",
    ".nan",
    "1e400",
    "0x1F",
    "99999999999999999999",
    "5 s",
    "''",
    "'",
    "\"",
    "\"\\x41\"",
    "|\n",
    ">-\n",
    "# c",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "? ",
    "---",
    "...",
    "%YAML 1.2",
    "\t",
    "\r\n",
    "é",
    "\u{0}",
    "\u{feff}",
    "@",
    "`",
    "@file",
    "postgres://u:p@h/d",
    "unix:/x",
    "http://h:1",
    "127.0.0.1:1",
    "ext://sys.stdout",
];

const SERVED: &str = "name: x
accessor: {kind: embedded, database: 'postgres://u:p@h/d', listen: '127.0.0.1:0', admin_password: letmein}
engine: {concurrency: 7, first_retry: 500 ms, retry_cap: 1 h 30 min, step_deadline: 10 min}
event_bus: {kind: kafka, endpoint: 'a:9092,b:9092', tls: yes, username: u, password: p}
proxy_ssh: {enabled: true, user: root, key: k}
logging:
  handlers:
    file: {class: logging.handlers.RotatingFileHandler, filename: x.log, maxBytes: 1000, backupCount: 5}
  loggers: {'': {handlers: [file], level: 10}, other: {}}
  root: {level: NOTSET, handlers: [file]}
";

#[test]
fn config() {
    bolero::check!().with_iterations(3_000).for_each(|bytes: &[u8]| {
        let mut choices = Choices(bytes);
        match choices.below(4) {
            0 => check(&[&choices.text()], &[], false),
            1 => check(&[&words(&mut choices, WORDS)], &[], false),
            2 => {
                let texts = [file(&mut choices), file(&mut choices)];
                let variables: Vec<(String, String)> =
                    (0..choices.below(3)).map(|_| variable(&mut choices)).collect();
                check(&[&texts[0], &texts[1]], &variables, true);
            }
            _ => {
                let sample = [TUTORIAL, SERVED][choices.below(2)];
                check(&[&damaged(&mut choices, sample, WORDS)], &[], false);
            }
        }
    });
}

/// Reads the texts, each over the ones before, and the variables. In some a secret stands only where it is known to be
/// one.
fn check(texts: &[&str], variables: &[(String, String)], secret_is_known: bool) {
    let mut tree = Tree::new();
    for text in texts {
        tree.add_text(text, Path::new(FILE));
    }
    let environment: Environment =
        variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let result = finish(tree, Some(FILE.into()), &Args::default(), &environment);
    let (problems, shown) = match &result {
        Ok(config) => (&config.warnings, format!("{config:?}")),
        Err(error) => {
            assert!(!error.problems.is_empty());
            (&error.problems, error.to_string())
        }
    };
    assert!(
        !secret_is_known || !shown.contains(SECRET),
        "it shows the secret: {shown}\n{texts:?} {variables:?}"
    );
    let lines = texts.iter().map(|text| text.replace("\r\n", "\n").split(['\n', '\r']).count()).max();
    for problem in problems {
        assert!(!problem.message.is_empty());
        match &problem.origin {
            // What is missing at the end is missed one line behind it.
            Origin::File(file, Some(line)) => {
                assert_eq!(file.as_ref(), Path::new(FILE));
                assert!((1..=lines.unwrap_or(0) + 1).contains(line), "{problem}\n{texts:?}");
            }
            Origin::Variable(name) => assert!(variables.iter().any(|(given, _)| given == name), "{problem}"),
            origin => panic!("{problem} is nowhere: {origin:?}\n{texts:?}"),
        }
    }
    if let Ok(config) = &result {
        within_bounds(config);
    }
}

fn within_bounds(config: &Config) {
    let engine = &config.engine;
    let year = Duration::from_secs(365 * 24 * 3600);
    assert!(engine.concurrency > 0 && engine.first_retry > Duration::ZERO);
    assert!(engine.first_retry <= engine.retry_cap && engine.retry_cap <= year, "{engine:?}");
    assert!(engine.step_deadline <= year);
    assert!(!config.logging.outputs.is_empty());
    let _ = config.core("hello-world");
}

/// The name of a key as one may write it, and a value as one may give it.
fn setting(choices: &mut Choices<'_>) -> (String, String) {
    let all: Vec<&Key> = keys::all().collect();
    let key = all[choices.below(all.len())];
    let name = ["console", "file", "multistructlog", "''"][choices.below(4)];
    let path = key.path.replace('*', name);
    let kind = if choices.one_in(12) { all[choices.below(all.len())].kind } else { key.kind };
    let mut count = || i32::from(choices.byte()) - 3;
    let value = match kind {
        // Nothing but a secret may be shown; so only secrets are this one.
        _ if matches!(key.kind, Kind::Secret) => match choices.below(5) {
            0 => SECRET.to_owned(),
            1 => format!("'{SECRET}'"),
            2 => format!("[{SECRET}]"),
            3 => format!("{{{SECRET}: {SECRET}}}"),
            _ => format!("\"{SECRET}\\q\""),
        },
        Kind::Count { .. } => count().to_string(),
        Kind::Period { .. } => {
            format!("{} {}", count(), choices.pick(&["s", "ms", "min", "h", "", "days", "parsec"]))
        }
        Kind::Choice(known) => choices.pick(known).to_owned(),
        Kind::Switch => choices.pick(&["true", "false", "yes", "Off", "1"]).to_owned(),
        Kind::Level => choices.pick(&["INFO", "10", "debug", "LOUD", "NOTSET"]).to_owned(),
        Kind::Names => choices.pick(&["[]", "[A, B]", "[1]", "A", "[console]", "- A"]).to_owned(),
        Kind::Section => choices.pick(&["", "{}", "x", "{a: 1}", "[]"]).to_owned(),
        _ => choices
            .pick(&[
                "x",
                "''",
                "5",
                "a b",
                "\"\\u00e9\"",
                "null",
                "http://h:1",
                "h:99999",
                "unix:/x",
                "127.0.0.1:0",
                "0.0.0.0:1",
                "postgres://u:p@h/d",
                "postgres://",
                ">=4.0.0~<5.0.0",
                ">=x",
                "logging.FileHandler",
                "json",
                "xml",
                "logging.handlers.RotatingFileHandler",
                "logging.StreamHandler",
                "/x/y",
                "&a x",
                "*a",
                "[[1, 2], {a: b}]",
            ])
            .to_owned(),
    };
    (path, value)
}

/// A file that sets some keys, one section for each, with a mistake here and there.
fn file(choices: &mut Choices<'_>) -> String {
    let mut text = String::new();
    let mut settings: Vec<(String, String)> = (0..choices.below(12)).map(|_| setting(choices)).collect();
    // Keys of one section stand together: a section is there once.
    settings.sort();
    settings.dedup_by(|one, other| one.0 == other.0);
    let mut open: Vec<String> = Vec::new();
    for (path, value) in &settings {
        let names: Vec<&str> = path.split('.').collect();
        let same = names.iter().zip(&open).take_while(|(name, open)| *name == open).count();
        open.truncate(same);
        for (depth, name) in names.iter().enumerate().skip(same) {
            if depth + 1 == names.len() {
                let misspelt = if choices.one_in(60) { "x" } else { "" };
                let _ = writeln!(text, "{:indent$}{name}{misspelt}: {value}", "", indent = depth * 2);
            } else {
                let _ = writeln!(text, "{:indent$}{name}:", "", indent = depth * 2);
            }
            open.push((*name).to_owned());
        }
    }
    text
}

fn variable(choices: &mut Choices<'_>) -> (String, String) {
    let (path, value) = setting(choices);
    let misspelt = if choices.one_in(20) { "X" } else { "" };
    (format!("XOS_SYNC_{}{misspelt}", path.to_ascii_uppercase().replace('.', "__")), value)
}

#[test]
fn deep_nesting_is_refused_and_not_a_deep_stack() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("[{a: ", "}]")] {
        for head in ["", "logging: {filters: "] {
            for close in [close, ""] {
                let text = format!("{head}{}a{}", open.repeat(100_000), close.repeat(100_000));
                check(&[&text], &[], false);
                assert!(load(&text).unwrap_err().len() < 2_000);
            }
        }
    }
}

#[test]
fn aliases_do_not_multiply() {
    let mut bomb = String::from("logging:\n  filters:\n    a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        let _ = writeln!(bomb, "    a{level}: &a{level} [{aliases}]");
    }
    check(&[&bomb], &[], false);
    assert!(load(&bomb).unwrap_err().len() < 2_000);
    check(&["a: &a [*a]\n"], &[], false);
}

/// What takes a time that grows with the square of the length would take minutes here.
#[test]
fn long_files_are_read_once() {
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    for text in [
        many(5_000, &|at| format!("key{at}: 1\n")),
        format!(
            "logging:\n  handlers:\n{}",
            many(5_000, &|at| format!("    h{at}: {{class: logging.StreamHandler}}\n"))
        ),
        format!("name: {}\n", "x".repeat(1_000_000)),
        format!("? {}\n: 1\n", "x".repeat(1_000_000)),
        "name: x\n".repeat(50_000),
        "# comment\n".repeat(100_000),
        "x".repeat(1_000_000),
        "\"".repeat(200_000),
        "\n".repeat(500_000),
        " ".repeat(500_000),
        "&a ".repeat(100_000),
        "!!str ".repeat(100_000),
        "--- a\n".repeat(50_000),
    ] {
        check(&[&text, &text], &[], false);
    }
}
