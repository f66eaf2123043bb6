//! The changes that a core on the network publishes, as if its feed had told of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tracing::{Instrument as _, debug, info, warn};
use xos_model_client::{
    Abilities, Change, Cursor, Feed, Found, ModelAccessor, ModelName, ObjectId, Onboard, Onboarded, Page,
    Query, Record, Result, Schema, Shape, Why, Write, Written,
};

use super::TOPIC;
use super::tale::{Nothing, change};
use crate::bus::{Bus, BusError, Overheard, Overhearing};

/// How many changes may wait to be taken. More wait on the bus.
const ROOM: usize = 1024;

/// When a bus that cannot be heard is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// An accessor of a core that does not tell of changes, with the changes that it publishes.
///
/// Polls stay as they are: the core says nothing of a change that it could not publish.
struct Woken {
    inner: Arc<dyn ModelAccessor>,
    bus: Arc<dyn Bus>,
}

/// This accessor; with the changes of the topic, where it does not tell of changes itself.
pub(crate) fn woken(inner: Arc<dyn ModelAccessor>, bus: &Arc<dyn Bus>) -> Arc<dyn ModelAccessor> {
    if inner.abilities().push {
        return inner;
    }
    Arc::new(Woken { inner, bus: bus.clone() })
}

/// A task that ends with this.
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl ModelAccessor for Woken {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.inner.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.inner.find(query, page).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.inner.get(shape, ids).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        self.inner.write(writes).await
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        let (changes, told) = mpsc::channel(ROOM);
        let listener = Listener { core: self.inner.clone(), bus: self.bus.clone(), changes, malformed: 0 };
        let task = tokio::spawn(listener.listen().in_current_span());
        let listening = Listening(task.abort_handle());
        let told = stream::unfold((told, listening), |(mut told, listening)| async {
            let change = told.recv().await?;
            Some((change, (told, listening)))
        });
        // The feed of the core never ends, whatever becomes of the other one.
        let told = told.chain(stream::pending());
        stream::select(self.inner.feed(from, models), told).boxed()
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.inner.onboard(what).await
    }
}

struct Listener {
    core: Arc<dyn ModelAccessor>,
    bus: Arc<dyn Bus>,
    changes: mpsc::Sender<Change>,
    /// How many events were none of a core's.
    malformed: u64,
}

impl Listener {
    /// Listens until nobody wants to hear of it.
    async fn listen(mut self) {
        let mut told = false;
        loop {
            let error = match self.bus.overhear(TOPIC).await {
                Ok(Some(mut events)) => match self.hear(events.as_mut()).await {
                    Some(error) => error,
                    None => return,
                },
                // Nobody but this process publishes there.
                Ok(None) => return,
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                warn!(e = %error, topic = TOPIC, "changes cannot be heard on the event bus; they are found by polling");
            }
            sleep(AGAIN).await;
        }
    }

    /// `None` when nobody wants to hear of it any more.
    async fn hear(&mut self, events: &mut dyn Overhearing) -> Option<BusError> {
        let mut away = false;
        loop {
            let overheard = match events.next().await {
                Ok(overheard) => overheard,
                Err(error @ BusError::Away { .. }) => {
                    if !std::mem::replace(&mut away, true) {
                        warn!(e = %error, topic = TOPIC, "changes cannot be heard on the event bus; they are found by polling");
                    }
                    continue;
                }
                Err(error) => return Some(error),
            };
            if std::mem::take(&mut away) {
                info!(topic = TOPIC, "changes are heard on the event bus again");
            }
            match overheard {
                // What was published before is not told again: everything is read.
                Overheard::FromNow => {
                    debug!(topic = TOPIC, "changes are heard on the event bus");
                    self.tell(Change::Gap { why: Why::Reconnected }).await?;
                }
                Overheard::Events(events) => {
                    for event in events {
                        match change(&event, &self.core.schema()) {
                            Ok(change) => self.tell(change).await?,
                            Err(Nothing::UnknownModel) => {}
                            Err(Nothing::Malformed(problem)) => self.malformed(&problem),
                        }
                    }
                }
            }
        }
    }

    /// `None` when nobody wants to hear of it any more.
    async fn tell(&self, change: Change) -> Option<()> {
        self.changes.send(change).await.ok()
    }

    fn malformed(&mut self, problem: &str) {
        self.malformed += 1;
        if self.malformed == 1 {
            warn!(topic = TOPIC, problem, "an event is none of a core's; it and all like it are left out");
        } else {
            debug!(topic = TOPIC, problem, count = self.malformed, "an event is none of a core's");
        }
    }
}
