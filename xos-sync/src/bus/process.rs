//! The bus in this process.
//!
//! A topic has [`PARTITIONS`] logs; a key decides which. A log keeps what not every subscribed group has committed,
//! and nothing of it survives the process. A publisher waits while the slowest group of its topic is too far behind.

mod log;
mod reader;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout_at;
use xos_model_client::Timestamp;

use self::reader::Reader;
use self::state::{Behind, State};
use super::{Bus, BusError, Event, Message, PUBLISH_AT_MOST, Publisher, Subscription, Topics};

/// Into how many parts a topic is divided: events of one part are in order, and a part that is stuck holds up none of
/// the others.
pub(crate) const PARTITIONS: i32 = 8;

/// How far the slowest group may be behind before publishers wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Events.
    pub(crate) events: u64,
    /// Bytes of their keys and values.
    pub(crate) bytes: u64,
    /// How long a publisher waits at most.
    pub(crate) wait: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Room { events: 100_000, bytes: 64 * 1024 * 1024, wait: PUBLISH_AT_MOST }
    }
}

/// The bus in this process. It ends with it: what was not processed then is gone.
pub(crate) struct ProcessBus {
    shared: Arc<Shared>,
}

/// What the bus and its readers share.
struct Shared {
    state: Mutex<State>,
    /// A group that was too far behind is not any more.
    room: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProcessBus {
    pub(crate) fn new() -> Self {
        ProcessBus::with_room(Room::default())
    }

    pub(crate) fn with_room(room: Room) -> Self {
        ProcessBus { shared: Arc::new(Shared { state: Mutex::new(State::new(room)), room: Notify::new() }) }
    }
}

#[async_trait]
impl Bus for ProcessBus {
    fn describe(&self) -> String {
        "in process".to_owned()
    }

    async fn publish(&self, message: Message<'_>) -> Result<(), BusError> {
        let Message { topic, key, value, from } = message;
        if topic.is_empty() {
            return Err(BusError::refused("an event", "it has no topic; expected a name"));
        }
        let mut event = Event {
            topic: topic.into(),
            key: key.map(Bytes::copy_from_slice),
            value: value.into(),
            timestamp: Some(Timestamp::now()),
            partition: partition_of(key),
            offset: 0,
        };
        let mut deadline = None;
        loop {
            // Registered before it is looked: room that comes in between is not missed.
            let mut room = std::pin::pin!(self.shared.room.notified());
            room.as_mut().enable();
            let behind = match self.shared.lock().publish(event, from) {
                Ok(()) => return Ok(()),
                Err(refused) => {
                    let behind;
                    (event, behind) = *refused;
                    behind
                }
            };
            let deadline = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + behind.wait);
            if timeout_at(deadline, room).await.is_err() {
                return Err(full(topic, from, &behind));
            }
        }
    }

    async fn subscribe(&self, group: &str, topics: &Topics) -> Result<Box<dyn Subscription>, BusError> {
        let (group, told) = self.shared.lock().join(group, topics)?;
        Ok(Box::new(Reader::new(self.shared.clone(), group, told)))
    }
}

fn full(topic: &str, from: Publisher, behind: &Behind) -> BusError {
    let Behind { group, events, bytes, wait } = behind;
    let hint = match from {
        Publisher::Anybody => "that event step is too slow, or stuck",
        Publisher::EventStep => "that event step is too slow or stuck, or publishes more than it consumes",
    };
    let seconds = wait.as_secs_f64();
    BusError::Full {
        topic: topic.to_owned(),
        reason: format!(
            "no room for the event within {seconds} s: {group} is {events} events ({bytes} bytes) behind; {hint}"
        ),
    }
}

/// The partition of a key: FNV-1a, the same in each process. What has no key is in order, too.
fn partition_of(key: Option<&[u8]>) -> i32 {
    let Some(key) = key else { return 0 };
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The low bits of this hash are poor.
    ((hash ^ (hash >> 32)) % PARTITIONS as u64) as i32
}

#[cfg(test)]
mod tests;
