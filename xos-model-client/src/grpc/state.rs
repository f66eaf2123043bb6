//! What is known of the core at this moment, and the feed that tells of it.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::watch;

use super::codec::Codec;
use super::describe::RemoteSchema;
use super::transport::LinkState;
use crate::accessor::{Change, Cursor, Feed};
use crate::error::Error;

/// The models that the core serves.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) codec: Arc<Codec>,
    /// Grows with each other set of models; 0 before the first.
    pub(crate) number: u64,
}

impl Served {
    pub(crate) fn remote(&self) -> &RemoteSchema {
        self.codec.remote()
    }
}

/// What is known of the core, and all that changes.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) models: watch::Receiver<Served>,
    pub(crate) link: watch::Receiver<LinkState>,
}

impl State {
    pub(crate) fn served(&self) -> Served {
        self.models.borrow().clone()
    }

    /// Why the core is away; `None` while it is there.
    pub(crate) fn why_away(&self) -> Option<Error> {
        match &*self.link.borrow() {
            LinkState::Up { .. } => None,
            LinkState::Down { error, .. } | LinkState::Connecting { last_error: Some(error), .. } => {
                Some(Error::away(error.clone()))
            }
            LinkState::Connecting { last_error: None, .. } => Some(Error::away("it was not reached yet")),
        }
    }

    /// How often the core was reached: grows with each connection; `None` while it is away.
    pub(crate) fn generation(&self) -> Option<u64> {
        match *self.link.borrow() {
            LinkState::Up { generation } => Some(generation),
            _ => None,
        }
    }

    /// Waits until something has changed. Pending for ever when the client is gone.
    pub(crate) async fn changed(&mut self) {
        let ended = tokio::select! {
            changed = self.models.changed() => changed.is_err(),
            changed = self.link.changed() => changed.is_err(),
        };
        if ended {
            std::future::pending::<()>().await;
        }
    }
}

/// What the reader of a feed was told last.
struct Told {
    state: State,
    number: u64,
    is_away: bool,
    /// On which connection it was there.
    generation: Option<u64>,
}

/// Tells when the core goes away, comes back, or serves other models. What came and went between two looks is told as
/// what it is now; nothing that matters gets lost.
pub(crate) fn feed(state: State, from: Cursor) -> Feed {
    let generation = state.generation();
    let told = Told { state, number: from.0, is_away: false, generation };
    stream::unfold(told, |mut told| async move {
        loop {
            if let Some(change) = told.next() {
                return Some((change, told));
            }
            told.state.changed().await;
        }
    })
    .boxed()
}

impl Told {
    fn next(&mut self) -> Option<Change> {
        // Marked as seen before it is looked at: what comes in between is looked at again.
        self.state.link.mark_unchanged();
        self.state.models.mark_unchanged();
        if let Some(error) = self.state.why_away() {
            let told = std::mem::replace(&mut self.is_away, true);
            return (!told).then(|| Change::Down { error: Arc::new(error) });
        }
        let served = self.state.served();
        if served.number != self.number {
            // The models first: what is read when it is back is read with them.
            self.number = served.number;
            return Some(Change::Schema(served.remote().schema.clone()));
        }
        // Who was not told that it was away may have found out by a call.
        let generation = self.state.generation();
        let is_other = generation.is_some() && generation != self.generation;
        self.generation = generation.or(self.generation);
        (std::mem::take(&mut self.is_away) || is_other).then_some(Change::Up)
    }
}
