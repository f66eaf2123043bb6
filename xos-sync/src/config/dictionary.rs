//! The Python logging dictionary, read as what it means here.
//!
//! The logger `multistructlog` decides, with the root logger (`''` or `root`) behind it: that is the logger of a
//! Python synchronizer. Its level, and the handlers that it names, are taken; without any handler, lines go to
//! stderr, so that a wrong dictionary never makes a program silent.

use xos_model_client::closest;

use super::error::Problem;
use super::keys::{self, Key, Threshold};
use super::logging::{Color, LogFormat, LogLevel, LogOutput, LogTarget, Logging, Rotation};
use super::node::{Entry, Node, Value};
use super::tree::{Setting, Tree};

const STREAM: &str = "logging.StreamHandler";
const FILE: &str = "logging.FileHandler";
const ROTATING: &str = "logging.handlers.RotatingFileHandler";

/// The logger of a Python synchronizer.
const MAIN: &str = "multistructlog";

/// Whether `node` is a handler of a class that has other keys than ours.
pub(crate) fn is_foreign(key: &Key, node: &Node) -> bool {
    key.path == "logging.handlers.*"
        && node
            .get("class")
            .and_then(Node::text)
            .is_some_and(|class| ![STREAM, FILE, ROTATING].contains(&class))
}

/// What the section `logging` says; problems and warnings go to `tree`.
pub(crate) fn read(tree: &mut Tree) -> Logging {
    let Some(section) = tree.node("logging").cloned() else {
        return Logging::default();
    };
    let outputs = read_handlers(&section, tree);
    let loggers = section.get("loggers");
    for entry in loggers.map(Node::entries).unwrap_or_default() {
        if entry.key != MAIN && !entry.key.is_empty() {
            let message = format!("logging.loggers.{} means nothing here: only {MAIN} and '' do", entry.key);
            tree.warn(Problem::new(&entry.origin, message).key(format!("logging.loggers.{}", entry.key)));
        }
    }
    let root = loggers.and_then(|loggers| loggers.get("")).or_else(|| section.get("root"));
    let main = loggers.and_then(|loggers| loggers.get(MAIN));
    let chosen = chosen_handlers(main, root, &outputs, tree);
    let outputs: Vec<LogOutput> = outputs
        .into_iter()
        .filter(|(name, _)| chosen.as_ref().is_none_or(|chosen| chosen.contains(name)))
        .filter_map(|(_, output)| output)
        .collect();
    let threshold = main.and_then(level).or_else(|| root.and_then(root_level)).unwrap_or(LogLevel::Info);
    if outputs.is_empty() {
        if section.get("handlers").is_some() {
            let message = "no handler of logging can be used: log lines go to stderr";
            tree.warn(Problem::new(&section.origin, message).key("logging"));
        }
        return Logging { level: threshold, ..Logging::default() };
    }
    Logging { level: threshold, outputs }
}

/// Every handler by name; `None` for one that cannot be used.
fn read_handlers(section: &Node, tree: &mut Tree) -> Vec<(String, Option<LogOutput>)> {
    let formatters: Vec<&str> = section
        .get("formatters")
        .map(Node::entries)
        .unwrap_or_default()
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    let handlers = section.get("handlers").map(Node::entries).unwrap_or_default();
    handlers.iter().map(|entry| (entry.key.clone(), read_handler(entry, &formatters, tree))).collect()
}

fn read_handler(entry: &Entry, formatters: &[&str], tree: &mut Tree) -> Option<LogOutput> {
    let path = format!("logging.handlers.{}", entry.key);
    let node = &entry.node;
    let missing = |key: &str| Problem::new(&entry.origin, format!("{path} needs a {key}")).key(&path);
    let Some(class) = node.get("class") else {
        tree.problem(missing("class"));
        return None;
    };
    let target = match class.text()? {
        STREAM if node.get("stream").and_then(Node::text) == Some("ext://sys.stdout") => LogTarget::Stdout,
        STREAM => LogTarget::Stderr,
        class @ (FILE | ROTATING) => {
            let Some(file) = node.get("filename") else {
                tree.problem(missing("filename"));
                return None;
            };
            let count = |key: &str| node.get(key).and_then(usize::read).unwrap_or(0);
            let rotation = Rotation { max_bytes: count("maxBytes"), backups: count("backupCount") };
            let rotates = class == ROTATING && rotation.max_bytes > 0 && rotation.backups > 0;
            LogTarget::File { path: Setting::read(file)?, rotation: rotates.then_some(rotation) }
        }
        class => {
            let message = format!("{path} is left out: handlers of class {class} are not supported");
            tree.warn(Problem::new(&class_origin(entry), message).key(&path));
            return None;
        }
    };
    let format = match node.get("formatter").and_then(Node::text).unwrap_or("structured") {
        "structured" => LogFormat::Text(Color::Terminal),
        "structured-color" => LogFormat::Text(Color::Always),
        "json" => LogFormat::Json,
        name if formatters.contains(&name) => LogFormat::Text(Color::Terminal),
        name => {
            let origin = node.get("formatter").map_or(&entry.origin, |node| &node.origin);
            tree.problem(
                Problem::new(origin, format!("{path}.formatter names an unknown formatter \"{name}\""))
                    .key(format!("{path}.formatter"))
                    .hint("there are structured, structured-color and json"),
            );
            return None;
        }
    };
    Some(LogOutput {
        handler: entry.key.clone(),
        target,
        format,
        level: level(node).unwrap_or(LogLevel::Trace),
    })
}

fn class_origin(entry: &Entry) -> super::error::Origin {
    entry.node.get("class").map_or(&entry.origin, |node| &node.origin).clone()
}

/// The names of the handlers in use; `None`: all of them.
fn chosen_handlers(
    main: Option<&Node>,
    root: Option<&Node>,
    known: &[(String, Option<LogOutput>)],
    tree: &mut Tree,
) -> Option<Vec<String>> {
    let propagates = main.and_then(|main| main.get("propagate")).and_then(bool::read).unwrap_or(true);
    let root = root.filter(|_| main.is_none() || propagates);
    let lists: Vec<&Node> =
        [main, root].into_iter().flatten().filter_map(|logger| logger.get("handlers")).collect();
    for item in lists.iter().flat_map(|list| items(list)) {
        let Some(name) = item.text().filter(|name| known.iter().all(|(known, _)| known != name)) else {
            continue;
        };
        let mut problem =
            Problem::new(&item.origin, format!("unknown handler \"{name}\"")).key("logging.handlers");
        if let Some(near) = closest(name, known.iter().map(|(name, _)| name.as_str())) {
            problem = problem.hint(format!("did you mean \"{near}\"?"));
        }
        tree.problem(problem);
    }
    (!lists.is_empty()).then(|| lists.iter().filter_map(|list| Vec::<String>::read(list)).flatten().collect())
}

fn items(list: &Node) -> &[Node] {
    match &list.value {
        Value::List(items) => items,
        _ => &[],
    }
}

/// The level a logger sets; `NOTSET` asks the one behind it.
fn level(node: &Node) -> Option<LogLevel> {
    match keys::level(node.get("level")?)? {
        Threshold::From(level) => Some(level),
        Threshold::NotSet => None,
    }
}

/// The level of the root logger; nothing is behind it, so `NOTSET` lets everything through.
fn root_level(root: &Node) -> Option<LogLevel> {
    root.get("level").map(|_| level(root).unwrap_or(LogLevel::Trace))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Folder, error, load, warnings};
    use super::*;

    fn logging(text: &str) -> Logging {
        load(&format!("logging:\n{text}")).unwrap().logging
    }

    const THREE: &str = "  handlers:
    console: {class: logging.StreamHandler, stream: 'ext://sys.stdout', formatter: json}
    file: {class: logging.handlers.RotatingFileHandler, filename: /l/xos.log, maxBytes: 1000, backupCount: 5}
    quiet: {class: logging.FileHandler, filename: /l/plain.log, level: ERROR, formatter: structured-color}
";

    #[test]
    fn handlers_become_outputs() {
        let file = |path: &str, rotation| LogTarget::File { path: path.into(), rotation };
        let rotation = Rotation { max_bytes: 1000, backups: 5 };
        let expected = [
            LogOutput { target: LogTarget::Stdout, format: LogFormat::Json, ..LogOutput::default() },
            LogOutput {
                handler: "file".to_owned(),
                target: file("/l/xos.log", Some(rotation)),
                ..LogOutput::default()
            },
            LogOutput {
                handler: "quiet".to_owned(),
                target: file("/l/plain.log", None),
                format: LogFormat::Text(Color::Always),
                level: LogLevel::Error,
            },
        ];
        assert_eq!(logging(THREE).outputs, expected);
    }

    #[test]
    fn a_rotating_file_rotates_only_with_size_and_count() {
        for keys in ["", ", maxBytes: 5", ", backupCount: 5", ", maxBytes: 0, backupCount: 5"] {
            let class = "class: logging.handlers.RotatingFileHandler, filename: /x";
            let outputs = logging(&format!("  handlers: {{f: {{{class}{keys}}}}}\n")).outputs;
            assert!(matches!(outputs[0].target, LogTarget::File { rotation: None, .. }), "{keys}");
        }
    }

    #[test]
    fn the_main_logger_and_the_root_behind_it_choose() {
        use LogLevel::{Debug, Error, Info, Trace, Warn};
        let check = |rest: &str, level: LogLevel, names: &[&str]| {
            let logging = logging(&format!("{THREE}{rest}"));
            let found: Vec<&str> = logging.outputs.iter().map(|output| output.handler.as_str()).collect();
            assert_eq!((logging.level, found.as_slice()), (level, names), "{rest}");
        };
        check("", Info, &["console", "file", "quiet"]);
        check("  loggers: {multistructlog: {handlers: [file], level: DEBUG}}\n", Debug, &["file"]);
        check("  loggers: {multistructlog: {level: 30}}\n", Warn, &["console", "file", "quiet"]);
        check("  loggers: {'': {handlers: [quiet], level: warning}}\n", Warn, &["quiet"]);
        check("  root: {handlers: [quiet], level: NOTSET}\n", Trace, &["quiet"]);
        check(
            "  root: {handlers: [quiet], level: ERROR}\n  loggers: {multistructlog: {level: NOTSET}}\n",
            Error,
            &["quiet"],
        );
        let both = "  loggers: {'': {handlers: [quiet], level: ERROR}, multistructlog: {handlers: [console]";
        check(&format!("{both}, level: INFO}}}}\n"), Info, &["console", "quiet"]);
        check(&format!("{both}, level: INFO, propagate: false}}}}\n"), Info, &["console"]);
        check("  loggers: {other: {handlers: [quiet], level: ERROR}}\n", Info, &["console", "file", "quiet"]);
    }

    #[test]
    fn a_dictionary_without_usable_outputs_logs_to_stderr() {
        for text in [
            "  version: 1\n",
            "  handlers: {}\n",
            "  handlers:\n",
            "  loggers: {multistructlog: {handlers: []}}\n",
        ] {
            assert_eq!(logging(text).outputs, [LogOutput::default()], "{text}");
        }
        let kafka = "logging:
  version: 1
  handlers:
    kafka:
      class: kafkaloghandler.KafkaLogHandler
      bootstrap_servers: [cord-kafka:9092]
      topic: xos.log.hello
  loggers:
    multistructlog: {handlers: [kafka], level: DEBUG}
    other: {}
";
        let config = load(kafka).unwrap();
        assert_eq!(config.logging, Logging { level: LogLevel::Debug, ..Logging::default() });
        assert_eq!(
            warnings(kafka),
            [
                "config.yaml:5: logging.handlers.kafka is left out: handlers of class kafkaloghandler.KafkaLogHandler \
                 are not supported",
                "config.yaml:10: logging.loggers.other means nothing here: only multistructlog and '' do",
                "config.yaml:2: no handler of logging can be used: log lines go to stderr",
            ]
        );
    }

    #[test]
    fn mistakes_in_the_dictionary() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                error(&format!("logging:\n  {text}\n")),
                format!("config.yaml:2: {expected}"),
                "{text}"
            );
        };
        let stream = "class: logging.StreamHandler";
        check("version: 2", "logging.version must be 1, not 2");
        check("levle: DEBUG", "unknown key \"logging.levle\"");
        check("handlers: {a: {}}", "logging.handlers.a needs a class");
        check("handlers: {a: {class: logging.FileHandler}}", "logging.handlers.a needs a filename");
        check(
            &format!("handlers: {{a: {{{stream}, levl: INFO}}}}"),
            "unknown key \"logging.handlers.a.levl\" (did you mean \"logging.handlers.a.level\"?)",
        );
        check(
            &format!("handlers: {{a: {{{stream}, level: LOUD}}}}"),
            "logging.handlers.a.level must be one of CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE, NOTSET, not \"LOUD\"",
        );
        check(
            &format!("handlers: {{a: {{{stream}, formatter: xml}}}}"),
            "logging.handlers.a.formatter names an unknown formatter \"xml\" (there are structured, \
             structured-color and json)",
        );
        check(
            "loggers: {multistructlog: {handlers: [consol]}}\n  handlers: {console: {class: logging.StreamHandler}}",
            "unknown handler \"consol\" (did you mean \"console\"?)",
        );
    }

    #[test]
    fn a_formatter_of_ones_own_is_accepted() {
        let text = "  formatters: {mine: {format: '%(message)s'}}\n  handlers: {a: {class: logging.StreamHandler, \
                    formatter: mine}}\n";
        assert_eq!(logging(text).outputs[0].format, LogFormat::Text(Color::Terminal));
    }

    #[test]
    fn a_log_file_is_relative_to_its_config_file_and_no_color_is_heard() {
        let text = "logging:\n  handlers:\n    f: {class: logging.FileHandler, filename: x.log}\n";
        let folder = Folder::with(&[("config.yaml", text)]);
        let output = folder.load(&[("NO_COLOR", "1")]).unwrap().logging.outputs.remove(0);
        assert_eq!(output.target, LogTarget::File { path: folder.path("x.log"), rotation: None });
        assert_eq!(output.format, LogFormat::Text(Color::Never));
    }
}
