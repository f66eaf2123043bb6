//! The changes after a cursor, as a stream.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Weak};

use futures_util::stream::{self, StreamExt};
use tokio::sync::watch;
use xos_model_client::{Change, Cursor, Error, ErrorKind, Feed, ModelId, ModelName, Why};

use crate::core::Inner;
use crate::hub::{Entry, Hub, Tick};
use crate::shell::{Size, closed};
use crate::store::{Db, Replay};

/// How many changes are taken at once.
const PAGE: usize = 512;

/// A feed that begins after a cursor.
pub(crate) fn feed(core: &Arc<Inner>, from: Cursor, models: &[ModelName]) -> Feed {
    let mut follower = Follower {
        hub: core.hub.clone(),
        tick: core.hub.subscribe(),
        core: Arc::downgrade(core),
        at: from.0,
        models: models.to_vec(),
        leaves: None,
        generation: None,
        ready: VecDeque::new(),
        caught_up: None,
        there: 0,
        told_away: false,
        told_down: false,
    };
    // Now, not when the feed is first looked at: a schema that comes in between is a new one to its reader.
    let tick = *follower.tick.borrow();
    follower.take_schema(tick.generation);
    stream::unfold(follower, |mut follower| async {
        let change = follower.next().await;
        Some((change, follower))
    })
    .boxed()
}

/// A feed of a core that cannot tell what changes.
pub(crate) fn silent(why: Error) -> Feed {
    let down = Change::Down { error: Arc::new(why) };
    stream::once(async { down }).chain(stream::pending()).boxed()
}

fn unreachable_now() -> Error {
    Error::away("the server of the database cannot be reached; the feed goes on where it was when it can")
}

/// One who is told of changes. It keeps no queue but the page it is telling, and does not keep the core open.
struct Follower {
    hub: Arc<Hub>,
    tick: watch::Receiver<Tick>,
    core: Weak<Inner>,
    /// All up to this revision was taken.
    at: u64,
    /// The models asked for, with all that inherit from them; all when empty.
    models: Vec<ModelName>,
    /// The leaf models that are told of; `None` for all.
    leaves: Option<HashSet<ModelId>>,
    /// The schema that `leaves` belongs to; `None` at the beginning.
    generation: Option<u64>,
    ready: VecDeque<Change>,
    /// The last position that was told.
    caught_up: Option<u64>,
    /// A revision that is in the database, though the hub may not have told of it yet: another server wrote it.
    there: u64,
    /// Whether the last that was told of the database is that it cannot be reached.
    told_away: bool,
    told_down: bool,
}

impl Follower {
    async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return change;
            }
            let tick = *self.tick.borrow_and_update();
            if tick.closed {
                // The end is told below.
            } else if tick.away != self.told_away {
                self.told_away = tick.away;
                return if tick.away {
                    Change::Down { error: Arc::new(unreachable_now()) }
                } else {
                    Change::Up
                };
            } else if tick.away {
                let _ = self.tick.changed().await;
                continue;
            }
            if self.generation != Some(tick.generation) {
                self.take_schema(tick.generation);
            } else if self.at > tick.revision.max(self.there) {
                if let Some(gap) = self.look_ahead(tick).await {
                    return gap;
                }
            } else if self.at < tick.revision {
                if let Some(gap) = self.take_page(tick.revision).await {
                    return gap;
                }
            } else if self.caught_up != Some(self.at) {
                self.caught_up = Some(self.at);
                return Change::CaughtUp(Cursor(self.at));
            } else if !tick.closed {
                // Never an error: the sender is in the hub, which this has.
                let _ = self.tick.changed().await;
            } else if self.told_down {
                std::future::pending::<()>().await;
            } else {
                self.told_down = true;
                return Change::Down { error: Arc::new(closed()) };
            }
        }
    }

    /// Looks up which models are asked for in the schema now, and tells of it when it is not the first.
    fn take_schema(&mut self, generation: u64) {
        let catalog = self.hub.catalog();
        if !self.models.is_empty() {
            let families = self.models.iter().filter_map(|name| catalog.schema.model(name));
            self.leaves = Some(families.flat_map(|model| model.family.iter().copied()).collect());
        }
        if self.generation.is_some() {
            self.ready.push_back(Change::Schema(catalog.schema.clone()));
        }
        self.generation = Some(generation);
    }

    /// The cursor is later than what was told of here: it may be of another server on the same database.
    async fn look_ahead(&mut self, tick: Tick) -> Option<Change> {
        let there = match self.core.upgrade() {
            Some(core) => core.shell.read(Size::Few, Db::cursor).await,
            None => Err(closed()),
        };
        match there {
            Ok(there) if there.0 >= self.at => self.there = there.0,
            Err(error) if self.waits_for_the_server(&error) => {}
            _ => {
                self.at = tick.revision;
                return Some(Change::Gap { why: Why::CursorUnknown });
            }
        }
        None
    }

    /// Whether a read failed because the server of the database cannot be reached: then nothing is lost, the hub is
    /// told, and the read is done again when it can be reached.
    fn waits_for_the_server(&self, error: &Error) -> bool {
        let waits =
            !self.hub.is_closed() && self.hub.is_shared() && matches!(error.kind(), ErrorKind::Away { .. });
        if waits {
            self.hub.set_away(true);
        }
        waits
    }

    /// Takes the next changes from the ring, or from the database when the ring does not reach back that far.
    async fn take_page(&mut self, last: u64) -> Option<Change> {
        if let Some(entries) = self.hub.after(self.at, PAGE) {
            self.at = entries.last().map_or(last, |entry| entry.revision);
            self.take(&entries);
            return None;
        }
        let core = self.core.upgrade();
        let at = self.at;
        let replay = match core {
            Some(core) => core.shell.read(Size::Many, move |db| db.replay(at, PAGE)).await,
            None => Err(closed()),
        };
        match replay {
            Ok(Replay::Changes(entries, up_to)) => {
                self.at = up_to;
                self.there = self.there.max(up_to);
                self.take(&entries);
                None
            }
            // What follows is told: who reads everything again after the gap misses nothing.
            Ok(Replay::TooOld) => {
                self.at = last;
                Some(Change::Gap { why: Why::CursorTooOld })
            }
            Ok(Replay::Unknown) => {
                self.at = last;
                Some(Change::Gap { why: Why::CursorUnknown })
            }
            Err(error) if self.waits_for_the_server(&error) => None,
            Err(error) => {
                self.at = last;
                tracing::warn!(error = %error, "a feed could not read what changed");
                self.ready.push_back(Change::Gap { why: Why::Overflow });
                Some(Change::Down { error: Arc::new(error) })
            }
        }
    }

    fn take(&mut self, entries: &[Entry]) {
        let wanted = entries
            .iter()
            .filter(|entry| self.leaves.as_ref().is_none_or(|leaves| leaves.contains(&entry.leaf)));
        self.ready.extend(wanted.map(|entry| entry.to_change()));
    }
}
