//! How fast events go through an event step over the bus in process, and how fast a pull step reconciles.
//!
//! `cargo bench -p xos-sync --bench events -- --json` prints one JSON object a line. What is not covered: a broker,
//! handlers that wait, a core on the network.
#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that cannot run has failed")]

#[path = "support/report.rs"]
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use report::Report;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use xos_sync::prelude::*;
use xos_sync::run_on;

/// How many events go through.
const EVENTS: usize = 100_000;

/// How many tasks publish them.
const PUBLISHERS: usize = 8;

/// How many items the backend has.
const ITEMS: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Payload {
    number: usize,
    name: String,
}

/// Reads the JSON of an event.
struct Count {
    seen: Arc<AtomicUsize>,
    all: Arc<Notify>,
}

impl EventStep for Count {
    fn topics(&self) -> Vec<String> {
        vec!["bench".to_owned()]
    }

    async fn process_event(&self, _ctx: &Context, event: &Event) -> StepResult {
        let payload: Payload = event.json()?;
        assert!(payload.number < EVENTS);
        if self.seen.fetch_add(1, Ordering::Relaxed) + 1 == EVENTS {
            self.all.notify_one();
        }
        Ok(())
    }
}

/// Publishes all events, once.
struct Publish(Arc<Notify>);

impl PullStep for Publish {
    type Model = Site;

    async fn pull_records(&self, ctx: &Context) -> StepResult {
        if ctx.attempt() > 1 {
            return Err("the events were published already".into());
        }
        self.0.notify_one();
        let publishers = (0..PUBLISHERS).map(|publisher| {
            let ctx = ctx.clone();
            tokio::spawn(async move {
                for number in (publisher..EVENTS).step_by(PUBLISHERS) {
                    let payload = Payload { number, name: format!("event {number}") };
                    let key = format!("key {}", number % 100);
                    ctx.publish("bench", key.as_str(), &payload).await?;
                }
                Ok::<(), StepError>(())
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await??;
        }
        std::future::pending().await
    }
}

fn main() {
    let report = Report::from_args();
    if report.wants("events_in_process") {
        let mut rates: Vec<f64> = (0..3).map(|_| events()).collect();
        rates.sort_by(f64::total_cmp);
        report.line("events_in_process", EVENTS, &[("events_per_second", rates[1].round())]);
    }
    if report.wants("reconcile") {
        reconcile(&report);
    }
}

/// Events in a second, from the first publication until the last event was processed.
fn events() -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let core = MockAccessor::new();
        let (seen, all, begun) = (Arc::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let service = Synchronizer::new("bench")
            .event_step(Count { seen, all: all.clone() })
            .pull_step(Publish(begun.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let mut config = Config::in_memory();
        config.engine.grace_period = std::time::Duration::ZERO;
        let run = tokio::spawn(run_on(core.accessor(), config, service, stopped));
        begun.notified().await;
        let start = Instant::now();
        all.notified().await;
        let rate = EVENTS as f64 / start.elapsed().as_secs_f64();
        let _ = stop.send(());
        run.await.expect("the run ends").expect("it ends well");
        rate
    })
}

/// One pass that creates all, one that finds nothing to do, one that changes a tenth.
fn reconcile(report: &Report) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let core = MockAccessor::new();
        core.load::<Site>().await.expect("a core");
        for (bench, changed) in [("reconcile_cold", 0), ("reconcile_warm", 0), ("reconcile_tenth", 10)] {
            core.journal().clear();
            let items = (0..ITEMS).map(|number| {
                let is_other = changed > 0 && number % changed == 0;
                (format!("site {number}"), if is_other { "other" } else { "same" })
            });
            let start = Instant::now();
            let done = core
                .pull_context()
                .reconcile::<Site, _>(items)
                .key(|item| item.0.clone(), |site| site.name.clone())
                .create(|item| Site {
                    name: item.0.clone(),
                    login_base: item.1.to_owned(),
                    abbreviated_name: item.0.clone(),
                    ..Default::default()
                })
                .update(|item, site| item.1.clone_into(&mut site.login_base))
                .run()
                .await
                .expect("all items are good");
            let seconds = start.elapsed().as_secs_f64();
            let written = core.journal().writes().len();
            assert_eq!(written, done.created + done.updated + done.deleted);
            let figures = [
                ("seconds", seconds),
                ("items_per_second", (ITEMS as f64 / seconds).round()),
                ("writes", written as f64),
            ];
            report.line(bench, ITEMS, &figures);
        }
    });
}
