//! What the bus in this process promises.

use super::*;
use crate::bus::{Delivery, Place, Position, TopicPattern};

fn named(topics: &[&str]) -> Topics {
    Topics::Named(topics.iter().map(|topic| (*topic).to_owned()).collect())
}

fn pattern(text: &str) -> Topics {
    Topics::Pattern(TopicPattern::new(text).unwrap())
}

async fn publish(bus: &ProcessBus, topic: &str, key: Option<&str>, value: &str) -> Result<(), BusError> {
    let key = key.map(str::as_bytes);
    bus.publish(Message { topic, key, value: value.into(), from: Publisher::Anybody }).await
}

async fn take(reader: &mut dyn Subscription) -> Vec<Event> {
    match reader.next().await.unwrap() {
        Delivery::Events(events) => events,
        Delivery::Revoked(_) => Vec::new(),
    }
}

fn texts(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.text().unwrap()).collect()
}

fn after(event: &Event) -> Position {
    Position { place: event.place(), next: event.offset + 1 }
}

fn kept(bus: &ProcessBus) -> usize {
    bus.shared.lock().kept()
}

fn small(events: u64) -> ProcessBus {
    ProcessBus::with_room(Room { events, bytes: 1000, ..Room::default() })
}

#[tokio::test]
async fn every_group_gets_every_event_in_order() {
    let bus = ProcessBus::new();
    let mut one = bus.subscribe("one", &named(&["a"])).await.unwrap();
    let mut other = bus.subscribe("other", &named(&["b", "a"])).await.unwrap();
    for number in 0..2000 {
        publish(&bus, "a", Some("key"), &number.to_string()).await.unwrap();
    }
    for reader in [&mut one, &mut other] {
        let mut all = Vec::new();
        while all.len() < 2000 {
            all.extend(take(reader.as_mut()).await);
        }
        let numbers: Vec<i64> = all.iter().map(|event| event.text().unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, (0..2000).collect::<Vec<i64>>());
        assert!(all.iter().zip(numbers).all(|(event, number)| event.offset == number));
    }
}

#[tokio::test]
async fn events_are_kept_until_all_have_committed_them_and_not_when_nobody_wants_them() {
    let bus = ProcessBus::new();
    publish(&bus, "a", None, "early").await.unwrap();
    assert_eq!(kept(&bus), 0);
    let mut one = bus.subscribe("one", &named(&["a"])).await.unwrap();
    let mut other = bus.subscribe("other", &named(&["a"])).await.unwrap();
    publish(&bus, "a", None, "x").await.unwrap();
    publish(&bus, "a", None, "y").await.unwrap();
    let events = take(one.as_mut()).await;
    assert_eq!(texts(&events), ["x", "y"]);
    one.commit(&[after(&events[1])]).await.unwrap();
    assert_eq!((kept(&bus), one.backlog().await.unwrap()), (2, 0));
    other.commit(&[after(&events[0])]).await.unwrap();
    assert_eq!((kept(&bus), other.backlog().await.unwrap()), (1, 1));
    other.commit(&[after(&events[1])]).await.unwrap();
    assert_eq!(kept(&bus), 0);
}

#[tokio::test]
async fn what_was_not_committed_is_delivered_again_to_the_next_reader() {
    let bus = ProcessBus::new();
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    for value in ["x", "y", "z"] {
        publish(&bus, "a", None, value).await.unwrap();
    }
    let events = take(reader.as_mut()).await;
    reader.commit(&[after(&events[0])]).await.unwrap();
    let error = bus.subscribe("group", &named(&["a"])).await.err().unwrap().to_string();
    assert!(error.contains("the group group: somebody in this process reads for it already"), "{error}");
    drop(reader);
    publish(&bus, "a", None, "w").await.unwrap();
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    assert_eq!(texts(&take(reader.as_mut()).await), ["y", "z", "w"]);
}

#[tokio::test]
async fn a_pattern_matches_topics_that_come_later() {
    let bus = ProcessBus::new();
    let mut reader = bus.subscribe("group", &pattern("onu\\.")).await.unwrap();
    publish(&bus, "olt.events", None, "no").await.unwrap();
    publish(&bus, "onu.events", None, "yes").await.unwrap();
    assert_eq!(texts(&take(reader.as_mut()).await), ["yes"]);
    let mut late = bus.subscribe("late", &pattern("onu\\.")).await.unwrap();
    publish(&bus, "onu.events", None, "more").await.unwrap();
    assert_eq!(texts(&take(late.as_mut()).await), ["more"]);
}

#[tokio::test]
async fn a_partition_that_is_held_delivers_nothing_until_it_is_released() {
    let bus = ProcessBus::new();
    let mut reader = bus.subscribe("group", &named(&["a", "b"])).await.unwrap();
    publish(&bus, "a", None, "first").await.unwrap();
    let held = Place { topic: "a".into(), partition: 0 };
    reader.hold(&held);
    publish(&bus, "a", None, "second").await.unwrap();
    publish(&bus, "b", None, "other").await.unwrap();
    assert_eq!(texts(&take(reader.as_mut()).await), ["other"]);
    reader.release(&held);
    assert_eq!(texts(&take(reader.as_mut()).await), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_for_the_slowest_group_and_gives_up_with_its_name() {
    let bus = small(2);
    let mut reader = bus.subscribe("slow.Step", &named(&["a"])).await.unwrap();
    publish(&bus, "a", None, "x").await.unwrap();
    publish(&bus, "a", None, "y").await.unwrap();
    let error = publish(&bus, "a", None, "z").await.unwrap_err().to_string();
    assert!(error.contains("topic a: no room for the event within 30 s: slow.Step is 2 events"), "{error}");
    let events = take(reader.as_mut()).await;
    let third = publish(&bus, "a", None, "z");
    let (third, ()) = tokio::join!(third, async {
        tokio::task::yield_now().await;
        reader.commit(&[after(&events[0])]).await.unwrap();
    });
    third.unwrap();
    assert_eq!(texts(&take(reader.as_mut()).await), ["z"]);
}

#[tokio::test(start_paused = true)]
async fn bytes_count_and_one_large_event_always_has_room() {
    let bus = small(100);
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    publish(&bus, "a", None, &"x".repeat(5000)).await.unwrap();
    assert!(matches!(publish(&bus, "a", None, "y").await, Err(BusError::Full { .. })));
    let events = take(reader.as_mut()).await;
    reader.commit(&[after(&events[0])]).await.unwrap();
    publish(&bus, "a", None, "y").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_event_step_that_publishes_to_its_own_full_topic_goes_on() {
    let bus = small(3);
    let mut reader = bus.subscribe("group", &named(&["a"])).await.unwrap();
    for value in ["x", "y", "z"] {
        publish(&bus, "a", None, value).await.unwrap();
    }
    let mut handled = 0;
    while handled < 10 {
        for event in take(reader.as_mut()).await {
            let again =
                Message { topic: "a", key: None, value: event.value.to_vec(), from: Publisher::EventStep };
            bus.publish(again).await.unwrap();
            reader.commit(&[after(&event)]).await.unwrap();
            handled += 1;
        }
    }
    assert_eq!(reader.backlog().await.unwrap(), 3);
}

#[test]
fn keys_are_spread() {
    let mut used = std::collections::HashSet::new();
    for key in 0..100 {
        used.insert(partition_of(Some(key.to_string().as_bytes())));
    }
    assert_eq!(used.len(), PARTITIONS as usize);
    assert!(used.iter().all(|partition| (0..PARTITIONS).contains(partition)));
}
