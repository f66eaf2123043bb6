//! A member of a consumer group.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::time::Instant;
use xos_model_client::Timestamp;

use super::progress::Progress;
use super::told::{Revoked, Told, give_up};
use super::{in_background, why};
use crate::bus::{BATCH, BusError, Delivery, Event, Place, Position, Subscription};

/// How long the answer to a commit is waited for; it is not forgotten after that.
const ANSWER: Duration = Duration::from_secs(5);

/// When what could not be committed is sent again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long one question to the brokers may take.
const QUESTION: Duration = Duration::from_secs(5);

/// A member of a consumer group.
///
/// Commits are answered through the same queue as events, in front of them; so whoever waits for an answer may be given
/// events, which are kept until they are asked for.
pub(super) struct KafkaSubscription {
    /// There until it is dropped.
    consumer: Option<Arc<StreamConsumer<Told>>>,
    progress: Progress,
    /// Events that were taken and not delivered.
    ready: Vec<Event>,
    /// What came instead of an event while events were ready.
    trouble: Option<BusError>,
    /// What the owner was told to be revoked: with the next call it is given up.
    revoked: Option<Revoked>,
    /// How many commits are on their way.
    in_flight: usize,
    /// When what could not be committed is sent again.
    again: Option<Instant>,
}

impl KafkaSubscription {
    pub(super) fn new(config: &ClientConfig, topics: &[String]) -> Result<Self, BusError> {
        let refused = |error: KafkaError| BusError::refused("these topics", why(&error));
        let consumer: StreamConsumer<Told> =
            config.create_with_context(Told::default()).map_err(refused)?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(refused)?;
        Ok(KafkaSubscription {
            consumer: Some(Arc::new(consumer)),
            progress: Progress::default(),
            ready: Vec::new(),
            trouble: None,
            revoked: None,
            in_flight: 0,
            again: None,
        })
    }

    fn consumer(&self) -> Result<&Arc<StreamConsumer<Told>>, BusError> {
        self.consumer.as_ref().ok_or_else(|| BusError::Lost { reason: "it was closed".to_owned() })
    }

    /// Takes what is there: until something has come, or until this moment.
    async fn take(&mut self, at_most: usize, until: Option<Instant>) -> Result<(), BusError> {
        let consumer = self.consumer()?.clone();
        let mut stream = consumer.stream();
        let (ready, progress, trouble) = (&mut self.ready, &mut self.progress, &mut self.trouble);
        let before = ready.len();
        let taking = poll_fn(|cx| {
            while ready.len() < at_most && trouble.is_none() {
                match stream.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(message))) => {
                        if progress.came(message.topic(), message.partition(), message.offset()) {
                            ready.push(event_of(&message));
                        }
                    }
                    Poll::Ready(Some(Err(error))) => *trouble = judged(&error, consumer.context()),
                    Poll::Ready(None) => *trouble = Some(BusError::Lost { reason: "it has ended".to_owned() }),
                    Poll::Pending if ready.len() == before && !consumer.context().is_anything() => {
                        return Poll::Pending;
                    }
                    Poll::Pending => break,
                }
            }
            Poll::Ready(())
        });
        match until {
            None => taking.await,
            // That the time is over shows when the owner looks.
            Some(until) => tokio::time::timeout_at(until, taking).await.unwrap_or_default(),
        }
        Ok(())
    }

    /// Looks at what was told beside events.
    fn hear(&mut self) -> Result<(), BusError> {
        let told = self.consumer()?.context().clone();
        for commit in told.take_commits() {
            self.in_flight = self.in_flight.saturating_sub(1);
            if let Err(error) = commit.result {
                tracing::debug!(e = %why(&error), "positions were not committed; trying again");
                self.progress.not_committed(&commit.positions);
                self.again = Some(Instant::now() + AGAIN);
            }
        }
        Ok(())
    }

    /// Sends what is processed, unless that was tried a moment ago.
    fn send(&mut self) -> Result<(), BusError> {
        if self.again.is_some_and(|again| again <= Instant::now()) {
            self.again = None;
        }
        if self.again.is_some() || self.in_flight > 0 || !self.progress.is_due() {
            return Ok(());
        }
        let due = self.progress.take_due();
        self.send_these(&due)
    }

    fn send_these(&mut self, positions: &[Position]) -> Result<(), BusError> {
        if positions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for Position { place, next } in positions {
            // Only an offset below 0 is refused, and none of those was delivered.
            let _ = list.add_partition_offset(&place.topic, place.partition, Offset::Offset(*next));
        }
        match self.consumer()?.commit(&list, CommitMode::Async) {
            Ok(()) => {
                self.in_flight += 1;
                Ok(())
            }
            Err(error) => {
                self.progress.not_committed(positions);
                Err(BusError::Lost { reason: why(&error) })
            }
        }
    }

    /// Gives up what the owner was told of before.
    fn let_go(&mut self) -> Result<(), BusError> {
        let Some(revoked) = self.revoked.take() else { return Ok(()) };
        if !revoked.lost && self.progress.is_due() {
            // In order, the brokers hear first of it and then of the end.
            let due = self.progress.take_due();
            self.send_these(&due)?;
        }
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
            self.hear()?;
            self.send()?;
            if let Some(revoked) = self.consumer()?.context().take_revoked() {
                self.progress.revoke(&revoked.places, &mut self.ready);
                let places = revoked.places.clone();
                self.revoked = Some(revoked);
                return Ok(Delivery::Revoked(places));
            }
            if !self.ready.is_empty() {
                if self.ready.len() > BATCH {
                    let rest = self.ready.split_off(BATCH);
                    return Ok(Delivery::Events(std::mem::replace(&mut self.ready, rest)));
                }
                return Ok(Delivery::Events(std::mem::take(&mut self.ready)));
            }
            if let Some(trouble) = self.trouble.take() {
                return Err(trouble);
            }
            let until = self.again;
            self.take(BATCH, until).await?;
        }
    }

    fn hold(&mut self, place: &Place) {
        let Some(consumer) = &self.consumer else { return };
        if let Err(error) = consumer.pause(&list_of(std::slice::from_ref(place))) {
            tracing::debug!(e = %why(&error), "a partition cannot be held");
        }
    }

    fn release(&mut self, place: &Place) {
        let Some(consumer) = &self.consumer else { return };
        if let Err(error) = consumer.resume(&list_of(std::slice::from_ref(place))) {
            tracing::debug!(e = %why(&error), "a partition cannot be released");
        }
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        positions.iter().for_each(|position| self.progress.processed(position));
        self.hear()?;
        if self.progress.is_due() {
            // Who asks again does not want to wait for the next try.
            self.again = None;
        }
        let until = Instant::now() + ANSWER;
        loop {
            self.send()?;
            let failed = self.again.is_some() && self.progress.is_due();
            if failed || (self.in_flight > 0 && Instant::now() >= until) {
                let trouble = self.consumer()?.context().trouble();
                let reason = trouble.unwrap_or_else(|| "positions could not be committed yet".to_owned());
                return Err(BusError::Away { reason });
            }
            // With enough events at hand the owner has better things to do than to wait for an answer.
            if self.in_flight == 0 || self.ready.len() >= BATCH || self.trouble.is_some() {
                return Ok(());
            }
            self.take(self.ready.len() + 1, Some(until)).await?;
            self.hear()?;
        }
    }

    async fn backlog(&mut self) -> Result<u64, BusError> {
        let consumer = self.consumer()?.clone();
        let trouble = consumer.clone();
        let counted = tokio::task::spawn_blocking(move || backlog(&consumer)).await;
        match counted {
            Ok(Ok(count)) => Ok(count),
            Ok(Err(error)) => {
                Err(BusError::Away { reason: trouble.context().trouble().unwrap_or_else(|| why(&error)) })
            }
            Err(_) => Err(BusError::Away { reason: "the program is ending".to_owned() }),
        }
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
        in_background(move || drop(consumer));
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

/// What an error means to somebody who reads; nothing where librdkafka goes on by itself.
fn judged(error: &KafkaError, told: &Told) -> Option<BusError> {
    use RDKafkaErrorCode as Code;

    let reason = || told.trouble().unwrap_or_else(|| why(error));
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Some(BusError::Lost { reason: why(error) });
    }
    match error.rdkafka_error_code()? {
        Code::AllBrokersDown | Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL => {
            Some(BusError::Away { reason: reason() })
        }
        Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            Some(BusError::refused("these topics", reason()))
        }
        // One broker that cannot be reached, a topic that is not there yet: it is tried again.
        _ => {
            tracing::debug!(e = %why(error), "reading events");
            None
        }
    }
}

fn event_of(message: &BorrowedMessage<'_>) -> Event {
    let mut event = Event::of_bytes(
        message.topic(),
        message.key().map(<[u8]>::to_vec),
        message.payload().unwrap_or_default().to_vec(),
    );
    event.partition = message.partition();
    event.offset = message.offset();
    event.timestamp =
        message.timestamp().to_millis().map(|millis| Timestamp::from_seconds(millis as f64 / 1000.0));
    event
}

fn list_of(places: &[Place]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for place in places {
        list.add_partition(&place.topic, place.partition);
    }
    list
}
