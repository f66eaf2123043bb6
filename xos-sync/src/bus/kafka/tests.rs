//! What the bus over Kafka promises, on librdkafka's own cluster of mock brokers.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::*;
use crate::bus::{Delivery, Event, Overheard, Place, Position, Publisher, Subscription, TopicPattern};

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// How long something may take that has to happen: far longer than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn cluster(topics: &[(&str, i32)]) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    for (topic, partitions) in topics {
        cluster.create_topic(topic, *partitions, 1).unwrap();
    }
    cluster
}

fn bus(cluster: &Cluster) -> KafkaBus {
    bus_at(&cluster.bootstrap_servers())
}

fn bus_at(brokers: &str) -> KafkaBus {
    let mut config = EventBus::kafka(brokers.split(','));
    config.session_timeout = Duration::from_secs(6);
    KafkaBus::new(&config, "test").unwrap()
}

fn named(topics: &[&str]) -> Topics {
    Topics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect())
}

async fn publish(bus: &KafkaBus, topic: &str, key: &str, value: &str) -> Result<(), BusError> {
    let key = Some(key.as_bytes());
    bus.publish(Message { topic, key, value: value.into(), from: Publisher::Anybody }).await
}

async fn publish_all(bus: &KafkaBus, topic: &str, numbers: std::ops::Range<usize>) {
    let published = numbers.map(|number| async move {
        publish(bus, topic, &(number % 7).to_string(), &number.to_string()).await.unwrap();
    });
    futures_util::future::join_all(published).await;
}

/// What comes next; partitions that go elsewhere are none of it.
async fn take(reader: &mut dyn Subscription) -> Vec<Event> {
    tokio::time::timeout(PATIENCE, async {
        loop {
            match reader.next().await {
                Ok(Delivery::Events(events)) => return events,
                Ok(Delivery::Revoked(_)) | Err(BusError::Away { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .unwrap()
}

async fn take_at_least(reader: &mut dyn Subscription, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(take(reader).await);
    }
    events
}

/// Waits until so many events are published and not committed.
async fn backlog_of(reader: &mut dyn Subscription, expected: u64) {
    tokio::time::timeout(PATIENCE, async {
        while reader.backlog().await.unwrap() != expected {
            let _ = tokio::time::timeout(Duration::from_millis(20), reader.next()).await;
        }
    })
    .await
    .unwrap();
}

fn numbers(events: &[Event]) -> BTreeSet<usize> {
    events.iter().map(|event| event.text().unwrap().parse().unwrap()).collect()
}

fn after(event: &Event) -> Position {
    Position { place: event.place(), next: event.offset + 1 }
}

/// The last positions of these events.
fn ends(events: &[Event]) -> Vec<Position> {
    let mut ends = BTreeMap::new();
    for event in events {
        ends.insert(event.place(), event.offset + 1);
    }
    ends.into_iter().map(|(place, next)| Position { place, next }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_group_gets_every_event_in_the_order_of_its_partition() {
    let cluster = cluster(&[("a", 3)]);
    let bus = bus(&cluster);
    publish_all(&bus, "a", 0..1500).await;
    for group in ["one", "other"] {
        let mut reader = bus.subscribe(group, &named(&["a"])).await.unwrap();
        let events = take_at_least(reader.as_mut(), 1500).await;
        assert_eq!(numbers(&events), (0..1500).collect());
        let mut last: BTreeMap<Place, i64> = BTreeMap::new();
        for event in &events {
            assert!(last.insert(event.place(), event.offset).is_none_or(|last| last + 1 == event.offset));
            assert_eq!(
                event.key_text().unwrap(),
                (event.text().unwrap().parse::<usize>().unwrap() % 7).to_string()
            );
            assert!(event.timestamp.is_some());
        }
        assert!(last.len() > 1);
        assert_eq!(reader.backlog().await.unwrap(), 1500);
        reader.commit(&ends(&events)).await.unwrap();
        backlog_of(reader.as_mut(), 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_member_goes_on_at_what_was_committed() {
    let cluster = cluster(&[("a", 1)]);
    let bus = bus(&cluster);
    publish_all(&bus, "a", 0..10).await;
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    let events = take_at_least(reader.as_mut(), 10).await;
    reader.commit(&[after(&events[3])]).await.unwrap();
    // A position that was passed is no way back.
    reader.commit(&[after(&events[1])]).await.unwrap();
    drop(reader);
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    let again = take_at_least(reader.as_mut(), 6).await;
    assert_eq!(numbers(&again), numbers(&events[4..]));
}

/// Waits until all that is published from now on is heard.
async fn heard(events: &mut dyn Overhearing) {
    tokio::time::timeout(PATIENCE, async {
        loop {
            match events.next().await {
                Ok(Overheard::FromNow) => return,
                Ok(Overheard::Events(events)) => panic!("{events:?} before it was heard"),
                Err(BusError::Away { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .unwrap();
}

/// Waits until these numbers are heard.
async fn hear(events: &mut dyn Overhearing, mut expected: BTreeSet<usize>) {
    tokio::time::timeout(PATIENCE, async {
        while !expected.is_empty() {
            match events.next().await {
                Ok(Overheard::Events(events)) => expected.retain(|number| !numbers(&events).contains(number)),
                Ok(Overheard::FromNow) | Err(BusError::Away { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{expected:?} are missed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_once_it_is_heard_is_never_missed() {
    let cluster = cluster(&[("a", 2)]);
    let bus = bus(&cluster);
    publish_all(&bus, "a", 0..100).await;
    for round in 1..20 {
        let mut events = bus.overhear("a").await.unwrap().unwrap();
        heard(events.as_mut()).await;
        let now = round * 100..round * 100 + 20;
        publish_all(&bus, "a", now.clone()).await;
        hear(events.as_mut(), now.collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_comes_later_is_overheard_also_when_the_brokers_were_away() {
    let cluster = cluster(&[]);
    let bus = bus(&cluster);
    let mut events = bus.overhear("a").await.unwrap().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(200), events.next()).await.is_err());
    cluster.create_topic("a", 1, 1).unwrap();
    heard(events.as_mut()).await;
    publish_all(&bus, "a", 0..5).await;
    hear(events.as_mut(), (0..5).collect()).await;

    cluster.broker_down(-1).unwrap();
    let away = tokio::time::timeout(PATIENCE, async {
        while !matches!(events.next().await, Err(BusError::Away { .. })) {}
    });
    away.await.unwrap();
    cluster.broker_up(-1).unwrap();
    publish_all(&bus, "a", 5..10).await;
    hear(events.as_mut(), (5..10).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_finds_topics_that_come_later() {
    let cluster = cluster(&[("onu.a", 1), ("olt.a", 1)]);
    let bus = bus(&cluster);
    let pattern = Topics::Pattern(TopicPattern::new("^onu\\..*").unwrap());
    let mut reader = bus.subscribe("group", &pattern).await.unwrap();
    publish(&bus, "olt.a", "k", "0").await.unwrap();
    publish(&bus, "onu.a", "k", "1").await.unwrap();
    assert_eq!(numbers(&take(reader.as_mut()).await), BTreeSet::from([1]));
    for topic in ["onu.b", "onu.b.group.dead", "xonu.b"] {
        cluster.create_topic(topic, 2, 1).unwrap();
        publish(&bus, topic, "k", "2").await.unwrap();
    }
    let event = take(reader.as_mut()).await.remove(0);
    assert_eq!((&*event.topic, event.text().unwrap()), ("onu.b", "2"));
    publish(&bus, "onu.b", "k", "3").await.unwrap();
    assert_eq!(numbers(&take(reader.as_mut()).await), BTreeSet::from([3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_yet_is_waited_for() {
    let cluster = cluster(&[("a", 1)]);
    let bus = bus(&cluster);
    let mut reader = bus.subscribe("group", &named(&["a", "later"])).await.unwrap();
    publish(&bus, "a", "k", "1").await.unwrap();
    assert_eq!(numbers(&take(reader.as_mut()).await), BTreeSet::from([1]));
    cluster.create_topic("later", 1, 1).unwrap();
    publish(&bus, "later", "k", "2").await.unwrap();
    assert_eq!(numbers(&take(reader.as_mut()).await), BTreeSet::from([2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_held_delivers_the_rest_when_it_is_released() {
    let cluster = cluster(&[("a", 1), ("b", 1)]);
    let bus = bus(&cluster);
    publish_all(&bus, "a", 0..10).await;
    let mut reader = bus.subscribe("group", &named(&["a", "b"])).await.unwrap();
    let mut of_a = take_at_least(reader.as_mut(), 1).await;
    let held = of_a[0].place();
    reader.hold(&held);
    publish_all(&bus, "a", 10..20).await;
    publish(&bus, "b", "k", "100").await.unwrap();
    loop {
        let events = take(reader.as_mut()).await;
        if events.iter().any(|event| &*event.topic == "b") {
            break;
        }
        of_a.extend(events);
    }
    assert!(of_a.iter().all(|event| event.offset < 10), "{of_a:?}");
    reader.release(&held);
    while of_a.len() < 20 {
        of_a.extend(take(reader.as_mut()).await);
    }
    assert_eq!(of_a.iter().map(|event| event.offset).collect::<Vec<_>>(), (0..20).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_go_away_are_told_of_and_waited_for() {
    let cluster = cluster(&[("a", 1)]);
    let bus = bus(&cluster);
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    publish(&bus, "a", "k", "1").await.unwrap();
    let events = take(reader.as_mut()).await;
    cluster.broker_down(1).unwrap();
    let away = tokio::time::timeout(PATIENCE, reader.next()).await.unwrap();
    assert!(matches!(away, Err(BusError::Away { .. })), "{away:?}");
    let (published, ()) = tokio::join!(publish(&bus, "a", "k", "2"), async {
        reader.commit(&[after(&events[0])]).await.unwrap();
        cluster.broker_up(1).unwrap();
    });
    published.unwrap();
    assert_eq!(numbers(&take(reader.as_mut()).await), BTreeSet::from([2]));
    // What could not be committed then is committed meanwhile, without another word.
    backlog_of(reader.as_mut(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_away_at_the_start_are_told_of() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bus = bus_at(&format!("127.0.0.1:{port}"));
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    let error = tokio::time::timeout(PATIENCE, reader.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, BusError::Away { .. }), "{error}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    // Once for one absence.
    assert!(tokio::time::timeout(Duration::from_secs(1), reader.next()).await.is_err());
}

/// Who processed which event.
type Seen = Mutex<Vec<(&'static str, usize)>>;

/// Reads, processes and commits.
async fn member(bus: &KafkaBus, seen: &Seen, name: &'static str) {
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    loop {
        match reader.next().await {
            Ok(Delivery::Events(events)) => {
                seen.lock().unwrap().extend(numbers(&events).into_iter().map(|number| (name, number)));
                reader.commit(&ends(&events)).await.unwrap();
            }
            Ok(Delivery::Revoked(_)) | Err(BusError::Away { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_partitions_and_repeat_nothing_that_was_committed() {
    let cluster = cluster(&[("a", 4)]);
    let bus = bus(&cluster);
    let seen = Seen::default();
    let publishing = async {
        let mut total = 0;
        let both = || seen.lock().unwrap().iter().map(|(name, _)| *name).collect::<BTreeSet<_>>().len() == 2;
        while total < 100 || !both() {
            publish_all(&bus, "a", total..total + 20).await;
            total += 20;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let all = || seen.lock().unwrap().iter().map(|(_, number)| *number).collect::<BTreeSet<_>>().len();
        while all() < total {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        total
    };
    let total = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            total = publishing => total,
            () = member(&bus, &seen, "one") => unreachable!(),
            () = member(&bus, &seen, "other") => unreachable!(),
        }
    });
    let total = total.await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), total, "each was committed before its partition went elsewhere");
}

/// What was committed too late comes again: a broker may refuse a commit while it shares partitions out anew.
async fn commit_while_partitions_go() -> Result<(), String> {
    let cluster = cluster(&[("a", 2)]);
    let bus = bus(&cluster);
    publish_all(&bus, "a", 0..40).await;
    let mut one = bus.subscribe("group", &named(&["a"])).await.unwrap();
    let events = take_at_least(one.as_mut(), 40).await;
    let mut other = bus.subscribe("group", &named(&["a"])).await.unwrap();
    let taking = async move {
        let events = take(other.as_mut()).await;
        (events, other)
    };
    let revoked = async {
        loop {
            if let Ok(Delivery::Revoked(places)) = one.next().await {
                break places;
            }
        }
    };
    let mut taking = std::pin::pin!(taking);
    let places = tokio::select! {
        places = revoked => places,
        (events, _) = taking.as_mut() => panic!("{events:?} before they were given up"),
    };
    let given_up: Vec<Event> =
        events.iter().filter(|event| places.contains(&event.place())).cloned().collect();
    // All but the last one of each partition that goes.
    let positions: Vec<Position> = ends(&given_up)
        .into_iter()
        .map(|position| Position { next: position.next - 1, ..position })
        .collect();
    let last: BTreeSet<(Place, i64)> =
        positions.iter().map(|position| (position.place.clone(), position.next)).collect();
    one.commit(&positions).await.unwrap();
    let rest = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            rest = taking.as_mut() => rest,
            // Partitions may come back, and events with them.
            () = async { loop { let _ = one.next().await; } } => unreachable!(),
        }
    });
    let (rest, mut other) = rest.await.unwrap();
    assert!(!rest.is_empty());
    if let Some(event) = rest.iter().find(|event| !last.contains(&(event.place(), event.offset))) {
        return Err(format!("{event:?} was committed: {last:?}"));
    }
    // They are somebody else's now.
    one.commit(&ends(&given_up)).await.unwrap();
    let backlog = other.backlog().await.unwrap();
    assert_eq!(backlog, rest.len() as u64);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_processed_can_be_committed_until_a_partition_is_gone() {
    let mut ends = Vec::new();
    while !ends.contains(&Ok(())) {
        assert!(ends.len() < 3, "{ends:?}");
        ends.push(commit_while_partitions_go().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_is_refused_with_a_reason() {
    let cluster = cluster(&[("a", 1)]);
    let bus = bus(&cluster);
    let error = publish(&bus, "a", "k", &"x".repeat(2_000_000)).await.unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }));
    assert!(error.to_string().contains("topic a: it has 2000001 bytes, more than brokers take"), "{error}");
    for name in ["", "..", "a b", "^a", &"x".repeat(250)] {
        let error = publish(&bus, name, "k", "x").await.unwrap_err();
        assert!(
            matches!(error, BusError::Refused { .. }) && error.to_string().contains("a name has 1 to 249"),
            "{error}"
        );
    }
    let error =
        bus.subscribe("group", &Topics::Pattern(TopicPattern::new("a\\b").unwrap())).await.err().unwrap();
    assert!(error.to_string().contains("the pattern \"a\\\\b\" of topics: borders of words"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_brokers_is_bounded_and_goes_out_at_the_end() {
    let cluster = cluster(&[("a", 1)]);
    let bus = Arc::new(bus(&cluster));
    publish(&bus, "a", "k", "0").await.unwrap();
    cluster.broker_down(1).unwrap();
    let large = "x".repeat(900_000);
    let publishing: Vec<_> = (0..100)
        .map(|_| {
            let (bus, large) = (bus.clone(), large.clone());
            tokio::spawn(async move { publish(&bus, "a", "k", &large).await })
        })
        .collect();
    let waiting = async {
        while bus.room.available_permits() > 1024 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    let in_flight = bus.producer().unwrap().in_flight_count();
    assert!((60..80).contains(&in_flight), "{in_flight}");
    cluster.broker_up(1).unwrap();
    for published in publishing {
        published.await.unwrap().unwrap();
    }
    // Those who publish without waiting are waited for at the end.
    let mut published = Box::pin(publish(&bus, "a", "k", "last"));
    let sent =
        std::future::poll_fn(|cx| std::task::Poll::Ready(published.as_mut().poll(cx).is_pending())).await;
    assert!(sent);
    drop(published);
    bus.close(PATIENCE).await;
    let bus = self::bus(&cluster);
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    // The mock brokers keep the last 5 MB of a partition.
    loop {
        let events = take(reader.as_mut()).await;
        if let Some(last) = events.last().filter(|event| event.value == "last") {
            assert_eq!(last.offset, 101);
            break;
        }
    }
}

/// That librdkafka was built with what TLS and passwords need; whether a broker takes them is not tested here.
#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn every_way_to_show_a_user_is_built_in_and_a_missing_authority_is_named() {
    use crate::config::SaslMechanism;

    for (tls, mechanism) in [
        (true, SaslMechanism::Plain),
        (true, SaslMechanism::ScramSha256),
        (false, SaslMechanism::ScramSha512),
    ] {
        let mut config = EventBus::kafka(["127.0.0.1:1"]);
        config.tls = tls;
        (config.username, config.password) = (Some("arya".to_owned()), Some("needle".into()));
        config.sasl_mechanism = mechanism;
        let bus = KafkaBus::new(&config, "test").unwrap();
        let shown = bus.describe();
        assert!(!shown.contains("needle"), "{shown}");
        bus.close(Duration::ZERO).await;
    }
    let mut config = EventBus::kafka(["127.0.0.1:1"]);
    (config.tls, config.ca_file) = (true, Some("/nowhere/ca.pem".into()));
    let error = KafkaBus::new(&config, "test").map(drop).unwrap_err().to_string();
    assert!(error.contains("/nowhere/ca.pem"), "{error}");
}
