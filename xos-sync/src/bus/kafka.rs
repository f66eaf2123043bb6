//! The bus over Kafka, through librdkafka.
//!
//! librdkafka has threads of its own; here are none. Each subscription is a member of its consumer group with a
//! connection of its own; all that is published goes through one producer.

mod options;
mod overhearing;
mod pattern;
mod progress;
mod subscription;
mod told;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use self::overhearing::KafkaOverhearing;
use self::subscription::KafkaSubscription;
use self::told::{Heard, Told};
use super::{Bus, BusError, Message, Overhearing, PUBLISH_AT_MOST, Subscription, Topics};
use crate::config::EventBus;

/// What librdkafka keeps of an event beside its key and value, about, in bytes.
const OVERHEAD: usize = 512;

/// How often is looked whether everything that was published is confirmed.
const LOOK: Duration = Duration::from_millis(10);

/// When nothing is confirmed for so long at the end, the brokers are away and no longer waited for.
const SILENCE: Duration = Duration::from_secs(10);

/// The longest name of a topic, in characters.
const LONGEST_NAME: usize = 249;

/// The bus over Kafka.
pub(crate) struct KafkaBus {
    name: String,
    config: EventBus,
    /// What all clients have in common. It holds the password: this struct has no `Debug`.
    common: ClientConfig,
    producer: Mutex<Option<FutureProducer<Heard>>>,
    /// What its producers told.
    told: Arc<Told>,
    closing: Closing,
    /// KiB of what may wait for the brokers.
    room: Semaphore,
}

impl KafkaBus {
    /// Connects when it is first used.
    ///
    /// # Errors
    ///
    /// Files that are needed for TLS and cannot be read.
    pub(crate) fn new(config: &EventBus, name: &str) -> Result<Self, BusError> {
        options::check_files(config)?;
        let common = options::client(config, name);
        // What is wrong with it shows when a client is made of it, even one that nobody uses.
        let told = Arc::new(Told::default());
        let producer = new_producer(&common, &told)?;
        Ok(KafkaBus {
            name: name.to_owned(),
            config: config.clone(),
            common,
            producer: Mutex::new(Some(producer)),
            told,
            closing: Closing(Arc::new(watch::channel(0).0)),
            room: Semaphore::new(options::ROOM_KIB as usize),
        })
    }

    fn producer(&self) -> Result<FutureProducer<Heard>, BusError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = &*producer {
            return Ok(producer.clone());
        }
        Ok(producer.insert(new_producer(&self.common, &self.told)?).clone())
    }

    /// A producer that cannot guarantee its order any more takes nothing; the next event gets a new one.
    fn replace(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            let old = self.producer.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.closing.close(old);
        }
    }

    /// Why an event was not published.
    fn not_published(
        &self,
        topic: &str,
        bytes: usize,
        error: &KafkaError,
        trouble: Option<String>,
    ) -> BusError {
        use RDKafkaErrorCode as Code;

        self.replace(error);
        let event = || format!("an event for topic {topic}");
        match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize) => BusError::refused(
                event(),
                format!(
                    "it has {bytes} bytes, more than brokers take (1,000,000 unless they are told otherwise): say less, or where more can be found"
                ),
            ),
            Some(Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition) => {
                BusError::refused(
                    event(),
                    "there is no such topic, and the brokers do not create it by themselves; create it first",
                )
            }
            Some(Code::InvalidTopic | Code::PolicyViolation | Code::InvalidRecord) => {
                BusError::refused(event(), why(error))
            }
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => {
                BusError::refused(event(), format!("{}: the user may not write there", why(error)))
            }
            Some(Code::QueueFull) => full(topic, trouble),
            _ => BusError::Away { reason: trouble.unwrap_or_else(|| why(error)) },
        }
    }
}

#[async_trait]
impl Bus for KafkaBus {
    fn describe(&self) -> String {
        format!("Kafka at {}", self.config.brokers.join(","))
    }

    async fn publish(&self, message: Message<'_>) -> Result<(), BusError> {
        let Message { topic, key, value, from: _ } = message;
        check_name(topic)?;
        let producer = self.producer()?;
        let trouble = || self.told.trouble();
        let until = Instant::now() + PUBLISH_AT_MOST;
        let bytes = value.len() + key.map_or(0, <[u8]>::len);
        let kib = u32::try_from((bytes + OVERHEAD) / 1024 + 1).unwrap_or(u32::MAX).min(options::ROOM_KIB);
        let Ok(Ok(_room)) = timeout_at(until, self.room.acquire_many(kib)).await else {
            return Err(full(topic, trouble()));
        };
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).payload(&value);
        if let Some(key) = key {
            record = record.key(key);
        }
        let confirmed = producer
            .send_result(record)
            .map_err(|(error, _)| self.not_published(topic, bytes, &error, trouble()))?;
        match timeout_at(until, confirmed).await {
            Ok(Ok(Ok(_))) => Ok(()),
            Ok(Ok(Err((error, _)))) => Err(self.not_published(topic, bytes, &error, trouble())),
            Ok(Err(_)) => Err(BusError::Away { reason: "the producer was closed".to_owned() }),
            Err(_) => Err(BusError::Away {
                reason: trouble()
                    .unwrap_or_else(|| format!("no answer within {} s", PUBLISH_AT_MOST.as_secs())),
            }),
        }
    }

    async fn subscribe(&self, group: &str, topics: &Topics) -> Result<Box<dyn Subscription>, BusError> {
        let names = match topics {
            Topics::Named(names) => {
                names.iter().try_for_each(|name| check_name(name))?;
                names.clone()
            }
            Topics::Pattern(pattern) => {
                let text = pattern.as_str();
                let posix = pattern::posix(text).map_err(|problem| {
                    BusError::refused(format!("the pattern {text:?} of topics"), problem)
                })?;
                vec![posix]
            }
        };
        let mut consumer = options::consumer(&self.common, &self.config, topics);
        consumer.set("group.id", group);
        let closing = self.closing.clone();
        // Files are read for TLS.
        let joined = on_a_thread(move || KafkaSubscription::new(&consumer, &names, closing)).await?;
        Ok(Box::new(joined))
    }

    async fn overhear(&self, topic: &str) -> Result<Option<Box<dyn Overhearing>>, BusError> {
        let mut consumer = options::consumer(&self.common, &self.config, &Topics::Named(Vec::new()));
        // A group that is never joined.
        let unique = std::hash::RandomState::new().build_hasher().finish();
        consumer
            .set("group.id", format!("{}.{topic}.{unique:016x}", self.name))
            .set("enable.auto.commit", "false");
        let (topic, closing) = (topic.to_owned(), self.closing.clone());
        let overhearing = on_a_thread(move || KafkaOverhearing::new(&consumer, topic, closing)).await?;
        Ok(Some(Box::new(overhearing)))
    }

    async fn close(&self, at_most: Duration) {
        let Some(producer) = self.producer.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let until = Instant::now() + at_most;
        let (mut least, mut silent) = (i32::MAX, Instant::now());
        loop {
            let events = producer.in_flight_count();
            if events == 0 {
                break;
            }
            if events < least {
                (least, silent) = (events, Instant::now());
            }
            if Instant::now() >= until.min(silent + SILENCE) {
                tracing::warn!(events, "events that were published are not confirmed; they may be lost");
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        self.closing.close(producer);
        if !self.closing.finish(until).await {
            tracing::info!(
                "connections to Kafka are still being closed; what was committed last may not be confirmed"
            );
        }
    }
}

impl Drop for KafkaBus {
    fn drop(&mut self) {
        let producer = self.producer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.closing.close(producer);
    }
}

/// The result of this, which may take long.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(BusError::Away { reason: "the program is ending".to_owned() }),
    }
}

fn new_producer(common: &ClientConfig, told: &Arc<Told>) -> Result<FutureProducer<Heard>, BusError> {
    options::producer(common)
        .create_with_context(Heard(told.clone()))
        .map_err(|error| BusError::refused("a connection to Kafka", why(&error)))
}

/// Clients that are being closed. Each takes a thread for that: it waits for threads of its own and for the brokers,
/// for as long as they are away, and nobody should have to wait with it.
#[derive(Clone)]
struct Closing(Arc<watch::Sender<usize>>);

impl Closing {
    fn close(&self, client: impl Send + 'static) {
        self.0.send_modify(|count| *count += 1);
        let count = self.0.clone();
        let close = move || {
            drop(client);
            count.send_modify(|count| *count -= 1);
        };
        if let Err(error) = std::thread::Builder::new().name("kafka-close".to_owned()).spawn(close) {
            tracing::warn!(e = %error, "a connection to Kafka was not closed in order");
        }
    }

    /// Waits until all are closed. Whether they are.
    async fn finish(&self, until: Instant) -> bool {
        let mut count = self.0.subscribe();
        timeout_at(until, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

/// An error in words. A value of the configuration may be secret; its key is not.
fn why(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, description, key, _) => format!("{key}: {description}"),
        KafkaError::ClientCreation(reason) => reason.clone(),
        error => error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string()),
    }
}

fn full(topic: &str, trouble: Option<String>) -> BusError {
    let mib = options::ROOM_KIB / 1024;
    let seconds = PUBLISH_AT_MOST.as_secs();
    let why = trouble.map(|trouble| format!("; the latest trouble was: {trouble}")).unwrap_or_default();
    let reason = format!("no room for the event within {seconds} s: {mib} MiB wait for the brokers{why}");
    BusError::Full { topic: topic.to_owned(), reason }
}

/// A name that a topic can have.
fn check_name(name: &str) -> Result<(), BusError> {
    let is_good = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !matches!(name, "." | "..")
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'));
    if is_good {
        return Ok(());
    }
    Err(BusError::refused(
        format!("topic {name:?}"),
        format!("a name has 1 to {LONGEST_NAME} of the characters a-z, A-Z, 0-9, '.', '_' and '-'"),
    ))
}
