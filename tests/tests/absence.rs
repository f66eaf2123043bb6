//! A core that is away for long. Alone in its process: what it logs is listened to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "shared with the tests of faults")]
#[path = "faults/support.rs"]
mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xos_model_client::Caller;
use xos_sync::tracing::field::{Field, Visit};
use xos_sync::tracing::span::{Attributes, Id, Record};
use xos_sync::tracing::{Event, Level, Metadata, Subscriber};
use xos_sync_tests::proxy::Mode;

use crate::support::{HelloWorldServiceInstance, Lab, assert_away, greeting, recovers, until};

/// Keeps the messages of warnings and errors.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN && metadata.target().starts_with("xos_")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Hours in a few seconds: time passes while everything waits.
#[tokio::test]
async fn a_core_that_is_away_for_hours_costs_a_line_each_half_minute() {
    let lines = Lines::default();
    xos_sync::tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    lab.proxy.set(Mode::Refuse);
    lab.proxy.cut();
    until("it is away", async || client.get::<HelloWorldServiceInstance>(made[0].id).await.is_err()).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    lines.0.lock().unwrap().clear();
    let minutes = 10;
    for _ in 0..minutes * 60 {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        // What was due is done: a connection is tried and refused.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_away(&client.create(greeting("nobody")).await.unwrap_err());
    }
    let said = lines.0.lock().unwrap().clone();
    println!("{} lines in {minutes} minutes", said.len());
    assert!(!said.is_empty());
    assert!(said.len() <= minutes * 3, "{} lines in {minutes} minutes: {:?}", said.len(), &said[..5]);
    assert!(tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks + 5, "tasks pile up");
    lab.proxy.set(Mode::Pass);
    let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
    recovers("after ten minutes", Instant::now(), read).await;
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0);
}
