//! Event steps on a bus that goes away, takes partitions back, and refuses.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::beside::Setting;
use crate::bus::{
    Bus, BusError, Delivery, Message, Place, Position, ProcessBus, Publisher, Subscription, Topics,
};
use crate::context::Around;
use crate::testing::MockAccessor;

/// A bus in process that a test can disturb.
struct Rough {
    inner: ProcessBus,
    script: Arc<Script>,
}

#[derive(Default)]
struct Script {
    is_away: AtomicBool,
    /// How often somebody subscribed.
    subscribed: AtomicUsize,
    /// How often the next subscriptions are refused.
    refuse: AtomicUsize,
    /// How often the next publications fail.
    refuse_letters: AtomicUsize,
    /// What is told before the next events.
    first: Mutex<VecDeque<Result<Delivery, BusError>>>,
    commits: Mutex<Vec<(Instant, Vec<Position>)>>,
}

fn away() -> BusError {
    BusError::Away { reason: "connection refused".to_owned() }
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

#[async_trait]
impl Bus for Rough {
    fn describe(&self) -> String {
        "rough".to_owned()
    }

    async fn publish(&self, message: Message<'_>) -> Result<(), BusError> {
        if message.topic != "t" && one_less(&self.script.refuse_letters) {
            return Err(away());
        }
        self.inner.publish(message).await
    }

    async fn subscribe(&self, group: &str, topics: &Topics) -> Result<Box<dyn Subscription>, BusError> {
        self.script.subscribed.fetch_add(1, Ordering::SeqCst);
        if one_less(&self.script.refuse) {
            return Err(BusError::refused(format!("the group {group}"), "not authorized"));
        }
        let inner = self.inner.subscribe(group, topics).await?;
        Ok(Box::new(RoughReader { inner, script: self.script.clone() }))
    }
}

struct RoughReader {
    inner: Box<dyn Subscription>,
    script: Arc<Script>,
}

#[async_trait]
impl Subscription for RoughReader {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        if let Some(first) = self.script.first.lock().unwrap().pop_front() {
            return first;
        }
        if self.script.is_away.load(Ordering::SeqCst) {
            return Err(away());
        }
        self.inner.next().await
    }

    fn hold(&mut self, place: &Place) {
        self.inner.hold(place);
    }

    fn release(&mut self, place: &Place) {
        self.inner.release(place);
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        if self.script.is_away.load(Ordering::SeqCst) {
            return Err(away());
        }
        self.script.commits.lock().unwrap().push((Instant::now(), positions.to_vec()));
        self.inner.commit(positions).await
    }

    async fn backlog(&mut self) -> Result<u64, BusError> {
        self.inner.backlog().await
    }
}

/// Says what it is given; an event "slow" takes an hour, "bad" fails.
struct Say(Arc<Mutex<Vec<String>>>);

impl EventStep for Say {
    fn topics(&self) -> Vec<String> {
        vec!["t".to_owned()]
    }

    async fn process_event(&self, _ctx: &Context, event: &Event) -> StepResult {
        let text = event.text()?.to_owned();
        self.0.lock().unwrap().push(text.clone());
        match text.as_str() {
            "slow" => tokio::time::sleep(Duration::from_secs(300)).await,
            "bad" => return Err("I cannot".into()),
            _ => {}
        }
        Ok(())
    }

    fn on_failure(&self) -> GiveUp {
        GiveUp::dead_letter(1)
    }
}

struct Bench {
    script: Arc<Script>,
    bus: Arc<dyn Bus>,
    said: Arc<Mutex<Vec<String>>>,
    stop: watch::Sender<bool>,
    engine: EventEngine,
}

impl Bench {
    async fn start(script: Script) -> Self {
        let script = Arc::new(script);
        let bus: Arc<dyn Bus> = Arc::new(Rough { inner: ProcessBus::new(), script: script.clone() });
        let said = Arc::new(Mutex::new(Vec::new()));
        let setting = Setting {
            accessor: MockAccessor::new().accessor(),
            around: Around::with_bus("lab", bus.clone()),
            engine: crate::config::Engine::default(),
            span: tracing::Span::none(),
        };
        let (stop, stopped) = watch::channel(false);
        let steps = [erase(Say(said.clone()))];
        let engine = EventEngine::start(&steps, &setting, &stopped).await.unwrap();
        Bench { script, bus, said, stop, engine }
    }

    async fn publish(&self, text: &str) {
        let message = Message { topic: "t", key: None, value: text.into(), from: Publisher::Anybody };
        self.bus.publish(message).await.unwrap();
    }

    fn count(&self, text: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|said| *said == text).count()
    }

    async fn says(&self, text: &str, times: usize) {
        for _ in 0..100_000 {
            if self.count(text) >= times {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.count(text), times, "{text}: {:?}", self.said.lock().unwrap());
    }

    async fn stop(self) -> Arc<Script> {
        self.stop.send_replace(true);
        self.engine.end().await;
        self.script
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_waited_for_and_nothing_is_lost_or_committed_meanwhile() {
    let bench = Bench::start(Script { is_away: true.into(), ..Script::default() }).await;
    bench.publish("one").await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.count("one"), 0);
    bench.script.is_away.store(false, Ordering::SeqCst);
    bench.says("one", 1).await;
    bench.script.is_away.store(true, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(bench.script.commits.lock().unwrap().is_empty());
    bench.script.is_away.store(false, Ordering::SeqCst);
    bench.publish("two").await;
    bench.says("two", 1).await;
    let script = bench.stop().await;
    assert_eq!(script.subscribed.load(Ordering::SeqCst), 1, "it need not subscribe again");
    let commits = script.commits.lock().unwrap();
    assert_eq!(commits.last().unwrap().1[0].next, 2);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_refused_or_lost_is_made_again() {
    let bench = Bench::start(Script { refuse: 3.into(), ..Script::default() }).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    bench.publish("one").await;
    bench.says("one", 1).await;
    let lost = BusError::Lost { reason: "fenced".to_owned() };
    bench.script.first.lock().unwrap().push_back(Err(lost));
    tokio::time::sleep(Duration::from_secs(60)).await;
    bench.publish("two").await;
    bench.says("two", 1).await;
    bench.publish("three").await;
    bench.says("three", 1).await;
    assert_eq!(bench.count("one"), 1, "it was committed before");
    let script = bench.stop().await;
    assert_eq!(script.subscribed.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_is_taken_away_is_left_and_not_committed() {
    let bench = Bench::start(Script::default()).await;
    bench.publish("slow").await;
    bench.publish("behind").await;
    bench.says("slow", 1).await;
    let place = Place { topic: "t".into(), partition: 0 };
    bench.script.first.lock().unwrap().push_back(Ok(Delivery::Revoked(vec![place])));
    let other = Message { topic: "t", key: Some(b"b"), value: "other".into(), from: Publisher::Anybody };
    bench.bus.publish(other).await.unwrap();
    bench.says("other", 1).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.count("behind"), 0, "what was taken away is somebody else's");
    let script = bench.stop().await;
    let commits = script.commits.lock().unwrap();
    assert!(commits.iter().all(|(_, positions)| positions.iter().all(|at| at.place.partition != 0)));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_committed_only_when_its_dead_letter_was_delivered() {
    let bench = Bench::start(Script { refuse_letters: 4.into(), ..Script::default() }).await;
    bench.publish("bad").await;
    bench.says("bad", 1).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(bench.script.commits.lock().unwrap().is_empty());
    bench.publish("next").await;
    bench.says("next", 1).await;
    let drained = bench.engine.drain().await;
    assert_eq!((drained.settled, drained.stuck, bench.count("bad")), (2, 0, 1));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn commits_are_gathered_for_100_ms_or_1000_events_and_the_last_one_comes_at_the_end() {
    let bench = Bench::start(Script::default()).await;
    for _ in 0..10 {
        bench.publish("x").await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    bench.says("x", 10).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let so_far = bench.script.commits.lock().unwrap().len();
    assert!((3..=4).contains(&so_far), "{so_far} commits in 300 ms");
    bench.publish("last").await;
    bench.says("last", 1).await;
    let script = bench.stop().await;
    let commits = script.commits.lock().unwrap();
    assert_eq!((commits.len(), commits.last().unwrap().1[0].next), (so_far + 1, 11));
}
