//! Config files as users write them, and what comes of them.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::testing::{Folder, TUTORIAL, error, load, warnings};
use super::*;

mod fuzz;
mod remote;
mod serving;

#[test]
fn the_tutorials_file_loads_unchanged() {
    let folder = Folder::with(&[("config.yaml", TUTORIAL)]);
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.name.as_deref(), Some("hello-world"));
    assert_eq!(config.accessor.kind, AccessorKind::Grpcapi);
    assert_eq!(config.accessor.endpoint.as_deref(), Some("xos-core:50051"));
    assert_eq!(config.accessor.username.as_deref(), Some("admin@opencord.org"));
    assert_eq!(config.accessor.password.as_ref().unwrap().expose_secret(), "letmein");
    assert_eq!(config.steps_dir.as_deref(), Some("/opt/xos/synchronizers/hello-world/steps"));
    assert_eq!(config.required_models, ["HelloWorldService", "HelloWorldServiceInstance"]);
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(config.logging.outputs, [LogOutput::default()]);
    assert!(
        matches!(config.core("hello-world"), CoreChoice::Remote { endpoint } if endpoint == "xos-core:50051")
    );
    assert_eq!(
        folder.warnings(&config),
        ["config.yaml:7: steps_dir means nothing here: models and steps are named in the program",]
    );
}

#[test]
fn nothing_said_is_the_embedded_core_of_that_name() {
    for config in
        [Config::default(), load("").unwrap(), load("# nothing\n").unwrap(), load("accessor:\n").unwrap()]
    {
        let CoreChoice::Embedded { database, durability } = config.core("hello/world") else {
            panic!("{config:?}");
        };
        assert_eq!(database, PathBuf::from("hello-world.db"));
        assert_eq!(durability, Durability::Normal);
        assert_eq!(config.engine, Engine::default());
        assert_eq!(config.logging, Logging::default());
    }
    let named = Config { name: Some("mine".to_owned()), ..Config::default() };
    assert!(
        matches!(named.core("x"), CoreChoice::Embedded { database, .. } if database == Path::new("mine.db"))
    );
    assert!(matches!(Config::in_memory().core("x"), CoreChoice::Memory));
    assert!(matches!(Config::embedded("a.db").core("x"),
        CoreChoice::Embedded { database, .. } if database == Path::new("a.db")));
}

#[test]
fn every_key_of_the_python_framework_is_accepted() {
    let text = r#"
name: x
core_version: ">=4.0.0"
desired_state: unload
xos_dir: /opt/xos
logging: {version: 1}
wrappers: [a.b]
blueprints: [{name: b, graph: [], networks: [{name: n, permit_all_slices: true}]}]
dependency_graph: model-deps
link_graph: g
steps_dir: /s
event_steps_dir: /e
pull_steps_dir: /p
model_policies_dir: /m
models_dir: /o
sys_dir: /opt/xos/sys
accessor: {endpoint: "xos-core:50051", kind: grpcapi, username: u, password: p}
kafka_bootstrap_servers: ["cord-kafka:9092"]
event_bus: {endpoint: cord-kafka, kind: kafka}
required_models: [A]
keep_temp_files: yes
proxy_ssh: {enabled: true, key: /k, user: root}
error_map_path: /e
feefie: {client_id: c, user_id: u}
node_key: /k
config_dir: /etc
backoff_disabled: true
images_directory: /i
nova: {enabled: true, ca_ssl_cert: c, default_flavor: f, default_security_group: g}
"#;
    let folder = Folder::with(&[("config.yaml", text)]);
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.desired_state, DesiredState::Unload);
    assert_eq!(config.core_version.as_deref(), Some(">=4.0.0"));
    assert_eq!(config.dependency_graph, Some(folder.path("model-deps")));
    assert_eq!(config.pull_steps_dir.as_deref(), Some("/p"));
    let mut warned: Vec<&str> = config.warnings.iter().filter_map(|warning| warning.key.as_deref()).collect();
    warned.sort_unstable();
    let expected = "backoff_disabled blueprints config_dir error_map_path event_steps_dir feefie images_directory \
                    link_graph model_policies_dir nova pull_steps_dir steps_dir wrappers xos_dir";
    assert_eq!(warned.join(" "), expected);
    let ansible = config.ansible;
    assert_eq!((ansible.sys_dir, ansible.node_key), (Some("/opt/xos/sys".into()), Some("/k".into())));
    assert_eq!(ansible.proxy, Proxy::On { user: "root".to_owned(), key: Some("/k".into()) });
    assert_eq!((ansible.keep_temp_files, ansible.save_output, ansible.check), (true, false, false));
}

#[test]
fn how_playbooks_are_run() {
    let ansible = load(
        "proxy_ssh: {enabled: no}
save_ansible_output: yes
ansible: {program: /opt/ansible, deadline: 5 min, check: true}
",
    )
    .unwrap()
    .ansible;
    assert_eq!((ansible.proxy, ansible.save_output, ansible.check), (Proxy::Off, true, true));
    assert_eq!((ansible.program, ansible.deadline), ("/opt/ansible".into(), Some(Duration::from_secs(300))));
    let needs = "config.yaml:1: proxy_ssh needs proxy_ssh.enabled: true or false";
    assert_eq!(error("proxy_ssh: {user: me}\n"), needs);
}

#[test]
fn our_own_section() {
    let config = load(
        "engine:
  concurrency: 8
  step_deadline: 1 h 30 min
  first_retry: 250ms
  retry_cap: 10m
  deferred_retry: 2 minutes
  poll_interval: 7 s
  full_scan_interval: \"1 hour\"
  grace_period: 0
",
    );
    let expected = Engine {
        concurrency: 8,
        step_deadline: Duration::from_secs(5400),
        first_retry: Duration::from_millis(250),
        retry_cap: Duration::from_secs(600),
        deferred_retry: Duration::from_secs(120),
        poll_interval: Duration::from_secs(7),
        full_scan_interval: Duration::from_secs(3600),
        grace_period: Duration::ZERO,
    };
    assert_eq!(config.unwrap().engine, expected);
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    for key in engine::KEYS {
        let name = key.path.trim_start_matches("engine.");
        assert_eq!(load(&format!("engine: {{{name}: {}}}", key.default)).unwrap().engine, Engine::default());
    }
    let text = "desired_state: load\nrequired_models: []\naccessor: {kind: embedded, durability: normal}\n";
    assert_eq!(
        format!("{:?}", Config { file: None, ..load(text).unwrap() }),
        format!("{:?}", Config::default())
    );
}

#[test]
fn bad_input_names_key_file_and_line() {
    let check = |text: &str, expected: &str| assert_eq!(error(text), expected, "{text}");
    let check_engine = |line: &str, expected: &str| {
        assert_eq!(
            error(&format!("engine:\n  {line}\n")),
            format!("config.yaml:2: engine.{expected}"),
            "{line}"
        );
    };
    // Unknown keys.
    check(
        "name: x\nengine:\n  concurency: 3\n",
        "config.yaml:3: unknown key \"engine.concurency\" (did you mean \"engine.concurrency\"?)",
    );
    check("nmae: x\n", "config.yaml:1: unknown key \"nmae\" (did you mean \"name\"?)");
    check(
        "name: x\nendpoint: y\n",
        "config.yaml:2: unknown key \"endpoint\" (did you mean \"accessor.endpoint\"?)",
    );
    check("fancy_thing: 1\n", "config.yaml:1: unknown key \"fancy_thing\"");
    check(
        "proxy_ssh: {enabled: true, keys: a}\n",
        "config.yaml:1: unknown key \"proxy_ssh.keys\" (did you mean \"proxy_ssh.key\"?)",
    );
    // Wrong types.
    check("name: 5\n", "config.yaml:1: name must be text, not a whole number (put the value in quotes)");
    check("name: [a]\n", "config.yaml:1: name must be text, not a list");
    check(
        "core_version: 4.0\n",
        "config.yaml:1: core_version must be text, not a number (put the value in quotes)",
    );
    check("accessor: x\n", "config.yaml:1: accessor must be a map of keys, not text");
    check("required_models: A\n", "config.yaml:1: required_models must be a list of texts, not text");
    check(
        "required_models: [A, {b: c}]\n",
        "config.yaml:1: required_models must be a list of texts, but one is a map",
    );
    check("keep_temp_files: maybe\n", "config.yaml:1: keep_temp_files must be true or false, not \"maybe\"");
    check("desired_state: gone\n", "config.yaml:1: desired_state must be one of load, unload, not \"gone\"");
    check("- a\n", "config.yaml:1: the file must be a map of keys, not a list");
    check(
        "accessor:\n  kind: grpc\n",
        "config.yaml:2: unknown accessor kind \"grpc\"; allowed are embedded, testframework, grpcapi",
    );
    check("accessor:\n  database: ''\n", "config.yaml:2: accessor.database must not be empty");
    // Durations and numbers.
    check_engine("concurrency: 0", "concurrency must be from 1 to 100000, not 0");
    check_engine("concurrency: -1", "concurrency must be from 1 to 100000, not -1");
    check_engine("concurrency: many", "concurrency must be a whole number, not \"many\"");
    check_engine("first_retry: 5", "first_retry needs a unit (write \"5 s\" or \"5 min\")");
    check_engine("first_retry: '5'", "first_retry needs a unit (write \"5 s\" or \"5 min\")");
    check_engine("first_retry: 0 s", "first_retry must be longer than 0");
    check_engine(
        "first_retry: soon",
        "first_retry must be a duration, not \"soon\" (write it as 500 ms, 5 s, 10 min or 1 h 30 min)",
    );
    check_engine(
        "first_retry: -5 s",
        "first_retry must be a duration, not \"-5 s\" (write it as 500 ms, 5 s, 10 min or 1 h 30 min)",
    );
    check_engine(
        "grace_period: true",
        "grace_period must be a duration, not true or false (write it as 500 ms, 5 s, 10 min or 1 h 30 min)",
    );
    check_engine("step_deadline: 99999 h", "step_deadline must not be longer than 365 days");
    check_engine("first_retry: 10 min", "first_retry (10 m) is longer than engine.retry_cap (5 m)");
    check(
        "engine:\n  retry_cap: 1s\n",
        "config.yaml:2: engine.first_retry (5 s) is longer than engine.retry_cap (1 s)",
    );
    // Not YAML.
    check("name: x\nname: y\n", "config.yaml:2: the key \"name\" is there twice");
    check("a: 1\na: 2\n", "config.yaml:2: a key is there twice");
    check("a: b: c\n", "config.yaml:1: not valid YAML: mapping values are not allowed in this context");
    check("name: x\n---\nname: y\n", "config.yaml:3: more than one YAML document (remove the line ---)");
    check(
        "name: @x\n",
        "config.yaml:1: not valid YAML (a value that starts with @ ` % & * or ! must be in quotes)",
    );
    check("{a: 1}: 2\n", "config.yaml:1: a key must be a text");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = "name: 5\nengine:\n  concurrency: 0\n  grace: 1 s\n";
    let expected = "config.yaml:1: name must be text, not a whole number (put the value in quotes)\n\
                    config.yaml:3: engine.concurrency must be from 1 to 100000, not 0\n\
                    config.yaml:4: unknown key \"engine.grace\"";
    assert_eq!(error(text), expected);
}

#[test]
fn a_problem_says_file_line_and_key_to_programs_too() {
    let folder = Folder::with(&[("config.yaml", "engine:\n  concurrency: 0\n")]);
    let error = Config::load_with(folder.path("config.yaml"), &Environment::empty()).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    let [problem] = error.problems.as_slice() else { panic!("{error}") };
    assert_eq!(problem.file(), Some(folder.path("config.yaml").as_path()));
    assert_eq!(problem.line(), Some(2));
    assert_eq!(problem.key.as_deref(), Some("engine.concurrency"));
}

#[test]
fn a_missing_or_unreadable_file_is_named_and_by_whom() {
    let folder = Folder::with(&[]);
    assert_eq!(
        folder.load(&[]).unwrap_err(),
        "config.yaml: cannot read the file: No such file or directory (os error 2) (the file is named by -C)"
    );
    let missing = folder.path("nowhere.yaml");
    let error =
        folder.load_args(Args::default(), &[("XOS_CONFIG_FILE", missing.to_str().unwrap())]).unwrap_err();
    assert_eq!(
        error,
        "nowhere.yaml: cannot read the file: No such file or directory (os error 2) (the file is named by XOS_CONFIG_FILE)"
    );
    std::fs::write(folder.path("config.yaml"), b"name: \xff\n").unwrap();
    assert_eq!(folder.load(&[]).unwrap_err(), "config.yaml: the file is not UTF-8 (the file is named by -C)");
}

#[test]
fn the_kind_of_core_is_never_guessed_against_the_file() {
    let kind = |text: &str| load(&format!("accessor: {{{text}}}")).unwrap().accessor.kind;
    assert_eq!(kind("kind: embedded"), AccessorKind::Embedded);
    assert_eq!(kind("kind: testframework"), AccessorKind::Testframework);
    assert_eq!(kind("kind: grpcapi"), AccessorKind::Grpcapi);
    assert_eq!(kind("database: a.db"), AccessorKind::Embedded);
    assert_eq!(kind("endpoint: 'a:1'"), AccessorKind::Grpcapi);
    assert_eq!(kind("endpoint: 'a:1', kind: embedded"), AccessorKind::Embedded);
    let check = |text: &str, expected: &str| {
        let hint = "say accessor.kind: one of embedded, testframework, grpcapi";
        assert_eq!(error(&format!("accessor: {{{text}}}")), format!("config.yaml:1: {expected} ({hint})"));
    };
    check(
        "endpoint: 'a:1', database: a.db",
        "accessor.endpoint is a remote core and accessor.database an embedded one",
    );
    check("username: u", "accessor.username needs accessor.endpoint");
    let remote = load("accessor: {kind: grpcapi}").unwrap().core("x");
    assert!(matches!(remote, CoreChoice::Remote { endpoint } if endpoint == DEFAULT_ENDPOINT));
    assert_eq!(
        warnings("accessor: {kind: embedded, endpoint: 'a:1'}"),
        ["config.yaml:1: accessor.endpoint means nothing with accessor.kind: embedded"]
    );
    assert_eq!(
        warnings("accessor: {kind: grpcapi, durability: full}"),
        ["config.yaml:1: accessor.durability means nothing with accessor.kind: grpcapi"]
    );
}

#[test]
fn a_password_may_stand_in_a_file() {
    let text = "accessor:\n  endpoint: a:1\n  username: u\n  password: '@secret'\n";
    let folder = Folder::with(&[("config.yaml", text), ("secret", "  hunter2 \nsecond line\n")]);
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.accessor.password.unwrap().expose_secret(), "hunter2");
    let check = |folder: &Folder, expected: &str| assert_eq!(folder.load(&[]).unwrap_err(), expected);
    check(
        &Folder::with(&[("config.yaml", text)]),
        "config.yaml:4: cannot read the password file secret: No such file or directory (os error 2)",
    );
    check(
        &Folder::with(&[("config.yaml", text), ("secret", "\nhunter2\n")]),
        "config.yaml:4: the first line of the password file secret is empty",
    );
    // An embedded core has no password: the file need not exist.
    let args = Args { config: Some(folder.path("config.yaml")), db: Some("x.db".into()), ..Args::default() };
    std::fs::remove_file(folder.path("secret")).unwrap();
    assert!(folder.load_args(args, &[]).is_ok());
}

#[test]
fn a_password_never_shows() {
    const SECRET: &str = "s3cr3t";
    let broken = [
        "password: s3cr3t: x",
        "password: @s3cr3t",
        "password: *s3cr3t",
        "password: &s3cr3t",
        "password: %s3cr3t",
        "password: !s3cr3t x",
        "password: !!int s3cr3t",
        "password: \"s3cr3t",
        "password: 's3cr3t's3cr3t'",
        "password: \"s3cr3t\\q\"",
        "password: [s3cr3t",
        "password: [s3cr3t]",
        "password: {s3cr3t: s3cr3t}",
        "password: {'s3cr3t s3cr3t': {s3cr3t}}",
        "password:\n    s3cr3t\n   s3cr3t: x",
        "password: s3cr3t\n\tusername: x",
        "password: s3cr3t\n  password: s3cr3t",
        "passwort: s3cr3t",
        "password: {s3cr3t: 1, s3cr3t: 2}",
        "password: |\n   s3cr3t\n  s3cr3t",
    ];
    for line in broken {
        let folder =
            Folder::with(&[("config.yaml", &format!("accessor:\n  endpoint: a:1\n  {line}\nname: 5\n"))]);
        let error = Config::load_with(folder.path("config.yaml"), &Environment::empty()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{line:?}: {error}");
    }
    let text = format!("accessor:\n  endpoint: a:1\n  username: u\n  password: {SECRET}\n");
    for config in [
        load(&text).unwrap(),
        Folder::with(&[("config.yaml", "accessor: {endpoint: 'a:1', username: u}")])
            .load(&[("XOS_SYNC_ACCESSOR__PASSWORD", SECRET)])
            .unwrap(),
    ] {
        assert_eq!(config.accessor.password.as_ref().unwrap().expose_secret(), SECRET);
        assert!(!format!("{config:?} {:?}", config.core("x")).contains(SECRET), "{config:?}");
    }
    let environment: Environment = [("XOS_SYNC_ACCESSOR__PASSWORD", SECRET)].into_iter().collect();
    assert!(!format!("{environment:?}").contains(SECRET));
}

#[test]
fn an_override_is_merged_key_by_key() {
    let mounted =
        "accessor:\n  endpoint: other:50051\n  username:\nrequired_models: [Other]\nkeep_temp_files: false\n";
    let base = format!("{TUTORIAL}keep_temp_files: true\n");
    let folder = Folder::with(&[("config.yaml", &base), ("mounted_config.yaml", mounted)]);
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.accessor.endpoint.as_deref(), Some("other:50051"));
    assert_eq!(config.accessor.username.as_deref(), Some("admin@opencord.org"));
    assert_eq!(config.required_models, ["Other"]);
    assert_eq!(config.logging.level, LogLevel::Debug);
    // The variable replaces the file beside.
    std::fs::write(folder.path("other.yaml"), "name: other\n").unwrap();
    let other = folder.path("other.yaml");
    let named = [("XOS_OVERRIDE_CONFIG_FILE", other.to_str().unwrap())];
    let config = folder.load(&named).unwrap();
    assert_eq!(config.name.as_deref(), Some("other"));
    assert_eq!(config.accessor.endpoint.as_deref(), Some("xos-core:50051"));
    // It also stands alone, and a missing one is only a warning, as in Python.
    assert_eq!(folder.load_args(Args::default(), &named).unwrap().name.as_deref(), Some("other"));
    std::fs::remove_file(&other).unwrap();
    let config = folder.load(&named).unwrap();
    let last = folder.warnings(&config).into_iter().find(|warning| warning.contains("OVERRIDE")).unwrap();
    assert_eq!(last, "XOS_OVERRIDE_CONFIG_FILE: other.yaml does not exist; nothing is overridden");
    // Mistakes name the file they are in.
    std::fs::write(folder.path("mounted_config.yaml"), "\nname: 7\n").unwrap();
    assert_eq!(
        folder.load(&[]).unwrap_err(),
        "mounted_config.yaml:2: name must be text, not a whole number (put the value in quotes)"
    );
}

#[test]
fn variables_lie_over_the_files() {
    let folder = Folder::with(&[("config.yaml", "engine: {concurrency: 5}\nname: x\n")]);
    let config = folder
        .load(&[
            ("XOS_SYNC_ENGINE__CONCURRENCY", "7"),
            ("XOS_SYNC_ENGINE__FIRST_RETRY", "1 s"),
            ("XOS_SYNC_REQUIRED_MODELS", "A, B"),
            ("XOS_SYNC_NAME", "5"),
            ("XOS_SYNC_ACCESSOR__DATABASE", "there.db"),
            ("XOS_SYNC_DESIRED_STATE", ""),
            ("XOS_SYNC_LOG_LEVEL", "debug"),
            ("XOS_SYNC_PORT", "tcp://10.0.0.1:80"),
            ("XOS_SYNC_SERVICE_HOST", "10.0.0.1"),
            ("OTHER", "1"),
        ])
        .unwrap();
    assert_eq!(config.engine.concurrency, 7);
    assert_eq!(config.engine.first_retry, Duration::from_secs(1));
    assert_eq!(config.required_models, ["A", "B"]);
    assert_eq!(config.name.as_deref(), Some("5"));
    assert_eq!(config.accessor.database, Some(PathBuf::from("there.db")));
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(folder.warnings(&config), Vec::<String>::new());

    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(folder.load(&[(name, value)]).unwrap_err(), expected);
    };
    check(
        "XOS_SYNC_ENGINE__CONCURRENCY",
        "no",
        "XOS_SYNC_ENGINE__CONCURRENCY: engine.concurrency must be a whole number, not \"no\"",
    );
    check(
        "XOS_SYNC_ENGINE__CONCURENCY",
        "7",
        "XOS_SYNC_ENGINE__CONCURENCY: unknown variable (did you mean XOS_SYNC_ENGINE__CONCURRENCY?)",
    );
    check(
        "XOS_SYNC_LOGGING",
        "{}",
        "XOS_SYNC_LOGGING: logging cannot be set by a variable (use the config file or an override file)",
    );
    check("XOS_SYNC_LOG_LEVEL", "loud", "XOS_SYNC_LOG_LEVEL: must be one of trace, debug, info, warn, error");
    let config = folder.load(&[("XOS_SYNC_NAEM", "x")]).unwrap();
    assert_eq!(folder.warnings(&config), ["XOS_SYNC_NAEM: unknown variable (did you mean XOS_SYNC_NAME?)"]);
}

#[test]
fn relative_paths_start_at_their_file() {
    let text = "dependency_graph: deps/model-deps\naccessor: {database: ../a.db}\n";
    let folder = Folder::with(&[("config.yaml", text)]);
    let config = folder.load(&[]).unwrap();
    assert_eq!(config.dependency_graph, Some(folder.path("deps/model-deps")));
    assert_eq!(config.accessor.database, Some(folder.path("../a.db")));
    let absolute = load("accessor: {database: /tmp/a.db}").unwrap();
    assert_eq!(absolute.accessor.database, Some(PathBuf::from("/tmp/a.db")));
}

#[test]
fn the_version_is_the_first_line_of_the_file_beside() {
    let check = |version: Option<&str>, expected: Option<&str>| {
        let folder = Folder::with(&[("config.yaml", "")]);
        if let Some(version) = version {
            std::fs::write(folder.path("VERSION"), version).unwrap();
        }
        assert_eq!(folder.load(&[]).unwrap().version_file().as_deref(), expected);
    };
    check(Some("1.2.3\n"), Some("1.2.3"));
    check(Some(" 1.2.3-dev \nmore\n"), Some("1.2.3-dev"));
    check(Some("\n"), None);
    check(Some(""), None);
    check(None, None);
    assert_eq!(Config::default().version_file(), None);
}

#[test]
fn anchors_and_merge_keys_work() {
    let config = load("engine: &e\n  concurrency: 3\naccessor: {}\n").unwrap();
    assert_eq!(config.engine.concurrency, 3);
    let text = "logging:\n  handlers:\n    a: &a {class: logging.StreamHandler}\n    b:\n      <<: *a\n      level: ERROR\n";
    let outputs = load(text).unwrap().logging.outputs;
    assert_eq!(outputs[1].level, LogLevel::Error);
}
