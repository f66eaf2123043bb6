//! A core that is away for long, and calls that nobody waits for any more.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xos_model_client::grpc::CoreClient;
use xos_model_client::{Caller, ModelClient};
use xos_sync::tracing::field::{Field, Visit};
use xos_sync::tracing::span::{Attributes, Id, Record};
use xos_sync::tracing::{Event, Level, Metadata, Subscriber};
use xos_sync_tests::proxy::Mode;

use crate::support::{
    HelloWorldService, HelloWorldServiceInstance, Lab, assert_away, greeting, recovers, until,
};

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
    let _lines = xos_sync::tracing::subscriber::set_default(lines.clone());
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

/// Reads and writes that are dropped at any moment take no place away from others, and leave nothing behind.
#[tokio::test]
async fn calls_that_are_dropped_at_any_moment_leave_nothing_behind() {
    let (lab, made) = Lab::with_greetings(8).await;
    let client = lab.connect(lab.options(), Caller::Engine).await;
    lab.proxy.set(Mode::Delay(Duration::from_millis(1)));
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for round in 0..300_u64 {
        let calls: Vec<_> = made
            .iter()
            .cloned()
            .map(|mut one| {
                let client = client.clone();
                tokio::spawn(async move {
                    if round % 3 == 0 {
                        one.backend_handle = Some(format!("round {round}"));
                        let _ = client.save(&mut one).await;
                    } else {
                        // All want the same, and share it.
                        let _ = client.objects::<HelloWorldServiceInstance>().all().await;
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(round * 37 % 5_000)).await;
        for call in &calls {
            call.abort();
        }
        for call in calls {
            let _ = call.await;
        }
    }
    lab.proxy.set(Mode::Pass);
    until("nothing is left", async || tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks)
        .await;
    // The HTTP/2 library gives a connection up after a thousand answers that nobody wanted: another one is made.
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    recovers("after dropped calls", Instant::now(), read).await;
    // All four places are free: so many calls can be under way, and all end.
    let all =
        futures_util::future::join_all((0..40).map(|_| client.objects::<HelloWorldServiceInstance>().all()));
    for read in all.await {
        assert_eq!(read.unwrap().len(), 8);
    }
}

/// A core that can be reached, and is gone as soon as it is there, is not reached for as fast as possible.
#[tokio::test]
async fn a_core_that_hangs_up_each_time_is_not_asked_all_the_time() {
    let lab = Lab::new().await;
    let core = CoreClient::new(lab.options()).unwrap();
    core.ready().await.unwrap();
    let before = lab.proxy.connections();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        if core.why_away().is_none() {
            lab.proxy.cut();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let connections = lab.proxy.connections() - before;
    println!("{connections} connections in 3 s");
    assert!(connections <= 30, "{connections} connections in 3 s");
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    recovers("hung up each time", Instant::now(), async || client.objects::<HelloWorldService>().all().await)
        .await;
}

/// The schema is read before the core counts as there. That must not take longer than any list may.
#[tokio::test]
async fn a_schema_that_never_comes_is_asked_for_again() {
    let (lab, _) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(Duration::from_millis(500)), Caller::Client).await;
    let before = lab.core.count("GetSchema");
    lab.core.hang("GetSchema");
    lab.proxy.cut();
    until("the schema is asked for", async || lab.core.count("GetSchema") > before).await;
    lab.core.heal("GetSchema");
    recovers("schema that never came", Instant::now(), async || {
        client.objects::<HelloWorldService>().all().await
    })
    .await;
}
