//! The log lines of event steps and pull steps keep their text and keys, and say what repeats only once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use tracing_subscriber::layer::SubscriberExt as _;
use xos_sync::config::{LogFormat, LogLevel};
use xos_sync::prelude::*;
use xos_sync::run_on;

/// The text of a line, and the keys that it must have.
const LINES: [(&str, &[&str]); 10] = [
    ("Loading pull steps", &["synchronizer_name"]),
    ("Loaded pull steps", &["steps", "synchronizer_name"]),
    ("Starting XOSPullStepEngine", &["synchronizer_name"]),
    ("Starting XOSEventEngine", &["steps", "synchronizer_name"]),
    ("Waiting for events", &["topic", "step", "bus", "synchronizer_name"]),
    ("Processing event", &["step", "topic", "partition", "offset", "synchronizer_name"]),
    ("Exception in event step", &["e", "attempt", "retry_seconds", "step", "topic", "synchronizer_name"]),
    (
        "Exception in event step; the event is parked, and what is behind it waits",
        &["e", "attempt", "retry_seconds", "step", "topic", "partition", "offset", "synchronizer_name"],
    ),
    ("Starting pull step", &["step", "synchronizer_name"]),
    ("pull step failed!", &["e", "failures", "retry_seconds", "step", "synchronizer_name"]),
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

struct Fails;

impl EventStep for Fails {
    fn topics(&self) -> Vec<String> {
        vec!["t".to_owned()]
    }

    async fn process_event(&self, _ctx: &Context, _event: &Event) -> StepResult {
        Err("I cannot".into())
    }
}

/// Publishes once, and fails ever after, with the same text each time.
struct Publishes;

impl PullStep for Publishes {
    type Model = Site;

    async fn pull_records(&self, ctx: &Context) -> StepResult {
        if ctx.attempt() == 1 {
            ctx.publish("t", None, &"the secret of the event").await?;
        }
        Err("no backend".into())
    }
}

#[tokio::test(start_paused = true)]
async fn the_lines_keep_their_text_and_keys_and_what_repeats_is_said_once() {
    let log = Log::default();
    let layer = xos_sync::logging::layer_to(LogFormat::Json, LogLevel::Debug, log.clone());
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let core = MockAccessor::new();
    let service = Synchronizer::new("lab").event_step(Fails).pull_step(Publishes);
    let stop = tokio::time::sleep(Duration::from_secs(3600));
    run_on(core.accessor(), Config::in_memory(), service, stop).await.unwrap();
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(!text.contains("the secret of the event"));
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (text, keys) in LINES {
        let line = lines.iter().find(|line| line["event"] == text);
        let line = line.unwrap_or_else(|| panic!("expected a line {text:?}; the log is {lines:#?}"));
        for key in keys {
            assert!(line.get(*key).is_some(), "{text:?} has no key {key:?}: {line}");
        }
    }
    let failures: Vec<&Json> = lines.iter().filter(|line| line["event"] == "pull step failed!").collect();
    assert!(failures.len() > 10, "{failures:?}");
    let errors = failures.iter().filter(|line| line["level"] == "error").count();
    assert_eq!(errors, 1, "each text is an error once; then it is for those who look closely");
}
