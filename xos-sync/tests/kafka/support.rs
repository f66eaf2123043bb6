//! Mock brokers, somebody who publishes and looks what is committed, and steps that note what they are given.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use xos_sync::config::EventBus;
use xos_sync::prelude::*;
use xos_sync::run_until;

/// How long something may take that has to happen: far longer than it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Mock brokers with these topics, of so many partitions each.
pub(crate) struct Kafka {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Kafka {
    pub(crate) fn new(topics: &[(&str, i32)]) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for (topic, partitions) in topics {
            cluster.create_topic(topic, *partitions, 1).unwrap();
        }
        let producer =
            ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        Kafka { cluster, producer }
    }

    pub(crate) fn brokers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    pub(crate) async fn publish(&self, topic: &str, key: &str, value: &str) {
        let record = FutureRecord::to(topic).key(key).payload(value);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    pub(crate) async fn publish_all(&self, topic: &str, numbers: std::ops::Range<usize>) {
        let all = numbers.map(|number| async move {
            self.publish(topic, &(number % 5).to_string(), &number.to_string()).await;
        });
        futures_util::future::join_all(all).await;
    }

    /// What is in the only partition of a topic, as key and text.
    pub(crate) async fn content(&self, topic: &str) -> Vec<(String, String)> {
        let (brokers, topic) = (self.brokers(), topic.to_owned());
        let read = move || {
            let consumer: BaseConsumer = reader(&brokers, "content");
            let (first, end) = consumer.fetch_watermarks(&topic, 0, PATIENCE).unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&topic, 0, Offset::Offset(first)).unwrap();
            consumer.assign(&list).unwrap();
            let mut content = Vec::new();
            while content.len() < usize::try_from(end - first).unwrap() {
                if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
                    content.push((text(message.key()), text(message.payload())));
                }
            }
            content
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// What a group has committed of the only partition of a topic.
    pub(crate) async fn committed(&self, group: &str, topic: &str) -> i64 {
        let (brokers, group, topic) = (self.brokers(), group.to_owned(), topic.to_owned());
        let ask = move || {
            let consumer: BaseConsumer = reader(&brokers, &group);
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, 0);
            let list = consumer.committed_offsets(list, PATIENCE).unwrap();
            list.elements()[0].offset().to_raw().filter(|offset| *offset >= 0).unwrap_or(0)
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    pub(crate) fn config(&self, database: &Path) -> Config {
        let mut config = Config::embedded(database);
        config.event_bus = event_bus(&self.brokers());
        config
    }
}

pub(crate) fn event_bus(brokers: &str) -> EventBus {
    let mut bus = EventBus::kafka(brokers.split(','));
    bus.session_timeout = Duration::from_secs(6);
    bus.gui_events = false;
    bus
}

fn reader(brokers: &str, group: &str) -> BaseConsumer {
    ClientConfig::new().set("bootstrap.servers", brokers).set("group.id", group).create().unwrap()
}

/// What steps were given.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| *line == text).count()
    }
}

/// Notes events; those that say `bad` fail.
pub(crate) struct Note {
    pub(crate) log: Log,
    pub(crate) name: &'static str,
    pub(crate) give_up: GiveUp,
}

impl Note {
    pub(crate) fn new(log: &Log, name: &'static str) -> Self {
        Note { log: log.clone(), name, give_up: GiveUp::Park }
    }
}

impl EventStep for Note {
    fn topics(&self) -> Vec<String> {
        vec!["pods".to_owned()]
    }

    async fn process_event(&self, _: &Context, event: &Event) -> StepResult {
        self.log.say(format!("{} {}", self.name, event.text()?));
        if event.text()? == "bad" { Err("it is bad".into()) } else { Ok(()) }
    }

    fn on_failure(&self) -> GiveUp {
        self.give_up.clone()
    }

    fn name(&self) -> &'static str {
        self.name
    }
}

/// A synchronizer at work.
pub(crate) struct Program {
    stop: oneshot::Sender<()>,
    task: JoinHandle<xos_sync::Result<()>>,
}

impl Program {
    pub(crate) fn start(config: Config, service: Synchronizer) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        Program { stop, task: tokio::spawn(run_until(config, service, stopped)) }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "this did not happen: {what}");
}
