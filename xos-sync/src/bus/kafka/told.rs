//! What librdkafka tells of itself, beside events.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::bus::{Place, Position};

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
    /// Whether they belong to somebody else already: nothing of them can be committed.
    lost: bool,
    /// Commits that were answered.
    commits: Vec<Committed>,
    /// Nobody reads any more: what is revoked is given up at once.
    closing: bool,
}

/// The answer to one commit.
pub(super) struct Committed {
    pub(super) result: KafkaResult<()>,
    pub(super) positions: Vec<Position>,
}

/// What is to be given up.
pub(super) struct Revoked {
    pub(super) places: Vec<Place>,
    pub(super) lost: bool,
}

impl Told {
    /// What the latest error said.
    pub(super) fn trouble(&self) -> Option<String> {
        self.news().trouble.clone()
    }

    /// Whether something was told that the reader has to look at.
    pub(super) fn is_anything(&self) -> bool {
        let news = self.news();
        !news.revoked.is_empty() || !news.commits.is_empty()
    }

    pub(super) fn take_revoked(&self) -> Option<Revoked> {
        let mut news = self.news();
        if news.revoked.is_empty() {
            return None;
        }
        Some(Revoked { places: std::mem::take(&mut news.revoked), lost: news.lost })
    }

    pub(super) fn take_commits(&self) -> Vec<Committed> {
        std::mem::take(&mut self.news().commits)
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

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", e = %error, "{reason}");
        // That all are down is known; why is not said by it.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.news().trouble = Some(reason.to_owned());
        }
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
            return;
        }
        let mut news = self.news();
        if news.closing || partitions.count() == 0 {
            drop(news);
            return give_up(consumer, partitions);
        }
        news.lost = consumer.assignment_lost();
        news.revoked.extend(places(partitions));
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // An answer without partitions is one to a commit of nothing.
        let mut positions = Vec::with_capacity(offsets.count());
        let mut result = result;
        for element in offsets.elements() {
            if let (Ok(()), Err(error)) = (&result, element.error()) {
                result = Err(error);
            }
            if let Some(next) = element.offset().to_raw().filter(|next| *next >= 0) {
                let place = Place { topic: element.topic().to_owned(), partition: element.partition() };
                positions.push(Position { place, next });
            }
        }
        self.news().commits.push(Committed { result, positions });
    }
}

fn places(partitions: &TopicPartitionList) -> impl Iterator<Item = Place> {
    let places: Vec<Place> = partitions
        .elements()
        .iter()
        .map(|element| Place { topic: element.topic().to_owned(), partition: element.partition() })
        .collect();
    places.into_iter()
}
