//! The event bus: how programs tell each other what happened.
//!
//! [`Bus`] is what every kind of bus can do. One in this process ([`ProcessBus`]) is the default, so that events work
//! without a broker.

mod event;
#[cfg(feature = "kafka")]
mod kafka;
mod open;
mod process;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use event::{Event, EventError};
pub(crate) use open::open;
pub(crate) use process::ProcessBus;
pub(crate) use topics::{TopicPattern, Topics, dead_letter_topic};

/// The most events that one [`Delivery::Events`] should have.
pub(crate) const BATCH: usize = 512;

/// How long a publisher waits for the bus at most: for room in it, or for the broker's confirmation.
pub(crate) const PUBLISH_AT_MOST: Duration = Duration::from_secs(30);

/// A way to publish events, and to be told of them.
///
/// # Guarantees
///
/// - **At least once**: an event whose [`publish`](Bus::publish) returned `Ok` reaches every group that is subscribed
///   to its topic, again and again until the group commits a position behind it; also after the subscription, the
///   process or the broker was gone (where the bus survives that).
/// - **Order**: within one partition of a topic, a group gets events in the order of their offsets. Events with the
///   same key are in the same partition.
/// - Each group gets every event. Within a group, a partition belongs to one subscription at a time.
#[async_trait]
pub(crate) trait Bus: Send + Sync + 'static {
    /// What it is, for the log: `in process`, or the kind and address of a broker. Never a secret.
    fn describe(&self) -> String;

    /// Publishes one event; returns when its delivery is confirmed. Waits [`PUBLISH_AT_MOST`].
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the event may have been published or not.
    ///
    /// # Errors
    ///
    /// [`BusError::Away`] and [`BusError::Full`]: later it may work. [`BusError::Refused`]: it never will.
    async fn publish(&self, message: Message<'_>) -> Result<(), BusError>;

    /// Joins the group. What the group committed is where it goes on.
    ///
    /// It returns promptly: a broker that is away is no reason to wait here, [`Subscription::next`] tells of it. When
    /// it returned, events that are published on a matching topic from then on are not missed.
    ///
    /// # Errors
    ///
    /// [`BusError::Refused`]: these topics, or this group, cannot be had.
    async fn subscribe(&self, group: &str, topics: &Topics) -> Result<Box<dyn Subscription>, BusError>;

    /// What anybody publishes on a topic from now on, without a group: nothing is committed, and every program hears
    /// all of it. `None` where nobody but this process publishes.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Bus::subscribe).
    async fn overhear(&self, _topic: &str) -> Result<Option<Box<dyn Overhearing>>, BusError> {
        Ok(None)
    }

    /// Waits until everything that was published is confirmed, also that whose publisher does not wait any more.
    async fn close(&self, _at_most: Duration) {}
}

/// A member of a group. Dropping it leaves the group; what was not committed is delivered again to the next member.
///
/// The owner calls [`next`](Subscription::next) again within seconds, whatever its handlers do: that is how a broker
/// knows that the member lives. What it has no room for, it [holds](Subscription::hold).
#[async_trait]
pub(crate) trait Subscription: Send {
    /// Waits for what comes next.
    ///
    /// # Cancellation
    ///
    /// Safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`BusError::Away`]: the broker cannot be reached; the subscription is good, call it again after a while (it
    /// need not be said more than once for one absence). [`BusError::Lost`] and [`BusError::Refused`]: subscribe again.
    async fn next(&mut self) -> Result<Delivery, BusError>;

    /// Delivers nothing more of this partition until it is [released](Subscription::release). What an earlier call of
    /// `next` had taken already may still come.
    fn hold(&mut self, place: &Place);

    /// Delivers events of this partition again, from where it was held: none is left out.
    fn release(&mut self, place: &Place);

    /// Everything before these positions is processed: it is not delivered to this group again. Positions of one
    /// partition never go back. Partitions that were [revoked](Delivery::Revoked) are ignored.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, it may have been committed or not; the next commit makes up for it.
    ///
    /// # Errors
    ///
    /// As [`next`](Subscription::next). The caller commits again with the next positions.
    async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError>;

    /// How many events of its partitions are published and not committed, as far as known.
    ///
    /// # Errors
    ///
    /// As [`next`](Subscription::next).
    async fn backlog(&mut self) -> Result<u64, BusError>;
}

/// All that is published on a topic, without a group.
#[async_trait]
pub(crate) trait Overhearing: Send {
    /// Waits for what comes next.
    ///
    /// # Errors
    ///
    /// As [`Subscription::next`].
    async fn next(&mut self) -> Result<Overheard, BusError>;
}

/// What [`Overhearing`] tells.
#[derive(Debug)]
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "in one process nothing is overheard"))]
pub(crate) enum Overheard {
    /// What is published from now on will be told; what was published before may be missed.
    FromNow,
    /// Events, those of one partition in order.
    Events(Vec<Event>),
}

/// What a [`Subscription`] tells.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Events, those of one partition in order; at least one, about [`BATCH`] at most.
    Events(Vec<Event>),
    /// These partitions go to somebody else, who gets what was not committed. What is processed can be committed until
    /// the next call of [`next`](Subscription::next). They may come back later, and start then from what was committed
    /// last.
    #[cfg_attr(
        not(feature = "kafka"),
        allow(dead_code, reason = "only a broker with several members takes partitions away")
    )]
    Revoked(Vec<Place>),
}

/// One partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
}

/// How far a partition was processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) place: Place,
    /// The offset of the first event that is **not** processed: one more than that of the last that is.
    pub(crate) next: i64,
}

/// An event to be published.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Vec<u8>,
    pub(crate) from: Publisher,
}

/// Who publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Publisher {
    /// Anybody.
    #[default]
    Anybody,
    /// The handler of an event: it may be the one that has to make room. A bus that lets publishers wait for readers
    /// has room in reserve for it.
    EventStep,
}

/// Why a bus did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    /// The broker cannot be reached now: try again.
    #[error("the event bus is away: {reason}")]
    #[allow(dead_code, reason = "only a bus with a broker can be away")]
    Away {
        /// What happened, without secrets.
        reason: String,
    },
    /// Readers are too far behind: try again.
    #[error("topic {topic}: {reason}")]
    Full {
        /// The topic.
        topic: String,
        /// Who is how far behind.
        reason: String,
    },
    /// This request is wrong, and will be as wrong later.
    #[error("the event bus refused {what}: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Why it cannot be had, and what to do.
        reason: String,
    },
    /// The subscription is no longer good: subscribe again.
    #[error("the subscription was lost: {reason}")]
    #[allow(dead_code, reason = "only a bus with a broker loses one")]
    Lost {
        /// What happened.
        reason: String,
    },
}

impl BusError {
    pub(crate) fn refused(what: impl Into<String>, reason: impl Into<String>) -> Self {
        BusError::Refused { what: what.into(), reason: reason.into() }
    }
}

impl Event {
    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place { topic: self.topic.clone(), partition: self.partition }
    }
}
