//! The thread that listens to what other servers write into the same database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use xos_model_client::Result;

use super::writer::Housekeeper;
use crate::hub::{Hub, RING};
use crate::sql::postgres::Heard;
use crate::sql::target::Target;
use crate::store::{Db, Outcome, Replay, store_error};

/// How long nothing may be heard before the tables are looked at all the same.
const QUIET: Duration = Duration::from_secs(5);

/// How often what dead servers left is looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(250);

/// The way to that thread.
pub(crate) struct Listener {
    heard: Arc<Heard>,
    closed: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    pub(super) fn start(
        target: Arc<Target>,
        heard: Arc<Heard>,
        hub: Arc<Hub>,
        housekeeper: Housekeeper,
    ) -> Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let name = target.name.clone();
        let work = Work { target, heard: heard.clone(), hub, housekeeper, closed: closed.clone() };
        let thread =
            std::thread::Builder::new().name("xos-core-listener".to_owned()).spawn(move || work.run());
        let thread = thread.map_err(|error| {
            store_error(&name, format!("cannot be listened to: no thread could be started ({error})"), None)
        })?;
        Ok(Listener { heard, closed, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.heard.something.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(
                "the thread that listens to the database panicked; this is a bug, please report it"
            );
        }
    }
}

struct Work {
    target: Arc<Target>,
    heard: Arc<Heard>,
    hub: Arc<Hub>,
    housekeeper: Housekeeper,
    closed: Arc<AtomicBool>,
}

impl Work {
    fn run(&self) {
        let Ok(mut db) = Db::listener(self.target.clone(), self.heard.clone(), self.hub.catalog()) else {
            return;
        };
        let mut kept_house = Instant::now();
        let mut listening = 0;
        while !self.closed.load(Ordering::Relaxed) {
            // What was written before it listened is read after; so nothing is missed between.
            let result = Self::listen(&db, &mut listening).and_then(|()| self.catch_up(&mut db));
            if let Err(fault) = result {
                let error = fault.told(&self.target.name);
                tracing::debug!(%error, "the database cannot be listened to");
                self.hub.set_away(true);
                self.pause(&db, PAUSE);
                continue;
            }
            self.hub.set_away(false);
            if kept_house.elapsed() > HOUSEKEEPING {
                kept_house = Instant::now();
                self.housekeeper.ask();
            }
            // Another connection may have taken the place of one that broke: it does not listen yet.
            if db.connection.postgres().is_some_and(|postgres| postgres.backend() == listening) {
                self.pause(&db, QUIET);
            }
        }
    }

    fn listen(db: &Db, listening: &mut i32) -> Outcome<()> {
        let Some(postgres) = db.connection.postgres() else { return Ok(()) };
        if postgres.is_broken() {
            postgres.reconnect()?;
        }
        if postgres.backend() != *listening {
            postgres.listen()?;
            *listening = postgres.backend();
        }
        Ok(())
    }

    /// Waits until something is heard, or for some time.
    fn pause(&self, db: &Db, limit: Duration) {
        let Some(postgres) = db.connection.postgres() else { return };
        if postgres.is_broken() {
            // Whatever is heard now is that it broke.
            if !self.closed.load(Ordering::Relaxed) {
                std::thread::sleep(limit.min(PAUSE));
            }
            return;
        }
        let _ = postgres.wait(async { tokio::time::timeout(limit, self.heard.something.notified()).await });
    }

    /// Tells of all that was committed and not told here.
    fn catch_up(&self, db: &mut Db) -> Outcome<()> {
        loop {
            let known = self.hub.revision();
            // One page is no more than the ring holds: who is further behind reads the tables.
            let (replay, last) = db.read_on_server(
                &|db| {
                    let last = db.last_revision()?;
                    let replay = if last > known && last - known <= RING as u64 {
                        Some(db.replay(known, RING)?)
                    } else {
                        None
                    };
                    Ok((replay, last))
                },
                Some(&self.hub),
            )?;
            match replay {
                Some(Replay::Changes(entries, up_to)) => {
                    self.hub.publish_others(&entries, up_to);
                    if up_to >= last {
                        return Ok(());
                    }
                }
                _ => {
                    self.hub.skip_to(last);
                    return Ok(());
                }
            }
        }
    }
}
