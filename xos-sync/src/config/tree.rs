//! All sources of one configuration, laid over each other, and typed access to the result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use xos_model_client::closest;

use super::environment::Environment;
use super::error::{Origin, Problem};
use super::keys::{self, Key, Kind, Standing};
use super::node::{Entry, Node, Value};

/// Before the name of a key in an environment variable; sections end in two underscores.
pub(crate) const PREFIX: &str = "XOS_SYNC_";

/// Sets the least important level to log, like `--log-level`.
pub(crate) const LOG_LEVEL_VARIABLE: &str = "XOS_SYNC_LOG_LEVEL";

/// The sources laid over each other, with what was found wrong so far.
pub(crate) struct Tree {
    root: Node,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

/// A type that settings have.
pub(crate) trait Setting: Sized {
    /// The value of `node`, `None` where it is of another type (which the check has reported).
    fn read(node: &Node) -> Option<Self>;
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self { root: Node::empty(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// Lays the content of `path` over what is there; an unreadable file is a problem.
    pub(crate) fn add_file(&mut self, path: &Path) {
        let problem = match std::fs::read(path) {
            Err(error) => Problem::new(&Origin::file(path), format!("cannot read the file: {error}")),
            Ok(bytes) => match String::from_utf8(bytes) {
                Err(_) => Problem::new(&Origin::file(path), "the file is not UTF-8"),
                Ok(text) => return self.add_text(&text, path),
            },
        };
        self.problems.push(problem);
    }

    /// Lays `text`, the content of `path`, over what is there.
    pub(crate) fn add_text(&mut self, text: &str, path: &Path) {
        let problem = match Node::parse(text, path) {
            Err(problem) => problem,
            Ok(node) if matches!(node.value, Value::Map(_) | Value::Nothing) => {
                return self.root.overlay(node);
            }
            Ok(node) => {
                Problem::new(&node.origin, format!("the file must be a map of keys, not {}", node.kind()))
            }
        };
        self.problems.push(problem);
    }

    /// Lays the variables `XOS_SYNC_<SECTION>__<KEY>` over what is there.
    pub(crate) fn add_environment(&mut self, environment: &Environment) {
        for (variable, value) in environment.starting_with(PREFIX) {
            if variable == LOG_LEVEL_VARIABLE || from_kubernetes(variable) {
                continue;
            }
            let origin = Origin::Variable(variable.to_owned());
            let path = variable[PREFIX.len()..].to_ascii_lowercase().replace("__", ".");
            let Some(key) = keys::find(&path.split('.').collect::<Vec<_>>()) else {
                self.unknown_variable(variable, &origin);
                continue;
            };
            let Some(text) = value.to_str() else {
                self.problems.push(Problem::new(&origin, "the value is not UTF-8").key(key.path));
                continue;
            };
            match variable_value(key.kind, text, &origin) {
                Some(value) => self.set(&path, &origin, value),
                None => self.problems.push(
                    Problem::new(&origin, format!("{path} cannot be set by a variable"))
                        .key(path)
                        .hint("use the config file or an override file"),
                ),
            }
        }
    }

    /// A typing mistake is told apart from a variable that is not for us by its two underscores.
    fn unknown_variable(&mut self, variable: &str, origin: &Origin) {
        let names: Vec<String> = keys::all().filter(|key| key.is_leaf()).map(variable_name).collect();
        let mut problem = Problem::new(origin, "unknown variable");
        if let Some(name) = closest(variable, names.iter().map(String::as_str)) {
            problem = problem.hint(format!("did you mean {name}?"));
        }
        if variable[PREFIX.len()..].contains("__") {
            self.problems.push(problem);
        } else {
            self.warnings.push(problem);
        }
    }

    /// Puts one value over what is there.
    pub(crate) fn set(&mut self, path: &str, origin: &Origin, value: Value) {
        let node = match path.split_once('.') {
            None => Value::Map(vec![Entry::new(path, origin, value)]),
            Some((section, key)) => {
                let inner = Value::Map(vec![Entry::new(key, origin, value)]);
                Value::Map(vec![Entry::new(section, origin, inner)])
            }
        };
        self.root.overlay(Node { origin: origin.clone(), value: node });
    }

    /// Compares everything that is there with the key table.
    pub(crate) fn check(&mut self) {
        let Self { root, problems, warnings } = self;
        check_map(root, &[], false, problems, warnings);
    }

    /// The value at `path`; absent, empty or of another type is `None`.
    pub(crate) fn get<T: Setting>(&self, path: &str) -> Option<T> {
        T::read(self.root.at(path)?)
    }

    pub(crate) fn node(&self, path: &str) -> Option<&Node> {
        self.root.at(path)
    }

    /// Where the value at `path` was written.
    pub(crate) fn origin(&self, path: &str) -> Option<Origin> {
        self.root.at(path).map(|node| node.origin.clone())
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn warn(&mut self, problem: Problem) {
        self.warnings.push(problem);
    }
}

/// The variable that sets `key`.
fn variable_name(key: &Key) -> String {
    format!("{PREFIX}{}", key.path.to_ascii_uppercase().replace('.', "__"))
}

/// Kubernetes sets these for a service that happens to be called `xos-sync`.
fn from_kubernetes(variable: &str) -> bool {
    let rest = &variable[PREFIX.len()..];
    !rest.contains("__") && (rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_"))
}

/// The text of a variable as a value of that kind; `None` where no text can be one.
fn variable_value(kind: Kind, text: &str, origin: &Origin) -> Option<Value> {
    let value = match kind {
        Kind::Text
        | Kind::Secret
        | Kind::Path
        | Kind::Choice(_)
        | Kind::Period { .. }
        | Kind::Level
        | Kind::Switch => Value::Text(text.to_owned()),
        Kind::Count { .. } => text.trim().parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Whole),
        Kind::Names => Value::List(
            text.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(|name| Node { origin: origin.clone(), value: Value::Text(name.to_owned()) })
                .collect(),
        ),
        Kind::Section | Kind::List | Kind::Anything => return None,
    };
    Some(value)
}

/// Checks one map; `quiet` where a section above has been warned about already.
fn check_map(
    map: &Node,
    path: &[&str],
    quiet: bool,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    for entry in map.entries() {
        let path: Vec<&str> = path.iter().copied().chain([entry.key.as_str()]).collect();
        let dotted = path.join(".");
        let Some(key) = keys::find(&path) else {
            problems.push(unknown_key(entry, &path));
            continue;
        };
        if matches!(entry.node.value, Value::Nothing) {
            continue;
        }
        if let Err((message, hint)) = key.kind.check(&entry.node) {
            let (message, hint) = match (entry.node.text(), dotted.as_str()) {
                (Some(kind), "accessor.kind") => {
                    let known = keys::KINDS.join(", ");
                    (format!("unknown accessor kind \"{kind}\"; allowed are {known}"), hint)
                }
                (Some(kind), "event_bus.kind") => {
                    let (message, hint) = super::event_bus::unknown_kind(kind);
                    (message, Some(hint))
                }
                _ => (format!("{dotted} {message}"), hint),
            };
            let mut problem = Problem::new(&entry.origin, message).key(&dotted);
            problem.hint = hint;
            problems.push(problem);
            continue;
        }
        let mut quiet = quiet;
        if let Standing::Ignored(why) = key.standing {
            if !quiet {
                let message = format!("{dotted} means nothing here: {why}");
                warnings.push(Problem::new(&entry.origin, message).key(&dotted));
            }
            quiet = true;
        }
        if matches!(key.kind, Kind::Section) && !super::dictionary::is_foreign(key, &entry.node) {
            check_map(&entry.node, &path, quiet, problems, warnings);
        }
    }
}

/// A key that is not in the table, with the one that was probably meant.
fn unknown_key(entry: &Entry, path: &[&str]) -> Problem {
    let dotted = path.join(".");
    let problem = Problem::new(&entry.origin, format!("unknown key \"{dotted}\"")).key(&dotted);
    let section = &path[..path.len() - 1];
    let siblings = keys::all().filter(|key| key.is_in(section)).map(Key::name);
    let elsewhere = || {
        keys::all().find(|key| key.name() == entry.key && key.is_leaf() && key.standing == Standing::Works)
    };
    let meant = closest(&entry.key, siblings)
        .map(|name| section.iter().copied().chain([name.as_str()]).collect::<Vec<_>>().join("."))
        .or_else(|| elsewhere().map(|key| key.path.to_owned()));
    match meant {
        Some(meant) => problem.hint(format!("did you mean \"{meant}\"?")),
        None => problem,
    }
}

impl Key {
    /// Its last segment.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// Whether it stands directly in that section.
    fn is_in(&self, section: &[&str]) -> bool {
        let segments: Vec<&str> = self.path.split('.').collect();
        segments.len() == section.len() + 1
            && segments.iter().zip(section).all(|(pattern, name)| pattern == name || *pattern == "*")
            && !self.path.ends_with('*')
    }

    /// Whether a variable can set it.
    pub(crate) fn is_leaf(&self) -> bool {
        !self.path.contains('*') && !matches!(self.kind, Kind::Section | Kind::List | Kind::Anything)
    }
}

impl Setting for String {
    fn read(node: &Node) -> Option<Self> {
        node.text().map(str::to_owned)
    }
}

impl Setting for PathBuf {
    fn read(node: &Node) -> Option<Self> {
        node.text().map(|path| node.origin.resolve(path))
    }
}

impl Setting for bool {
    fn read(node: &Node) -> Option<Self> {
        keys::switch(node)
    }
}

impl Setting for usize {
    fn read(node: &Node) -> Option<Self> {
        match node.value {
            Value::Whole(count) => usize::try_from(count).ok(),
            _ => None,
        }
    }
}

impl Setting for Duration {
    fn read(node: &Node) -> Option<Self> {
        keys::period(node)
    }
}

impl Setting for Vec<String> {
    fn read(node: &Node) -> Option<Self> {
        match &node.value {
            Value::List(items) => items.iter().map(String::read).collect(),
            _ => None,
        }
    }
}
