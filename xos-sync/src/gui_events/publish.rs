//! The changes of an embedded core, published.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, FuturesOrdered};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument as _, info, warn};
use xos_core::{EmbeddedCore, GuiEvent};
use xos_model_client::{Cursor, ModelAccessor as _};

use super::TOPIC;
use crate::bus::{Bus, BusError, Message, Publisher};
use crate::error::Result;

/// Where the position is remembered in the core.
const NAMESPACE: &str = "event_bus";

/// How many events are on their way at once. More wait in the core's log of changes.
const AT_ONCE: usize = 256;

/// The position is remembered after so many events, or after [`REMEMBER_AFTER`].
const REMEMBER_EVENTS: u32 = 1000;
const REMEMBER_AFTER: Duration = Duration::from_secs(1);

/// When a bus that is away is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// At the end, changes that do not come within this time do not come.
const QUIET: Duration = Duration::from_millis(200);

/// How long the end waits for brokers where the changes are published after the next start, too.
const AT_THE_END: Duration = Duration::from_secs(3);

/// Brokers take events of 1 MB, unless they are told otherwise.
const LARGEST: usize = 950_000;

/// Publishes the changes of an embedded core.
pub(crate) struct GuiPublisher {
    core: EmbeddedCore,
    bus: Arc<dyn Bus>,
    /// All up to it is published.
    at: Cursor,
    remembered: Cursor,
    /// Whether somebody hears of it after this process.
    remember: bool,
    told_away: bool,
}

/// A publisher at work. Dropping it ends it.
pub(crate) struct Publishing {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    remember: bool,
}

impl GuiPublisher {
    /// Publishes what changes from now on; with `remember`, what changed since the last start too.
    ///
    /// # Errors
    ///
    /// A core that cannot be read.
    pub(crate) async fn new(core: EmbeddedCore, bus: Arc<dyn Bus>, remember: bool) -> Result<Self> {
        let known = if remember { core.recall_one(NAMESPACE, TOPIC).await? } else { None };
        let (at, remembered) = match known.and_then(|cursor| cursor.as_u64()) {
            Some(cursor) => (Cursor(cursor), Cursor(cursor)),
            // What changed before anybody thought of publishing it is no news.
            None => (core.cursor().await?, Cursor(u64::MAX)),
        };
        let mut publisher = GuiPublisher { core, bus, at, remembered, remember, told_away: false };
        publisher.keep().await;
        Ok(publisher)
    }

    pub(crate) fn start(self) -> Publishing {
        let (stop, stopped) = watch::channel(false);
        let remember = self.remember;
        let task = tokio::spawn(self.run(stopped).in_current_span());
        Publishing { stop, task, remember }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        // What changed until it is told to stop is published, too.
        let mut end = None;
        loop {
            let changes = self.core.gui_events(self.at);
            let failed = self.publish(changes, &mut stop, &mut end).await;
            self.keep().await;
            let Some(error) = failed else { return };
            if !std::mem::replace(&mut self.told_away, true) {
                warn!(e = %error, topic = TOPIC, "changes are not published now; they wait in the core's log of changes");
            }
            sleep(AGAIN).await;
        }
    }

    /// Publishes changes in their order. The error that ended it; none at the end.
    async fn publish(
        &mut self,
        mut changes: BoxStream<'static, GuiEvent>,
        stop: &mut watch::Receiver<bool>,
        end: &mut Option<Cursor>,
    ) -> Option<BusError> {
        let mut under_way = FuturesOrdered::new();
        let mut keep_at: Option<Instant> = None;
        let mut unkept = 0;
        loop {
            if end.is_some_and(|end| self.at >= end) && under_way.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                () = crate::beside::stopped(stop), if end.is_none() => {
                    *end = Some(self.core.cursor().await.unwrap_or(self.at));
                }
                Some((cursor, published)) = under_way.next(), if !under_way.is_empty() => {
                    if let Err(error) = published {
                        return Some(error);
                    }
                    if std::mem::take(&mut self.told_away) {
                        info!(topic = TOPIC, "changes are published again");
                    }
                    self.at = cursor;
                    unkept += 1;
                    keep_at.get_or_insert_with(|| Instant::now() + REMEMBER_AFTER);
                    if unkept >= REMEMBER_EVENTS {
                        (unkept, keep_at) = (0, None);
                        self.keep().await;
                    }
                }
                () = crate::beside::at(keep_at) => {
                    (unkept, keep_at) = (0, None);
                    self.keep().await;
                }
                change = changes.next(), if under_way.len() < AT_ONCE => match change {
                    Some(change) => under_way.push_back(send(self.bus.clone(), change)),
                    // The core was closed.
                    None => return None,
                },
                // The last changes may be such that tell nothing: then there is no event of them.
                () = sleep(QUIET), if end.is_some() && under_way.is_empty() => return None,
            }
        }
    }

    /// Remembers how far it is.
    async fn keep(&mut self) {
        if !self.remember || self.remembered == self.at {
            return;
        }
        match self.core.remember(NAMESPACE, TOPIC, Some(self.at.0.into())).await {
            Ok(()) => self.remembered = self.at,
            // It is remembered with the next one; until then, more would be published again after a restart.
            Err(error) => {
                tracing::debug!(e = %error, "the position of published changes is not remembered now");
            }
        }
    }
}

impl Publishing {
    /// Publishes what changed until now, and ends; waits so long at most.
    pub(crate) async fn end(mut self, at_most: Duration) {
        self.stop.send_replace(true);
        let at_most = if self.remember { at_most.min(AT_THE_END) } else { at_most };
        if timeout(at_most, &mut self.task).await.is_err() {
            let after =
                if self.remember { "they are after the next start" } else { "nobody will hear of them" };
            info!(topic = TOPIC, "the last changes are not published; {after}");
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(bus: Arc<dyn Bus>, change: GuiEvent) -> (Cursor, std::result::Result<(), BusError>) {
    let GuiEvent { key, value, cursor } = change;
    if value.len() > LARGEST {
        warn!(
            topic = TOPIC,
            key,
            bytes = value.len(),
            "a change is too large to be published; it is left out"
        );
        return (cursor, Ok(()));
    }
    let message = Message { topic: TOPIC, key: Some(key.as_bytes()), value, from: Publisher::Anybody };
    let published = bus.publish(message).await;
    (cursor, published)
}
