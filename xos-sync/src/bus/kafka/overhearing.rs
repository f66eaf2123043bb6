//! All that is published on a topic from now on.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::time::{Instant, timeout_at};

use super::subscription::{QUESTION, event_of, judged, unanswered};
use super::told::Told;
use super::{Closing, on_a_thread, why};
use crate::bus::{BATCH, BusError, Event, Overheard, Overhearing};

/// How often a topic is looked for that is not there, or whose broker is away.
const LOOK: Duration = Duration::from_secs(2);

/// How often is looked for partitions that came later.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A reader that is in no group. It says itself where it starts: a member of a group that asks for the latest offset
/// cannot know when the brokers have answered it, and what is published until then is missed.
pub(super) struct KafkaOverhearing {
    /// There until it is dropped.
    consumer: Option<Arc<StreamConsumer<Told>>>,
    topic: Arc<str>,
    /// What is to be read next of each partition.
    next: BTreeMap<i32, i64>,
    bytes: BytesMut,
    /// What came behind events that were taken.
    trouble: Option<BusError>,
    /// When the topic's partitions are looked for.
    look_at: Instant,
    closing: Closing,
}

impl KafkaOverhearing {
    pub(super) fn new(config: &ClientConfig, topic: String, closing: Closing) -> Result<Self, BusError> {
        let consumer = config
            .create_with_context(Told::default())
            .map_err(|error| BusError::refused("these topics", why(&error)))?;
        Ok(KafkaOverhearing {
            consumer: Some(Arc::new(consumer)),
            topic: topic.into(),
            next: BTreeMap::new(),
            bytes: BytesMut::new(),
            trouble: None,
            look_at: Instant::now(),
            closing,
        })
    }

    fn consumer(&self) -> Result<Arc<StreamConsumer<Told>>, BusError> {
        self.consumer.clone().ok_or_else(|| BusError::Lost { reason: "it was closed".to_owned() })
    }

    /// Looks for partitions, and reads those that are new. Whether there were any.
    async fn look(&mut self) -> Result<bool, BusError> {
        self.look_at = Instant::now() + LOOK;
        let (consumer, topic, mut next) = (self.consumer()?, self.topic.clone(), self.next.clone());
        let found = on_a_thread(move || {
            let is_first = next.is_empty();
            for partition in partitions(&consumer, &topic)? {
                if next.contains_key(&partition) {
                    continue;
                }
                let (first, end) = consumer
                    .fetch_watermarks(&topic, partition, QUESTION)
                    .map_err(|error| unanswered(&error, &consumer))?;
                // One that came later was not there to be heard: all that is in it is new.
                next.insert(partition, if is_first { end } else { first });
            }
            Ok(next)
        });
        let found = found.await?;
        if !found.is_empty() {
            self.look_at = Instant::now() + LOOK_AGAIN;
        }
        if found.len() == self.next.len() {
            return Ok(false);
        }
        let mut list = TopicPartitionList::with_capacity(found.len());
        for (partition, offset) in &found {
            // Only an offset below 0 is refused, and brokers have none.
            let _ = list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset));
        }
        self.consumer()?.assign(&list).map_err(|error| BusError::Lost { reason: why(&error) })?;
        self.next = found;
        Ok(true)
    }

    /// Waits until something has come, and takes what is there.
    async fn take(&mut self) -> Result<Vec<Event>, BusError> {
        let consumer = self.consumer()?;
        let mut stream = consumer.stream();
        let mut events = Vec::new();
        poll_fn(|cx| {
            while events.len() < BATCH && self.trouble.is_none() {
                match stream.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(message))) => {
                        self.next.insert(message.partition(), message.offset() + 1);
                        events.push(event_of(&message, self.topic.clone(), &mut self.bytes));
                    }
                    Poll::Ready(Some(Err(error))) => self.trouble = judged(&error, consumer.context()),
                    Poll::Ready(None) => {
                        self.trouble = Some(BusError::Lost { reason: "it has ended".to_owned() });
                    }
                    Poll::Pending if events.is_empty() => return Poll::Pending,
                    Poll::Pending => break,
                }
            }
            Poll::Ready(())
        })
        .await;
        match self.trouble.take_if(|_| events.is_empty()) {
            Some(trouble) => Err(trouble),
            None => Ok(events),
        }
    }
}

#[async_trait]
impl Overhearing for KafkaOverhearing {
    async fn next(&mut self) -> Result<Overheard, BusError> {
        loop {
            if Instant::now() >= self.look_at && self.look().await? {
                return Ok(Overheard::FromNow);
            }
            if let Ok(taken) = timeout_at(self.look_at, self.take()).await {
                return taken.map(Overheard::Events);
            }
        }
    }
}

impl Drop for KafkaOverhearing {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take() {
            consumer.context().close();
            self.closing.close(consumer);
        }
    }
}

/// The partitions of a topic: none when it does not exist.
fn partitions(consumer: &StreamConsumer<Told>, topic: &str) -> Result<Vec<i32>, BusError> {
    let metadata =
        consumer.fetch_metadata(Some(topic), QUESTION).map_err(|error| unanswered(&error, consumer))?;
    let mut partitions = Vec::new();
    for found in metadata.topics().iter().filter(|found| found.name() == topic) {
        match found.error().map(RDKafkaErrorCode::from) {
            None | Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {}
            Some(code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::InvalidTopic)) => {
                return Err(BusError::refused(format!("topic {topic}"), code.to_string()));
            }
            Some(code) => return Err(unanswered(&KafkaError::MetadataFetch(code), consumer)),
        }
        partitions.extend(found.partitions().iter().map(rdkafka::metadata::MetadataPartition::id));
    }
    Ok(partitions)
}
