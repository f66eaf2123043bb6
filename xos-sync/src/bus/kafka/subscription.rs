//! A member of a consumer group.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use xos_model_client::Timestamp;

use super::progress::Progress;
use super::told::{Revoked, Told, give_up};
use super::{Closing, on_a_thread, why};
use crate::bus::{BATCH, BusError, Delivery, Event, Place, Position, Subscription};

/// How long a group is waited for to be joined where a broker answers: one is joined only when a topic is there.
const JOIN: Duration = Duration::from_secs(20);

/// After this time a partition that is held is paused.
const PAUSE: Duration = Duration::from_millis(100);

/// The size of a piece of memory that events are copied to, in bytes.
const PIECE: usize = 32 * 1024;

/// How long one question to the brokers may take.
pub(super) const QUESTION: Duration = Duration::from_secs(5);

/// A member of a consumer group.
///
/// What the owner commits is stored with librdkafka, which sends it to the brokers ten times a second, before a partition
/// is given up and when the group is left, again and again until it is confirmed.
pub(super) struct KafkaSubscription {
    /// There until it is dropped.
    consumer: Option<Arc<StreamConsumer<Told>>>,
    progress: Progress,
    /// Where the bytes of events are copied to.
    bytes: BytesMut,
    /// Events that were taken and not delivered.
    ready: Vec<Event>,
    /// Partitions of which nothing is to be delivered now, with what was taken of them.
    held: Vec<Held>,
    /// What came instead of an event while events were ready.
    trouble: Option<BusError>,
    /// What the owner was told to be revoked: with the next call it is given up.
    revoked: Option<Revoked>,
    /// The owner was told that the brokers are away, and nothing came since.
    away: bool,
    closing: Closing,
    since: Instant,
}

/// A partition that is held. librdkafka forgets what it has read ahead of one that is paused: for a moment, it is
/// cheaper to keep what comes and then to read nothing at all.
struct Held {
    place: Place,
    since: Instant,
    events: Vec<Event>,
    paused: bool,
}

impl Held {
    fn is_of(&self, event: &Event) -> bool {
        self.place.partition == event.partition && self.place.topic == event.topic
    }
}

impl KafkaSubscription {
    pub(super) fn new(config: &ClientConfig, topics: &[String], closing: Closing) -> Result<Self, BusError> {
        let refused = |error: KafkaError| BusError::refused("these topics", why(&error));
        let consumer: StreamConsumer<Told> = config.create_with_context(Told::default()).map_err(refused)?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(refused)?;
        Ok(KafkaSubscription {
            consumer: Some(Arc::new(consumer)),
            progress: Progress::default(),
            bytes: BytesMut::new(),
            ready: Vec::new(),
            held: Vec::new(),
            trouble: None,
            revoked: None,
            away: false,
            closing,
            since: Instant::now(),
        })
    }

    fn consumer(&self) -> Result<&Arc<StreamConsumer<Told>>, BusError> {
        self.consumer.as_ref().ok_or_else(|| BusError::Lost { reason: "it was closed".to_owned() })
    }

    /// Pauses partitions that are held for long and have enough events here. When to look again, where some have enough
    /// and are not paused yet.
    fn pause(&mut self) -> Option<Instant> {
        let Some(consumer) = &self.consumer else { return None };
        let mut look = None;
        for held in &mut self.held {
            if held.paused || held.events.len() < BATCH {
                continue;
            }
            let pause_at = held.since + PAUSE;
            if Instant::now() < pause_at {
                look = look.max(Some(pause_at));
            } else {
                held.paused = true;
                if let Err(error) = consumer.pause(&list_of(std::slice::from_ref(&held.place))) {
                    tracing::debug!(e = %why(&error), "a partition cannot be paused");
                }
            }
        }
        look
    }

    /// Waits until something has come, and takes what is there.
    async fn take(&mut self) -> Result<(), BusError> {
        if let Some(look) = self.pause() {
            // Soon it is released, or paused.
            tokio::time::sleep_until(look.into()).await;
            return Ok(());
        }
        let consumer = self.consumer()?.clone();
        let mut stream = consumer.stream();
        let (ready, progress, trouble) = (&mut self.ready, &mut self.progress, &mut self.trouble);
        let bytes = &mut self.bytes;
        let held = &mut self.held;
        // Threads that count the references to one name, up here and down there, wait for each other.
        let mut names: Option<(Arc<str>, Arc<str>)> = None;
        poll_fn(|cx| {
            while ready.len() < BATCH && trouble.is_none() {
                match stream.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(message))) => {
                        let came = progress.came(message.topic(), message.partition(), message.offset());
                        if let Some(topic) = came {
                            let known = names.as_ref().is_some_and(|(of, _)| Arc::ptr_eq(of, topic));
                            if !known {
                                names = Some((topic.clone(), Arc::from(&**topic)));
                            }
                            let Some((_, name)) = &names else { continue };
                            let event = event_of(&message, name.clone(), bytes);
                            match held.iter_mut().find(|held| held.is_of(&event)) {
                                Some(held) => {
                                    held.events.push(event);
                                    // Of one that is paused, what was on its way still comes.
                                    if held.events.len() >= BATCH && !held.paused {
                                        return Poll::Ready(());
                                    }
                                }
                                None => ready.push(event),
                            }
                        }
                    }
                    Poll::Ready(Some(Err(error))) => *trouble = judged(&error, consumer.context()),
                    Poll::Ready(None) => {
                        *trouble = Some(BusError::Lost { reason: "it has ended".to_owned() });
                    }
                    Poll::Pending if ready.is_empty() && !consumer.context().is_revoked() => {
                        return Poll::Pending;
                    }
                    Poll::Pending => break,
                }
            }
            Poll::Ready(())
        })
        .await;
        if self.ready.len() >= BATCH {
            // For the same reason, a piece of memory is not shared with the next ones when they come that fast.
            self.bytes = BytesMut::new();
        }
        Ok(())
    }

    /// The brokers' absence is worth a word once.
    fn is_worth_a_word(&mut self, trouble: &BusError) -> bool {
        if !matches!(trouble, BusError::Away { .. }) {
            return true;
        }
        let is_known =
            self.away && !self.consumer.as_ref().is_some_and(|consumer| consumer.context().was_up());
        self.away = true;
        !is_known
    }

    /// Gives up what the owner was told of before.
    fn let_go(&mut self) -> Result<(), BusError> {
        let Some(revoked) = self.revoked.take() else { return Ok(()) };
        self.progress.forget(&revoked.places);
        give_up(self.consumer()?.as_ref(), &list_of(&revoked.places));
        Ok(())
    }
}

#[async_trait]
impl Subscription for KafkaSubscription {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        self.let_go()?;
        loop {
            if let Some(revoked) = self.consumer()?.context().take_revoked() {
                self.progress.revoke(&revoked.places, &mut self.ready);
                self.held.retain(|held| !revoked.places.contains(&held.place));
                let places = revoked.places.clone();
                self.revoked = Some(revoked);
                return Ok(Delivery::Revoked(places));
            }
            if !self.ready.is_empty() {
                self.away = false;
                // Where many come, as many come again.
                let next = Vec::with_capacity(if self.ready.len() < BATCH { 0 } else { BATCH });
                return Ok(Delivery::Events(std::mem::replace(&mut self.ready, next)));
            }
            if let Some(trouble) = self.trouble.take()
                && self.is_worth_a_word(&trouble)
            {
                return Err(trouble);
            }
            self.take().await?;
        }
    }

    fn hold(&mut self, place: &Place) {
        if self.held.iter().all(|held| held.place != *place) {
            let (since, events) = (Instant::now(), Vec::new());
            self.held.push(Held { place: place.clone(), since, events, paused: false });
        }
    }

    fn release(&mut self, place: &Place) {
        let Some(at) = self.held.iter().position(|held| held.place == *place) else { return };
        let held = self.held.swap_remove(at);
        // What was taken before it was held comes first.
        self.ready.extend(held.events);
        let Some(consumer) = self.consumer.as_ref().filter(|_| held.paused) else { return };
        if let Err(error) = consumer.resume(&list_of(std::slice::from_ref(place))) {
            tracing::debug!(e = %why(&error), "a partition cannot be released");
        }
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for position in positions.iter().filter(|position| self.progress.processed(position)) {
            let Position { place, next } = position;
            // Only an offset below 0 is refused, and none of those was delivered.
            let _ = list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*next));
        }
        if list.count() > 0
            && let Err(error) = self.consumer()?.store_offsets(&list)
        {
            // A partition that is lost already.
            tracing::debug!(e = %why(&error), "positions cannot be committed");
        }
        Ok(())
    }

    async fn backlog(&mut self) -> Result<u64, BusError> {
        let consumer = self.consumer()?.clone();
        let (joined, is_up) = consumer.context().joined();
        if !joined && (!is_up || self.since.elapsed() < JOIN) {
            return Err(BusError::Away { reason: "the group is not joined yet".to_owned() });
        }
        on_a_thread(move || backlog(&consumer).map_err(|error| unanswered(&error, &consumer))).await
    }
}

impl Drop for KafkaSubscription {
    fn drop(&mut self) {
        let Some(consumer) = self.consumer.take() else { return };
        consumer.context().close();
        let asked = consumer.context().take_revoked().into_iter().chain(self.revoked.take());
        for revoked in asked {
            give_up(consumer.as_ref(), &list_of(&revoked.places));
        }
        // To leave the group takes an answer of the brokers.
        self.closing.close(consumer);
    }
}

/// How many events of its partitions are published and not committed.
fn backlog(consumer: &StreamConsumer<Told>) -> Result<u64, KafkaError> {
    let mut count = 0;
    let committed = consumer.committed(QUESTION)?;
    for element in committed.elements() {
        let (first, end) = consumer.fetch_watermarks(element.topic(), element.partition(), QUESTION)?;
        let next = match element.offset() {
            Offset::Offset(next) => next.max(first),
            _ => first,
        };
        count += u64::try_from(end - next).unwrap_or_default();
    }
    Ok(count)
}

/// A question to the brokers that got no answer.
pub(super) fn unanswered(error: &KafkaError, consumer: &StreamConsumer<Told>) -> BusError {
    BusError::Away { reason: consumer.context().trouble().unwrap_or_else(|| why(error)) }
}

/// What an error means to somebody who reads; nothing where librdkafka goes on by itself.
pub(super) fn judged(error: &KafkaError, told: &Told) -> Option<BusError> {
    use RDKafkaErrorCode as Code;

    let reason = || told.trouble().unwrap_or_else(|| why(error));
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Some(BusError::Lost { reason: why(error) });
    }
    match error.rdkafka_error_code()? {
        Code::AllBrokersDown | Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
            Some(BusError::Away { reason: reason() })
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => Some(BusError::refused("these topics", reason())),
        // One broker that cannot be reached, a topic that is not there yet: it is tried again.
        _ => {
            tracing::debug!(e = %why(error), "reading events");
            None
        }
    }
}

pub(super) fn event_of(message: &BorrowedMessage<'_>, topic: Arc<str>, bytes: &mut BytesMut) -> Event {
    let (key, value) = (message.key(), message.payload().unwrap_or_default());
    let size = key.map_or(0, <[u8]>::len) + value.len();
    if bytes.capacity() < size {
        // Many events share a piece of memory, which is free again when the last one of them is.
        bytes.reserve(size.max(PIECE));
    }
    bytes.extend_from_slice(key.unwrap_or_default());
    bytes.extend_from_slice(value);
    let mut copied = bytes.split().freeze();
    let key = key.map(|key| copied.split_to(key.len()));
    let millis = message.timestamp().to_millis();
    let timestamp = millis.map(|millis| Timestamp::from_micros(millis.saturating_mul(1000)));
    Event { topic, key, value: copied, timestamp, partition: message.partition(), offset: message.offset() }
}

fn list_of(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for place in places {
        list.add_partition(&place.topic, place.partition);
    }
    list
}
