//! A core on the network that publishes its changes, as a core 4.0.4 does: they wake steps without a poll.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../remote/support.rs"]
#[allow(dead_code, reason = "it is shared with other tests")]
mod support;

use std::time::Duration;

use futures_util::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use tokio::task::AbortHandle;
use xos_model_client::ModelAccessor as _;
use xos_sync::config::EventBus;
use xos_sync::prelude::*;

use support::{Lab, greeting, service, until};

const TOPIC: &str = "xos.gui_events";

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Kafka {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let producer =
            ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        Kafka { cluster, producer }
    }

    async fn publish(&self, key: &str, value: &[u8]) {
        send(&self.producer, key, value).await;
    }

    /// Publishes all that changes in the stand-in's store, until it is aborted.
    async fn publish_changes(&self, lab: &Lab) -> AbortHandle {
        let mut changes = lab.core.store().gui_events(lab.core.store().cursor().await.unwrap());
        let producer = self.producer.clone();
        let publishing = async move {
            while let Some(change) = changes.next().await {
                send(&producer, &change.key, &change.value).await;
            }
        };
        tokio::spawn(publishing).abort_handle()
    }
}

async fn send(producer: &FutureProducer, key: &str, value: &[u8]) {
    let record = FutureRecord::to(TOPIC).key(key).payload(value);
    producer.send(record, Duration::from_secs(60)).await.unwrap();
}

/// A lab whose synchronizer would look for work once an hour.
async fn lab(kafka: &Kafka) -> Lab {
    let mut lab = Lab::new().await;
    lab.config.engine.poll_interval = Duration::from_secs(3600);
    lab.config.engine.full_scan_interval = Duration::from_secs(3600);
    lab.config.event_bus = EventBus::kafka([kafka.cluster.bootstrap_servers()]);
    lab
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_published_wakes_its_step_and_bookkeeping_wakes_nobody() {
    let kafka = Kafka::new();
    let lab = lab(&kafka).await;
    let client = lab.core.client();
    let jon = client.create(service("Jon")).await.unwrap();
    let owned = |to: &str| {
        let mut instance = greeting(to);
        instance.service_instance.owner = Link::of(&jon);
        instance
    };
    let mut arya = client.create(owned("Arya")).await.unwrap();
    let publishing = kafka.publish_changes(&lab).await;
    let program = lab.start();
    until("the first one", async || lab.log.count("sync Arya") > 0).await;

    // Heard by the event, or by the scan that follows when events are heard.
    "Sansa".clone_into(&mut arya.hello_to);
    client.save(&mut arya).await.unwrap();
    until("a change", async || lab.log.count("sync Sansa") > 0).await;
    // From here on events are heard: one object comes by its event and by nothing else.
    let mut round = 0;
    loop {
        round += 1;
        until("it is quiet", async || lab.log.at_once() <= 1).await;
        lab.core.forget_calls();
        let name = format!("Bran {round}");
        name.clone_into(&mut arya.hello_to);
        client.save(&mut arya).await.unwrap();
        until("another change", async || lab.log.count(&format!("sync {name}")) > 0).await;
        let scans = lab
            .core
            .calls()
            .iter()
            .filter(|call| call.method.contains("Filter") || call.method.contains("List"))
            .count();
        if scans == 0 {
            break;
        }
        assert!(round < 20, "{:?}", lab.core.calls());
    }

    // What is none of a core's events does no harm, and what is only bookkeeping is not even read.
    kafka.publish("HelloWorldServiceInstance", b"{").await;
    kafka.publish("Nobody", b"{\"pk\": 1}").await;
    until("all is stored", async || {
        lab.status::<support::HelloWorldServiceInstance>(arya.id).await == "1 OK"
    })
    .await;
    lab.core.forget_calls();
    let bookkeeping =
        format!("{{\"pk\": {}, \"changed_fields\": [\"backend_status\", \"enacted\"]}}", arya.id.get());
    for _ in 0..20 {
        kafka.publish("HelloWorldServiceInstance", bookkeeping.as_bytes()).await;
    }
    let robb = client.create(owned("Robb")).await.unwrap();
    until("a new object", async || lab.log.count("sync Robb") > 0).await;
    let reads = |id: ObjectId| {
        let calls = lab.core.calls_of("GetHelloWorldServiceInstance");
        calls.iter().filter(|call| lab.sent(call).get("id") == Some(&id.get().to_string())).count()
    };
    assert_eq!(reads(arya.id), 0, "{:?}", lab.core.calls());
    assert!(reads(robb.id) > 0, "{:?}", lab.core.calls());

    // A deletion is an event too, and so is the end.
    client.delete(&robb).await.unwrap();
    until("the deletion", async || lab.log.count("delete Robb") > 0).await;
    publishing.abort();
    program.stop().await.unwrap();
}
