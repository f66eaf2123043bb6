//! What librdkafka tells of itself, beside events.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::bus::Place;

/// Collects what a client tells.
#[derive(Default)]
pub(super) struct Told {
    news: Mutex<News>,
}

#[derive(Default)]
struct News {
    /// What the latest error said.
    trouble: Option<String>,
    /// Partitions that are to be given up, and that librdkafka waits for.
    revoked: Vec<Place>,
    /// Whether a broker answered since somebody asked.
    up: bool,
    /// Whether the group was joined.
    joined: bool,
    /// Nobody reads any more: what is revoked is given up at once.
    closing: bool,
}

/// What is to be given up.
pub(super) struct Revoked {
    pub(super) places: Vec<Place>,
}

impl Told {
    /// What the latest error said.
    pub(super) fn trouble(&self) -> Option<String> {
        self.news().trouble.clone()
    }

    /// Whether there are partitions to be given up.
    pub(super) fn is_revoked(&self) -> bool {
        !self.news().revoked.is_empty()
    }

    pub(super) fn take_revoked(&self) -> Option<Revoked> {
        let places = std::mem::take(&mut self.news().revoked);
        (!places.is_empty()).then_some(Revoked { places })
    }

    /// Whether the group was joined, and a broker answered since it was asked.
    pub(super) fn joined(&self) -> (bool, bool) {
        let news = self.news();
        (news.joined, news.up)
    }

    /// Whether a broker answered since this was asked for the last time.
    pub(super) fn was_up(&self) -> bool {
        std::mem::take(&mut self.news().up)
    }

    /// From now on, what is revoked is given up at once.
    pub(super) fn close(&self) {
        self.news().closing = true;
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Partitions are given up.
pub(super) fn give_up(consumer: &impl Consumer<Told>, partitions: &TopicPartitionList) {
    let given_up = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    };
    if let Err(error) = given_up {
        tracing::debug!(target: "librdkafka", e = %error, "partitions cannot be given up");
    }
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(target: "librdkafka", level = ?level, facility, "{text}");
    }

    fn stats_raw(&self, statistics: &[u8]) {
        // Of brokers only, a state is written in capitals.
        const UP: &[u8] = b"\"state\":\"UP\"";
        if statistics.windows(UP.len()).any(|window| window == UP) {
            self.news().up = true;
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", e = %error, "{reason}");
        // That all are down is known; why is not said by it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.news().trouble = Some(reason.to_owned());
        }
    }
}

/// For clients that do not show what they were given.
pub(super) struct Heard(pub(super) Arc<Told>);

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ConsumerContext for Told {
    /// New partitions are taken at once. Those that are to be given up wait until the reader has heard of it: what was
    /// processed of them can still be committed.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            let taken = match consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => consumer.incremental_assign(partitions),
                _ => consumer.assign(partitions),
            };
            if let Err(error) = taken {
                tracing::debug!(target: "librdkafka", e = %error, "partitions cannot be taken");
            }
            let mut news = self.news();
            (news.up, news.joined) = (true, true);
            return;
        }
        let mut news = self.news();
        if news.closing || partitions.count() == 0 {
            drop(news);
            return give_up(consumer, partitions);
        }
        news.revoked.extend(places(partitions));
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Ok(()) => self.news().up = true,
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
            Err(error) => {
                tracing::debug!(target: "librdkafka", e = %error, "not committed yet; it is tried again");
            }
        }
    }
}

fn places(partitions: &TopicPartitionList) -> impl Iterator<Item = Place> {
    let places: Vec<Place> = partitions
        .elements()
        .iter()
        .map(|element| Place { topic: element.topic().into(), partition: element.partition() })
        .collect();
    places.into_iter()
}
