//! How fast events go through an event step over Kafka, beside a bare consumer of the same brokers.
//!
//! `cargo bench -p xos-sync --features kafka --bench kafka -- --json` prints one JSON object a line. The brokers are
//! librdkafka's mock cluster in this process, which keeps 5 MB of each partition: the events fit. What is not covered:
//! a real broker, handlers that wait.
#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that cannot run has failed")]

#[path = "support/report.rs"]
mod report;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureProducer, FutureRecord};
use report::Report;
use tokio::sync::{Notify, oneshot};
use xos_sync::config::EventBus;
use xos_sync::prelude::*;
use xos_sync::run_on;

/// How many events go through.
const EVENTS: usize = 100_000;

/// Each contender reads all of them so often, in turns: one time takes less than a tenth of a second.
const ROUNDS: usize = 11;

/// How many partitions the topic has.
const PARTITIONS: i32 = 8;

/// Looks at each event as the bare consumer does.
struct Count(Arc<Clock>);

/// From the first event until the last one.
#[derive(Default)]
struct Clock {
    seen: AtomicUsize,
    first: OnceLock<Moment>,
    last: OnceLock<Moment>,
    all: Notify,
}

impl Clock {
    fn saw(&self, payload: &[u8]) {
        assert!(payload.len() >= 100);
        match self.seen.fetch_add(1, Ordering::Relaxed) + 1 {
            1 => {
                let _ = self.first.set(Moment::now());
            }
            EVENTS => {
                let _ = self.last.set(Moment::now());
                self.all.notify_one();
            }
            _ => {}
        }
    }

    /// Events in a second, and microseconds of processor time for one, the brokers' and librdkafka's included.
    fn figures(&self) -> (f64, f64) {
        let (first, last) = (self.first.get().expect("the first"), self.last.get().expect("the last"));
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        (
            EVENTS as f64 / seconds,
            last.processor.saturating_sub(first.processor).as_secs_f64() * 1e6 / EVENTS as f64,
        )
    }
}

/// A moment, and what this process had used of the processors by then.
struct Moment {
    at: Instant,
    processor: Duration,
}

impl Moment {
    fn now() -> Self {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let used = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
        let nanos = used.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok()).sum();
        Moment { at: Instant::now(), processor: Duration::from_nanos(nanos) }
    }
}

impl EventStep for Count {
    fn topics(&self) -> Vec<String> {
        vec!["bench".to_owned()]
    }

    async fn process_event(&self, _ctx: &Context, event: &Event) -> StepResult {
        self.0.saw(&event.value);
        Ok(())
    }
}

fn main() {
    let report = Report::from_args();
    if !report.wants("events_kafka") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let cluster = MockCluster::new(1).expect("mock brokers");
        cluster.create_topic("bench", PARTITIONS, 1).expect("a topic");
        let brokers = cluster.bootstrap_servers();
        fill(&brokers).await;
        let mut figures: [Vec<f64>; 5] = Default::default();
        for round in 0..ROUNDS {
            let (bare, bare_processor) = bare(&brokers, round).await;
            let (step, step_processor) = step(&brokers, round).await;
            for (all, one) in
                figures.iter_mut().zip([step, bare, step / bare, step_processor, bare_processor])
            {
                all.push(one);
            }
        }
        for all in &mut figures {
            all.sort_by(f64::total_cmp);
        }
        let [steps, bares, ratios, processor, bare_processor] = figures;
        let thousandths = |figure: f64| (figure * 1000.0).round() / 1000.0;
        let figures = [
            ("events_per_second", steps[ROUNDS / 2].round()),
            ("bare_events_per_second", bares[ROUNDS / 2].round()),
            ("ratio", thousandths(ratios[ROUNDS / 2])),
            ("worst_ratio", thousandths(ratios[0])),
            ("cpu_us_per_event", thousandths(processor[ROUNDS / 2])),
            ("bare_cpu_us_per_event", thousandths(bare_processor[ROUNDS / 2])),
        ];
        report.line("events_kafka", EVENTS, &figures);
    });
}

/// Publishes all events, of 100 to 200 bytes.
async fn fill(brokers: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("queue.buffering.max.messages", "1000000");
    let producer: FutureProducer = config.create().expect("a producer");
    let mut under_way = Vec::with_capacity(EVENTS);
    for number in 0..EVENTS {
        let payload = format!("{{\"number\": {number}, \"text\": \"{}\"}}", "x".repeat(80 + number % 80));
        let key = format!("key {}", number % 1000);
        let record = FutureRecord::to("bench").key(&key).payload(&payload);
        under_way.push(producer.send_result(record).map_err(|(error, _)| error).expect("room"));
    }
    for confirmed in under_way {
        confirmed.await.expect("the producer is there").map_err(|(error, _)| error).expect("it is confirmed");
    }
}

/// A consumer that looks at each event and stores its offset, as the least that must be done.
async fn bare(brokers: &str, round: usize) -> (f64, f64) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("bare {round}"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", "100");
    let consumer: StreamConsumer = config.create().expect("a consumer");
    consumer.subscribe(&["bench"]).expect("a subscription");
    let clock = Arc::new(Clock::default());
    let counting = clock.clone();
    let reading = tokio::spawn(async move {
        let mut stream = consumer.stream();
        while counting.seen.load(Ordering::Relaxed) < EVENTS {
            let message = stream.next().await.expect("it never ends").expect("an event");
            counting.saw(message.payload().expect("a payload"));
            consumer.store_offset_from_message(&message).expect("it is assigned");
        }
    });
    reading.await.expect("it reads");
    clock.figures()
}

async fn step(brokers: &str, round: usize) -> (f64, f64) {
    let core = MockAccessor::new();
    let clock = Arc::new(Clock::default());
    let service = Synchronizer::new(format!("bench{round}")).event_step(Count(clock.clone()));
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    let mut config = Config::in_memory();
    config.engine.grace_period = Duration::from_secs(5);
    config.event_bus = EventBus::kafka([brokers]);
    let run = tokio::spawn(run_on(core.accessor(), config, service, stopped));
    clock.all.notified().await;
    let _ = stop.send(());
    run.await.expect("the run ends").expect("it ends well");
    clock.figures()
}
