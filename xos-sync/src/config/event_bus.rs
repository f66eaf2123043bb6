//! How programs tell each other what happened: the section `event_bus`.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::accessor::{needs_the_other, read_secret};
use super::error::{Origin, Problem};
use super::keys::{Key, Kind, Standing};
use super::tree::Tree;

/// The kinds of bus, as they are written.
const KINDS: &[&str] = &["memory", "kafka"];

/// The ways to show a user to a broker, as they are written.
const MECHANISMS: &[&str] = &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// The broker's port where an endpoint has none.
const PORT: u16 = 9092;

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, doc, standing: Standing::Works }
}

/// The keys of the section, and the one of the Python framework's producer.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("event_bus", Kind::Section, "", "How programs tell each other what happened."),
    key("event_bus.kind", Kind::Choice(KINDS), "memory", "`memory`: a bus inside this process; nothing of it survives the process. `kafka`: brokers on the network (needs the feature `kafka`)."),
    key("event_bus.endpoint", Kind::Text, "`kafka_bootstrap_servers`", "Brokers to begin with, `host:port` with commas between them, also `kafka://host:port`; without a port it is 9092. Needed with `kind: kafka`."),
    key("event_bus.gui_events", Kind::Switch, "true", "With Kafka: an embedded core publishes each change on the topic `xos.gui_events`, as the core 4.0.4 does; a remote core's events there wake steps at once, instead of at the next poll."),
    key("event_bus.session_timeout", Kind::Period { zero: false }, "10 s", "How long a broker waits for a program that has died before another one gets its events; 6 s at least with most brokers."),
    key("event_bus.tls", Kind::Switch, "true where one of the files below is given", "Whether brokers are reached over TLS. TLS and passwords need the feature `kafka-tls`."),
    key("event_bus.ca_file", Kind::Path, "the system's", "Certificate of the authority that signed the brokers' certificates, PEM."),
    key("event_bus.cert_file", Kind::Path, "", "Certificate that brokers ask of their clients, PEM; needs `key_file`."),
    key("event_bus.key_file", Kind::Path, "", "Key of that certificate, PEM."),
    key("event_bus.username", Kind::Text, "", "User name at the brokers (SASL); needs `password`."),
    key("event_bus.password", Kind::Secret, "", "Password at the brokers. `\"@FILE\"` (with the quotes) takes the first line of that file. Never printed."),
    key("event_bus.sasl_mechanism", Kind::Choice(MECHANISMS), "PLAIN", "How the user is shown to the brokers."),
    key("kafka_bootstrap_servers", Kind::Names, "[]", "Brokers to begin with, where `event_bus.endpoint` says nothing."),
];

/// How programs tell each other what happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EventBus {
    /// The kind of bus.
    pub kind: EventBusKind,
    /// With Kafka, the brokers to begin with, as `host:port`; never empty when it was read from a file.
    pub brokers: Vec<String>,
    /// With Kafka, whether an embedded core publishes its changes on `xos.gui_events`, and those of a remote core
    /// wake steps.
    pub gui_events: bool,
    /// How long a broker waits for a program that has died before another one gets its events.
    pub session_timeout: Duration,
    /// Whether brokers are reached over TLS.
    pub tls: bool,
    /// Certificate of the authority that signed the brokers' certificates; unset: those of the system.
    pub ca_file: Option<PathBuf>,
    /// Certificate that brokers ask of their clients.
    pub cert_file: Option<PathBuf>,
    /// Key of that certificate.
    pub key_file: Option<PathBuf>,
    /// User name at the brokers.
    pub username: Option<String>,
    /// Password at the brokers; never printed.
    pub password: Option<SecretString>,
    /// How the user is shown to the brokers.
    pub sasl_mechanism: SaslMechanism,
}

/// The kind of event bus.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventBusKind {
    /// Inside this process: nothing is left when it ends.
    #[default]
    Memory,
    /// Kafka.
    Kafka,
}

/// How a user is shown to Kafka's brokers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaslMechanism {
    /// The password as it is.
    #[default]
    Plain,
    /// A proof that the password is known, by SHA-256.
    ScramSha256,
    /// A proof that the password is known, by SHA-512.
    ScramSha512,
}

impl Default for EventBus {
    /// The bus in this process.
    fn default() -> Self {
        EventBus {
            kind: EventBusKind::Memory,
            brokers: Vec::new(),
            gui_events: true,
            session_timeout: Duration::from_secs(10),
            tls: false,
            ca_file: None,
            cert_file: None,
            key_file: None,
            username: None,
            password: None,
            sasl_mechanism: SaslMechanism::Plain,
        }
    }
}

impl EventBus {
    /// Kafka, with these brokers to begin with (`host:port`) and no TLS.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_sync::config::{Config, EventBus, EventBusKind};
    ///
    /// let mut config = Config::in_memory();
    /// config.event_bus = EventBus::kafka(["localhost:9092"]);
    /// assert_eq!(config.event_bus.kind, EventBusKind::Kafka);
    /// ```
    pub fn kafka<B: Into<String>>(brokers: impl IntoIterator<Item = B>) -> Self {
        let brokers = brokers.into_iter().map(Into::into).collect();
        EventBus { kind: EventBusKind::Kafka, brokers, ..EventBus::default() }
    }

    /// Whether brokers are reached over TLS, or are shown a user.
    pub fn is_secured(&self) -> bool {
        self.tls || self.username.is_some()
    }

    /// What the section says; problems and warnings go to `tree`.
    pub(super) fn read(tree: &mut Tree) -> Self {
        let default = EventBus::default();
        match tree.get::<String>("event_bus.kind").as_deref() {
            Some("kafka") => {}
            Some(_) => {
                warn_of_unused(tree);
                return default;
            }
            None => {
                // The Python framework's event engine is idle then; here it would be a bus that nobody else hears.
                if let (Some(origin), None) = (tree.origin("event_bus.endpoint"), tree.node("event_bus.kind"))
                {
                    let message = "Eventbus kind is not configured in synchronizer config file.";
                    let problem = Problem::new(&origin, message).key("event_bus.kind");
                    tree.problem(problem.hint("add event_bus.kind: kafka"));
                } else {
                    warn_of_unused(tree);
                }
                return default;
            }
        }
        let files = ["event_bus.ca_file", "event_bus.cert_file", "event_bus.key_file"];
        let has_files = files.iter().any(|key| tree.node(key).is_some());
        let tls = tree.get("event_bus.tls").unwrap_or(has_files);
        needs_the_other(tree, ["event_bus.cert_file", "event_bus.key_file"]);
        needs_the_other(tree, ["event_bus.username", "event_bus.password"]);
        for key in files.into_iter().filter(|_| !tls) {
            refuse_if_given(tree, key, "means nothing with event_bus.tls: false");
        }
        if tree.node("event_bus.username").is_none() {
            refuse_if_given(tree, "event_bus.sasl_mechanism", "needs event_bus.username");
        }
        let username: Option<String> = tree.get("event_bus.username");
        if let Some(origin) = tree.origin("event_bus.password").filter(|_| username.is_some() && !tls) {
            let message = "event_bus.tls is off: what is published and read, and with PLAIN the password, cross the \
                           network in the clear";
            tree.warn(Problem::new(&origin, message).key("event_bus.password"));
        }
        EventBus {
            kind: EventBusKind::Kafka,
            brokers: read_brokers(tree),
            gui_events: tree.get("event_bus.gui_events").unwrap_or(default.gui_events),
            session_timeout: tree.get("event_bus.session_timeout").unwrap_or(default.session_timeout),
            tls,
            ca_file: tree.get("event_bus.ca_file"),
            cert_file: tree.get("event_bus.cert_file"),
            key_file: tree.get("event_bus.key_file"),
            username,
            password: read_secret(tree, "event_bus.password").0,
            sasl_mechanism: match tree.get::<String>("event_bus.sasl_mechanism").as_deref() {
                Some("SCRAM-SHA-256") => SaslMechanism::ScramSha256,
                Some("SCRAM-SHA-512") => SaslMechanism::ScramSha512,
                _ => SaslMechanism::Plain,
            },
        }
    }
}

impl EventBusKind {
    /// As it is written in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Kafka => "kafka",
        }
    }
}

impl SaslMechanism {
    /// As it is written in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// What is said of a kind that nobody knows, in the words of the Python framework, and what to do.
pub(super) fn unknown_kind(kind: &str) -> (String, String) {
    (
        "Eventbus kind is set to a technology we do not implement.".to_owned(),
        format!("event_bus.kind must be one of {}, not \"{kind}\"", KINDS.join(", ")),
    )
}

/// Keys of Kafka are accepted; nobody should believe that they do something.
fn warn_of_unused(tree: &mut Tree) {
    for key in KEYS.iter().filter(|key| key.is_leaf() && key.path != "event_bus.kind") {
        if let Some(origin) = tree.origin(key.path) {
            let message = format!("{} means nothing without event_bus.kind: kafka", key.path);
            tree.warn(Problem::new(&origin, message).key(key.path));
        }
    }
}

fn refuse_if_given(tree: &mut Tree, key: &'static str, why: &str) {
    if let Some(origin) = tree.origin(key) {
        tree.problem(Problem::new(&origin, format!("{key} {why}")).key(key));
    }
}

/// The brokers of the section, else those of the Python framework's producer.
fn read_brokers(tree: &mut Tree) -> Vec<String> {
    const ENDPOINT: &str = "event_bus.endpoint";
    const SERVERS: &str = "kafka_bootstrap_servers";
    let servers: Vec<String> = tree.get(SERVERS).unwrap_or_default();
    let (key, written): (_, Vec<String>) = match tree.get::<String>(ENDPOINT) {
        Some(endpoint) => (ENDPOINT, endpoint.split(',').map(str::to_owned).collect()),
        None if !servers.is_empty() => (SERVERS, servers.clone()),
        None => {
            let origin = tree.origin("event_bus.kind").unwrap_or_default();
            let message = "Eventbus endpoint is not configured in synchronizer config file.";
            tree.problem(
                Problem::new(&origin, message).key(ENDPOINT).hint("add event_bus.endpoint: host:port"),
            );
            return Vec::new();
        }
    };
    let origin = tree.origin(key).unwrap_or_default();
    let mut brokers = Vec::with_capacity(written.len());
    for text in written {
        match broker(text.trim()) {
            Ok(broker) => brokers.push(broker),
            Err(problem) => tree.problem(wrong_broker(&origin, key, &problem)),
        }
    }
    let others = servers.iter().filter_map(|text| broker(text.trim()).ok());
    if key == ENDPOINT && others.into_iter().any(|other| !brokers.contains(&other)) {
        let origin = tree.origin(SERVERS).unwrap_or_default();
        let message = "kafka_bootstrap_servers means nothing beside event_bus.endpoint";
        tree.warn(Problem::new(&origin, message).key(SERVERS));
    }
    brokers
}

fn wrong_broker(origin: &Origin, key: &'static str, problem: &str) -> Problem {
    Problem::new(origin, format!("{key} {problem}"))
        .key(key)
        .hint("write host:port, for several with commas between them")
}

/// One broker as `host:port`.
fn broker(text: &str) -> Result<String, String> {
    let place = text.strip_prefix("kafka://").unwrap_or(text).trim_end_matches('/');
    if place.contains('@') {
        // Whatever it is, it may hold a password.
        return Err("must not hold a user; there are event_bus.username and event_bus.password".to_owned());
    }
    let wrong = || format!("must name brokers, not \"{text}\"");
    let (host, port) = match place.rsplit_once(':') {
        // An address of IP version 6 is in brackets.
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?)
        }
        _ => (place, PORT),
    };
    let is_name = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let is_v6 =
        |host: &str| host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(is_address);
    if !is_name(host) && !is_v6(host) {
        return Err(wrong());
    }
    Ok(format!("{host}:{port}"))
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Folder;
    use super::*;

    fn load(text: &str) -> Result<EventBus, String> {
        Folder::with(&[("config.yaml", text)]).load(&[]).map(|config| config.event_bus)
    }

    #[test]
    fn the_bus_in_this_process_is_the_default() {
        let bus = load("name: a").unwrap();
        assert_eq!((bus.kind, bus.brokers.len()), (EventBusKind::Memory, 0));
    }

    #[test]
    fn brokers_are_read_as_they_are_written() {
        fn check(endpoint: &str, expected: &[&str]) {
            let bus = load(&format!("event_bus: {{kind: kafka, endpoint: \"{endpoint}\"}}")).unwrap();
            assert_eq!(
                (bus.kind, bus.brokers),
                (EventBusKind::Kafka, expected.iter().map(ToString::to_string).collect())
            );
        }
        check("cord-kafka", &["cord-kafka:9092"]);
        check("cord-kafka.cord.lab:9093", &["cord-kafka.cord.lab:9093"]);
        check("kafka://a:1/, b:2", &["a:1", "b:2"]);
        check("[::1]:9092,[fe80::1]", &["[::1]:9092", "[fe80::1]:9092"]);
        let bus = load("event_bus: {kind: kafka}\nkafka_bootstrap_servers: [\"a:1\", b]").unwrap();
        assert_eq!(bus.brokers, ["a:1", "b:9092"]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_as_the_framework_says_it() {
        fn check(text: &str, expected: &str) {
            assert_eq!(load(text).unwrap_err(), expected);
        }
        check(
            "event_bus: {endpoint: cord-kafka}",
            "config.yaml:1: Eventbus kind is not configured in synchronizer config file. (add event_bus.kind: kafka)",
        );
        check(
            "event_bus: {kind: rabbit, endpoint: a}",
            "config.yaml:1: Eventbus kind is set to a technology we do not implement. (event_bus.kind must be one of \
             memory, kafka, not \"rabbit\")",
        );
        check(
            "event_bus:\n  kind: kafka",
            "config.yaml:2: Eventbus endpoint is not configured in synchronizer config file. (add \
             event_bus.endpoint: host:port)",
        );
        check(
            "event_bus: {kind: kafka, endpont: a}\nkafka_bootstrap_servers: [a]",
            "config.yaml:1: unknown key \"event_bus.endpont\" (did you mean \"event_bus.endpoint\"?)",
        );
        for wrong in ["a:0", "a:70000", "a b", "http://a:1", "::1", ""] {
            let error = load(&format!("event_bus: {{kind: kafka, endpoint: \"{wrong}\"}}")).unwrap_err();
            assert!(error.contains("event_bus.endpoint must name brokers, not "), "{error}");
        }
        let error = load("event_bus: {kind: kafka, endpoint: \"me:s3cr3t@a:1\"}").unwrap_err();
        assert!(error.contains("must not hold a user") && !error.contains("s3cr3t"), "{error}");
    }

    #[test]
    fn passwords_and_certificates_come_in_pairs_and_never_show() {
        let folder = Folder::with(&[
            ("secret", "s3cr3t\n"),
            (
                "config.yaml",
                "event_bus:\n  kind: kafka\n  endpoint: a\n  tls: yes\n  username: me\n  password: \"@secret\"\n  \
                 sasl_mechanism: SCRAM-SHA-512",
            ),
        ]);
        let config = folder.load(&[("XOS_SYNC_EVENT_BUS__ENDPOINT", "b:2,c")]).unwrap();
        let bus = &config.event_bus;
        assert_eq!(bus.brokers, ["b:2", "c:9092"]);
        assert_eq!((bus.tls, bus.sasl_mechanism), (true, SaslMechanism::ScramSha512));
        assert!(bus.password.is_some() && bus.is_secured());
        assert!(!format!("{config:?}").contains("s3cr3t"));

        let kafka = |rest: &str| load(&format!("event_bus: {{kind: kafka, endpoint: a, {rest}}}"));
        assert!(kafka("username: me").unwrap_err().contains("event_bus.username needs event_bus.password"));
        assert!(kafka("cert_file: a").unwrap_err().contains("event_bus.cert_file needs event_bus.key_file"));
        assert!(kafka("ca_file: a").unwrap().tls);
        let error = kafka("ca_file: a, tls: false").unwrap_err();
        assert!(error.contains("event_bus.ca_file means nothing with event_bus.tls: false"), "{error}");
        let error = kafka("sasl_mechanism: PLAIN").unwrap_err();
        assert!(error.contains("event_bus.sasl_mechanism needs event_bus.username"), "{error}");
    }

    #[test]
    fn what_has_no_effect_is_a_warning() {
        let folder =
            Folder::with(&[("config.yaml", "kafka_bootstrap_servers: [a]\nevent_bus: {gui_events: no}")]);
        let config = folder.load(&[]).unwrap();
        let warnings: Vec<String> =
            config.warnings.iter().map(|problem| folder.shorten(&problem.to_string())).collect();
        assert_eq!(
            warnings,
            [
                "config.yaml:2: event_bus.gui_events means nothing without event_bus.kind: kafka",
                "config.yaml:1: kafka_bootstrap_servers means nothing without event_bus.kind: kafka",
            ]
        );
    }
}
