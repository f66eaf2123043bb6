//! The log lines that the tutorials show keep their text and keys: one table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use tracing_subscriber::layer::SubscriberExt as _;
use xos_sync::config::{LogFormat, LogLevel};
use xos_sync::prelude::*;
use xos_sync::run_on;

/// When a line is written, its text, and the keys that it must have.
const LINES: [(&str, &str, &[&str]); 17] = [
    ("start", "Service version is 1.0.0.dev", &["synchronizer_name"]),
    ("start", "required_models, found:", &["models", "synchronizer_name"]),
    ("start", "Loading sync steps", &["step_dir", "synchronizer_name"]),
    ("start", "Loaded sync steps", &["steps", "synchronizer_name"]),
    ("start", "Skipping event engine due to no event_steps dir.", &["synchronizer_name"]),
    ("start", "Skipping model policies thread due to no model_policies dir.", &["synchronizer_name"]),
    ("success", "Syncing object", &["model_name", "pk", "synchronizer_name"]),
    ("success", "Synced object", &["model_name", "pk", "synchronizer_name"]),
    ("failure", "sync step failed!", &["e", "model_name", "pk", "synchronizer_name"]),
    ("deletion", "Deleting object", &["model_name", "pk", "synchronizer_name"]),
    ("deletion", "Deleted object", &["model_name", "pk", "synchronizer_name"]),
    ("start", "Loaded model policies", &["policies", "synchronizer_name"]),
    (
        "policy",
        "MODEL POLICY: calling handler",
        &["sender_name", "instance", "policy", "method", "model_name", "pk", "synchronizer_name"],
    ),
    (
        "policy",
        "MODEL POLICY: completed handler",
        &["sender_name", "instance", "policy_name", "method", "model_name", "pk", "synchronizer_name"],
    ),
    (
        "policy failure",
        "MODEL POLICY: Exception when running handler",
        &["e", "policy_name", "method", "model_name", "pk", "synchronizer_name"],
    ),
    (
        "policy",
        "MODEL_POLICY: Saved",
        &["policy_code", "policy_status", "model_name", "pk", "synchronizer_name"],
    ),
    (
        "nothing",
        "No sync steps, no policies, and no event steps. Synchronizer exiting.",
        &["synchronizer_name"],
    ),
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Json> {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

struct Greet;

impl SyncStep for Greet {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        if o.name == "Joffrey Baratheon" { Err("Maybe not".into()) } else { Ok(()) }
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

impl ModelPolicy for Greet {
    type Model = Site;

    async fn handle_create(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        if o.name == "Joffrey Baratheon" { Err("Maybe not".into()) } else { Ok(()) }
    }
}

fn site(name: &str) -> Site {
    Site { name: name.into(), login_base: "x".into(), abbreviated_name: "x".into(), ..Default::default() }
}

/// Runs until nothing is ready, and gives the log.
async fn run(core: &MockAccessor, service: Synchronizer) -> Vec<Json> {
    let log = Log::default();
    let layer = xos_sync::logging::layer_to(LogFormat::Json, LogLevel::Debug, log.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    let _here = tracing::subscriber::set_default(subscriber);
    let mut config = Config::in_memory();
    config.once = true;
    // An object that is not OK is an error of `--once`; what is looked at here is the log.
    let _ = run_on(core.accessor(), config, service, std::future::pending()).await;
    log.lines()
}

#[xos_sync::test]
async fn the_lines_of_the_tutorial_keep_their_text_and_keys() {
    let core = MockAccessor::new();
    let service = || Synchronizer::new("hello-world").version("1.0.0.dev").sync_step(Greet);
    core.create(site("Arya Stark")).await.unwrap();
    core.create(site("Joffrey Baratheon")).await.unwrap();
    let mut log = run(&core, service()).await;
    let arya = core.objects::<Site>().filter(Site::NAME.eq("Arya Stark")).one().await.unwrap();
    core.delete(&arya).await.unwrap();
    log.extend(run(&core, service()).await);
    core.create(site("Sansa Stark")).await.unwrap();
    log.extend(run(&core, Synchronizer::new("hello-world").policy(Greet)).await);
    log.extend(run(&core, Synchronizer::new("hello-world")).await);

    for (when, text, keys) in LINES {
        let line = log.iter().find(|line| line["event"] == text);
        let line = line.unwrap_or_else(|| panic!("{when}: expected a line {text:?}; the log is {log:#?}"));
        for key in keys {
            assert!(line.get(*key).is_some(), "{when}: {text:?} has no key {key:?}: {line}");
        }
    }
}

#[xos_sync::test]
async fn a_line_about_policies_is_written_only_where_it_is_true() {
    let core = MockAccessor::new();
    core.create(site("Arya Stark")).await.unwrap();
    core.create(site("Joffrey Baratheon")).await.unwrap();
    let refused = xos_sync::testing::Fault::Refused("not today".into());
    core.inject(xos_sync::testing::Rule::next(refused.clone()).field("policed"));
    core.inject(xos_sync::testing::Rule::next(refused).field("policy_code").after(1));
    let log = run(&core, Synchronizer::new("hello-world").policy(Greet)).await;
    let has = |text: &str| log.iter().any(|line| line["event"] == text);
    assert!(!has("Skipping model policies thread due to no model_policies dir."));
    assert!(!has("No sync steps, no policies, and no event steps. Synchronizer exiting."));
    assert!(has("MODEL POLICY: Object failed to update policed timestamp"), "{log:#?}");
    assert!(has("MODEL_POLICY: Exception when storing policy_status"), "{log:#?}");
}

#[xos_sync::test]
async fn the_keys_say_which_object_it_was() {
    let core = MockAccessor::new();
    let joffrey = core.create(site("Joffrey Baratheon")).await.unwrap();
    let log = run(&core, Synchronizer::new("hello-world").sync_step(Greet)).await;
    let line = log.iter().find(|line| line["event"] == "sync step failed!").unwrap();
    assert_eq!(line["e"], "Maybe not");
    assert_eq!(line["model_name"], "Site");
    assert_eq!(line["pk"], joffrey.id.get());
    assert_eq!(line["synchronizer_name"], "hello-world");
    assert_eq!(line["level"], "error");
}
