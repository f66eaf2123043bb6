//! The table of all keys: what is accepted, read and documented comes from here.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

use super::logging::LogLevel;
use super::node::{Node, Value};

/// One key of the config file.
pub(crate) struct Key {
    /// Its path with dots; `*` stands for any name.
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// Its default, as it would be written; empty where there is none.
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) standing: Standing,
}

/// What a key does here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It has an effect.
    Works,
    /// It is accepted without a word, and without an effect.
    Silent,
    /// It is accepted with a warning that gives this reason.
    Ignored(&'static str),
}

/// What a value must look like.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A map with keys of its own.
    Section,
    Text,
    /// A text that must not be shown.
    Secret,
    /// A path, relative to the file it is written in.
    Path,
    Switch,
    Count {
        min: i128,
        max: i128,
        unit: &'static str,
    },
    /// A duration with its unit.
    Period {
        zero: bool,
    },
    /// A list of texts.
    Names,
    Choice(&'static [&'static str]),
    /// A log level, by name or by Python's number.
    Level,
    List,
    Anything,
}

const PROGRAM: &str = "models and steps are named in the program";
const OPENSTACK: &str = "it belongs to the OpenStack era";

const fn works(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc, standing: Standing::Works }
}

const fn silent(path: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { path, kind, default: "", doc, standing: Standing::Silent }
}

const fn ignored(path: &'static str, kind: Kind, why: &'static str) -> Key {
    Key { path, kind, default: "", doc: "", standing: Standing::Ignored(why) }
}

/// Every key, section by section; the sections `engine` and `event_bus` are beside their structs.
#[rustfmt::skip]
const KEYS: &[Key] = &[
    works("name", Kind::Text, "the synchronizer's", "Name of the service. It also names the default database."),
    works("core_version", Kind::Text, "", "Semantic version requirement that the core must meet, e.g. `>=4.0.0`, or two joined by `~`: `>=4.0.0~<5.0.0`."),
    works("desired_state", Kind::Choice(&["load", "unload"]), "load", "`load` puts the models into the core and synchronizes; `unload` takes them out."),
    works("dependency_graph", Kind::Path, "", "File with dependencies between models beside their links: `{\"A\": [[\"B\", \"b\", \"a\"]]}`."),
    works("required_models", Kind::Names, "[]", "Models that must be in the core before the first step runs."),
    works("models_dir", Kind::Path, "", "Folder with the files of an existing service, sent to a remote core as the Python framework sends them: `*.xproto`, `models.py`, `attic/*.py`, `convenience/*.py`, `../migrations/*.py`. A folder that is not there is no mistake: the models are those of the program."),
    ignored("steps_dir", Kind::Text, PROGRAM),
    ignored("pull_steps_dir", Kind::Text, PROGRAM),
    ignored("event_steps_dir", Kind::Text, PROGRAM),
    ignored("model_policies_dir", Kind::Text, PROGRAM),
    ignored("wrappers", Kind::Names, "convenience methods are Rust traits, named in the program"),
    ignored("xos_dir", Kind::Text, "nothing is installed there"),
    ignored("config_dir", Kind::Text, "the Python framework cannot read it either"),
    ignored("backoff_disabled", Kind::Switch, "backoff is always on; see engine.first_retry"),
    ignored("blueprints", Kind::List, "nothing reads it"),
    ignored("link_graph", Kind::Text, "nothing reads it"),
    ignored("error_map_path", Kind::Text, OPENSTACK),
    ignored("images_directory", Kind::Text, OPENSTACK),
    ignored("feefie", Kind::Section, "nothing reads it"),
    silent("feefie.client_id", Kind::Text, ""),
    silent("feefie.client_user", Kind::Text, ""),
    silent("feefie.user_id", Kind::Text, ""),
    ignored("nova", Kind::Section, OPENSTACK),
    silent("nova.enabled", Kind::Switch, ""),
    silent("nova.ca_ssl_cert", Kind::Text, ""),
    silent("nova.default_flavor", Kind::Text, ""),
    silent("nova.default_security_group", Kind::Text, ""),

    works("accessor", Kind::Section, "", "Which core to use and how to reach it."),
    works("accessor.kind", Kind::Choice(KINDS), "see above", "`embedded`: the core inside this process, on a file. `testframework`: the same in memory. `grpcapi`: a core on the network."),
    works("accessor.database", Kind::Path, "`<name>.db` in the current folder", "Database file of the embedded core; or the URL of a PostgreSQL database, `postgres://user:password@host/name` (needs the feature `postgres`), on which several programs may work at once. A URL is never printed."),
    works("accessor.durability", Kind::Choice(&["normal", "full"]), "normal", "What an acknowledged write of the embedded core survives: `normal` the death of the process, `full` loss of power too (each commit waits for the disk)."),
    works("accessor.socket", Kind::Path, "`<database>.sock`, beside a database file", "Unix socket on which the embedded core is served, mode 0600: for the verbs, and for every gRPC client of this user. A socket's path has about 100 bytes at most. For PostgreSQL only where it is given."),
    works("accessor.listen", Kind::Text, "", "`address:port` on which the embedded core is served to users with a password. Without a certificate only addresses of this machine, such as `127.0.0.1:50055`."),
    works("accessor.listen_cert", Kind::Path, "", "Certificate for `listen`, PEM; needs `listen_key`."),
    works("accessor.listen_key", Kind::Path, "", "Key of that certificate, PEM."),
    works("accessor.admin_password", Kind::Secret, "", "The password of the administrator `admin@opencord.org`, for the first start with `listen`; there is no built-in one. `\"@FILE\"` takes the first line of that file. Never printed."),
    works("accessor.endpoint", Kind::Text, super::accessor::DEFAULT_ENDPOINT, "`host:port` of a remote core, with TLS; `http://host:port` is without TLS; `unix:/path` is the socket of a core on this machine."),
    works("accessor.username", Kind::Text, "", "User name at a remote core."),
    works("accessor.password", Kind::Secret, "", "Password at a remote core. `\"@FILE\"` (with the quotes) takes the first line of that file, and reads it again when the core does not take it any more. Never printed."),
    works("accessor.login", Kind::Choice(&["auto", "basic", "session"]), "auto", "How the user is shown to a remote core: `basic` with each call, `session` by a login; `auto` is `basic` unless the password has a colon, which the core 4.0.4 takes only at a login."),
    works("accessor.ca_file", Kind::Path, "`/usr/local/share/ca-certificates/local_certs.crt` if it is there, else the system's", "Certificate of the authority that signed the remote core's certificate."),
    works("accessor.server_name", Kind::Text, "the endpoint's host", "The name in the remote core's certificate, where it is not the endpoint's host."),
    works("accessor.cert_file", Kind::Path, "", "Certificate that a remote core asks of its clients; needs `key_file`."),
    works("accessor.key_file", Kind::Path, "", "Key of that certificate."),
    works("accessor.call_deadline", Kind::Period { zero: false }, "30 s", "How long a remote core may take for one object."),
    works("accessor.list_deadline", Kind::Period { zero: false }, "5 min", "How long a remote core may take for a list; the core 4.0.4 needs about 10 ms for each object."),
    works("accessor.connect_timeout", Kind::Period { zero: false }, "5 s", "How long connecting to a remote core may take."),
    works("accessor.in_flight", Kind::Count { min: 1, max: 1000, unit: "calls" }, "4", "How many calls are made to a remote core at the same time; the core 4.0.4 gets slower above 4."),
    works("accessor.max_message_size", Kind::Count { min: 1, max: 2047, unit: "MiB" }, "64", "The largest answer that is taken from a remote core, in MiB; a list of 12,000 objects has about 4."),

    works("engine", Kind::Section, "", "How steps are run."),

    works("sys_dir", Kind::Path, "`<name>.sys` in the current folder", "Folder for what playbooks need: the rendered files while one runs, a hash of what was applied last to each object, and what is kept. Made with mode 0700. Without it, playbooks run once more."),
    works("keep_temp_files", Kind::Switch, "false", "Keeps playbook, variables and inventory of each run, as they were rendered, under `sys_dir`; the log names the folder. They may hold secrets."),
    works("save_ansible_output", Kind::Switch, "false", "Keeps what `ansible-playbook` printed in the last run of each object, under `sys_dir`; log line and error name the file. Known secrets are masked."),
    works("node_key", Kind::Path, "those of ssh itself", "ssh key for hosts whose step names none. ssh wants mode 0600."),
    works("proxy_ssh", Kind::Section, "", "How hosts are reached that are behind another one."),
    works("proxy_ssh.enabled", Kind::Switch, "as the step says", "`true`: where a step names a host in between, it is used with the user and key below, unless the step says others. `false`: all hosts are reached directly."),
    works("proxy_ssh.user", Kind::Text, "root", "User at the host in between."),
    works("proxy_ssh.key", Kind::Path, "those of ssh itself", "ssh key for the host in between."),
    works("ansible", Kind::Section, "", "How playbooks are run."),
    works("ansible.program", Kind::Text, "ansible-playbook", "The program; a name is looked for on the `PATH`, a relative path starts at the current folder."),
    works("ansible.config", Kind::Path, "", "An `ansible.cfg` of yours. No other is read."),
    works("ansible.deadline", Kind::Period { zero: false }, "", "How long one playbook may take; then it is ended with all that it started. `engine.step_deadline` limits it too."),
    works("ansible.check", Kind::Switch, "false", "A dry run: playbooks only say what they would change (`--check --diff`), in the log. No object becomes OK, none is deleted."),

    works("logging", Kind::Section, "", "Python logging dictionary: where log lines go, and how."),
    silent("logging.version", Kind::Count { min: 1, max: 1, unit: "" }, "Always 1."),
    silent("logging.disable_existing_loggers", Kind::Switch, "No effect."),
    ignored("logging.incremental", Kind::Switch, "a configuration is always complete"),
    ignored("logging.filters", Kind::Anything, "it names Python classes"),
    silent("logging.formatters", Kind::Anything, "Accepted; a handler that names one of them writes `structured` lines. Built in: `structured`, `structured-color`, `json`."),
    works("logging.handlers", Kind::Section, "one, on stderr", "The outputs, by name."),
    works("logging.handlers.*", Kind::Section, "", "One output."),
    works("logging.handlers.*.class", Kind::Text, "required", "`logging.StreamHandler`, `logging.FileHandler` or `logging.handlers.RotatingFileHandler`; any other, `kafkaloghandler.KafkaLogHandler` too, is left out with a warning."),
    works("logging.handlers.*.level", Kind::Level, "NOTSET", "Least important lines this output writes."),
    works("logging.handlers.*.formatter", Kind::Text, "structured", "`structured` (coloured on a terminal), `structured-color` or `json`."),
    works("logging.handlers.*.stream", Kind::Choice(&["ext://sys.stderr", "ext://sys.stdout"]), "ext://sys.stderr", "Where a `StreamHandler` writes."),
    works("logging.handlers.*.filename", Kind::Path, "required", "The file of a file handler; its folder must exist."),
    works("logging.handlers.*.maxBytes", Kind::Count { min: 0, max: 1 << 40, unit: "bytes" }, "0", "Size after which a `RotatingFileHandler` puts its file aside; 0: never."),
    works("logging.handlers.*.backupCount", Kind::Count { min: 0, max: 10_000, unit: "files" }, "0", "How many old files a `RotatingFileHandler` keeps; 0: the file is never put aside."),
    silent("logging.handlers.*.mode", Kind::Choice(&["a"]), "Files are appended to."),
    silent("logging.handlers.*.encoding", Kind::Choice(&["utf-8", "utf8", "UTF-8", "UTF8"]), "Files are UTF-8."),
    silent("logging.handlers.*.delay", Kind::Switch, "No effect."),
    ignored("logging.handlers.*.filters", Kind::Anything, "it names Python classes"),
    works("logging.loggers", Kind::Section, "", "`multistructlog`, else `''`, decides; any other is left out with a warning."),
    works("logging.loggers.*", Kind::Section, "", "Level and outputs of one logger."),
    works("logging.loggers.*.level", Kind::Level, "the root logger's", "Least important lines that are logged at all."),
    works("logging.loggers.*.handlers", Kind::Names, "all", "Names of its outputs."),
    works("logging.loggers.*.propagate", Kind::Switch, "true", "Whether the outputs of the root logger get the lines of `multistructlog` too."),
    ignored("logging.loggers.*.filters", Kind::Anything, "it names Python classes"),
    works("logging.root", Kind::Section, "", "The root logger: the same as `''` among the loggers."),
    works("logging.root.level", Kind::Level, "INFO", "Least important lines that are logged at all."),
    works("logging.root.handlers", Kind::Names, "all", "Names of its outputs."),
];

/// The kinds of core, as they are written.
pub(crate) const KINDS: &[&str] = &["embedded", "testframework", "grpcapi"];

/// Every key, in the order of the documentation.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    let (before, after) =
        KEYS.split_at(KEYS.iter().position(|key| key.path == "logging").unwrap_or(KEYS.len()));
    before.iter().chain(super::engine::KEYS).chain(super::event_bus::KEYS).chain(after)
}

/// The key at `path`, of which a segment may match `*`.
pub(crate) fn find(path: &[&str]) -> Option<&'static Key> {
    all().find(|key| key.matches(path))
}

impl Key {
    fn matches(&self, path: &[&str]) -> bool {
        let mut mine = self.path.split('.');
        path.iter().all(|name| mine.next().is_some_and(|pattern| pattern == "*" || pattern == *name))
            && mine.next().is_none()
    }
}

impl Kind {
    /// Whether `node` is such a value: else what was expected and, where it helps, what to do.
    pub(crate) fn check(self, node: &Node) -> Result<(), (String, Option<String>)> {
        let wrong = |expected: &str| Err((format!("must be {expected}, not {}", node.kind()), None));
        // Only of kinds that cannot be a secret is the value itself shown.
        let not_this = |expected: &str| match &node.value {
            Value::Text(text) => Err((format!("must be {expected}, not \"{text}\""), None)),
            _ => wrong(expected),
        };
        match (self, &node.value) {
            (Self::Anything, _) | (Self::Section, Value::Map(_)) | (Self::List, Value::List(_)) => Ok(()),
            (Self::Section, _) => wrong("a map of keys"),
            (Self::List, _) => wrong("a list"),
            (Self::Path, Value::Text(path)) if path.is_empty() => Err(("must not be empty".to_owned(), None)),
            (Self::Text | Self::Secret | Self::Path, Value::Text(_)) => Ok(()),
            (Self::Text | Self::Secret | Self::Path, Value::Switch(_) | Value::Whole(_) | Value::Number) => {
                Err((
                    format!("must be text, not {}", node.kind()),
                    Some("put the value in quotes".to_owned()),
                ))
            }
            (Self::Text | Self::Secret | Self::Path, _) => wrong("text"),
            (Self::Switch, _) => switch(node).map_or_else(|| not_this("true or false"), |_| Ok(())),
            (Self::Count { min, max, .. }, Value::Whole(count)) if (min..=max).contains(count) => Ok(()),
            (Self::Count { min, max, .. }, Value::Whole(count)) if min == max => {
                Err((format!("must be {min}, not {count}"), None))
            }
            (Self::Count { min, max, .. }, Value::Whole(count)) => {
                Err((format!("must be from {min} to {max}, not {count}"), None))
            }
            (Self::Count { .. }, _) => not_this("a whole number"),
            (Self::Period { zero }, _) => check_period(node, zero),
            (Self::Names, Value::List(items)) => match items.iter().find(|item| item.text().is_none()) {
                None => Ok(()),
                Some(item) => Err((format!("must be a list of texts, but one is {}", item.kind()), None)),
            },
            (Self::Names, _) => wrong("a list of texts"),
            (Self::Choice(choices), Value::Text(text)) if choices.contains(&text.as_str()) => Ok(()),
            (Self::Choice(choices), Value::Text(text)) => {
                Err((format!("must be one of {}, not \"{text}\"", choices.join(", ")), None))
            }
            (Self::Choice(choices), _) => wrong(&format!("one of {}", choices.join(", "))),
            (Self::Level, _) => level(node).map_or_else(
                || not_this("one of CRITICAL, ERROR, WARNING, INFO, DEBUG, TRACE, NOTSET"),
                |_| Ok(()),
            ),
        }
    }

    /// The kind in words, for the documentation.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Section => "section".to_owned(),
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Switch => "true, false".to_owned(),
            Self::Count { min, max, unit: "" } if min == max => min.to_string(),
            Self::Count { min, max, unit } => format!("{min} to {max} {unit}"),
            Self::Period { zero: false } => "duration".to_owned(),
            Self::Period { zero: true } => "duration, may be 0".to_owned(),
            Self::Names => "list of texts".to_owned(),
            Self::Choice(choices) => choices.join(", "),
            Self::Level => "level".to_owned(),
            Self::List => "list".to_owned(),
            Self::Anything => "anything".to_owned(),
        }
    }
}

/// A switch, also in the words YAML 1.1 knows.
pub(crate) fn switch(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Switch(on) => Some(*on),
        Value::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A level as it is written.
pub(crate) enum Threshold {
    /// `NOTSET`: whatever stands behind decides.
    NotSet,
    From(LogLevel),
}

/// A level by its Python name or number.
pub(crate) fn level(node: &Node) -> Option<Threshold> {
    let level = match &node.value {
        Value::Text(text) => match text.to_ascii_uppercase().as_str() {
            "NOTSET" => return Some(Threshold::NotSet),
            "TRACE" => LogLevel::Trace,
            "DEBUG" => LogLevel::Debug,
            "INFO" => LogLevel::Info,
            "WARN" | "WARNING" => LogLevel::Warn,
            "ERROR" | "CRITICAL" | "FATAL" => LogLevel::Error,
            _ => return None,
        },
        Value::Whole(0) => return Some(Threshold::NotSet),
        Value::Whole(5) => LogLevel::Trace,
        Value::Whole(10) => LogLevel::Debug,
        Value::Whole(20) => LogLevel::Info,
        Value::Whole(30) => LogLevel::Warn,
        Value::Whole(40 | 50) => LogLevel::Error,
        _ => return None,
    };
    Some(Threshold::From(level))
}

/// Longest duration that is accepted: a year of 365 days. More is a mistake, and would overflow a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration such as `5 s`, `10m` or `1 hour 30 minutes`; days and more have no fixed length.
pub(crate) fn period(node: &Node) -> Option<Duration> {
    static PARSER: SpanParser = SpanParser::new();
    match &node.value {
        Value::Whole(0) => Some(Duration::ZERO),
        Value::Text(text) if text.trim() == "0" => Some(Duration::ZERO),
        Value::Text(text) => PARSER.parse_unsigned_duration(text.trim()).ok(),
        _ => None,
    }
}

fn check_period(node: &Node, zero: bool) -> Result<(), (String, Option<String>)> {
    const HOW: &str = "write it as 500 ms, 5 s, 10 min or 1 h 30 min";
    let unit = |number: &str| {
        Err(("needs a unit".to_owned(), Some(format!("write \"{number} s\" or \"{number} min\""))))
    };
    match (period(node), &node.value) {
        (Some(Duration::ZERO), _) if !zero => Err(("must be longer than 0".to_owned(), None)),
        (Some(length), _) if length > LONGEST => Err(("must not be longer than 365 days".to_owned(), None)),
        (Some(_), _) => Ok(()),
        (None, Value::Whole(number)) if *number > 0 => unit(&number.to_string()),
        (None, Value::Text(text)) if text.parse::<u64>().is_ok() => unit(text),
        (None, Value::Text(text)) => {
            Err((format!("must be a duration, not \"{text}\""), Some(HOW.to_owned())))
        }
        (None, _) => Err((format!("must be a duration, not {}", node.kind()), Some(HOW.to_owned()))),
    }
}
