//! Where the store runs: on the caller's thread, or on one of its own.

#[cfg(feature = "postgres")]
mod listener;
mod readers;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use xos_model_client::{Error, ErrorKind, Result, Write, Written};

#[cfg(feature = "postgres")]
use self::listener::Listener;
use self::readers::{Readers, Source};
use self::writer::Writer;
use crate::hub::Hub;
use crate::lock::Opened;
use crate::options::{Options, Threads};
use crate::store::{Db, Fault, Outcome, Store, read_catalog, read_generation};

/// The store, where it runs.
pub(crate) enum Shell {
    /// On the caller's thread; `None` when it was closed.
    Inline(Mutex<Option<Box<Store>>>),
    /// On a thread of its own. Reads of a file run beside it.
    Own { writer: Writer, readers: Option<Readers> },
    /// On a thread of its own, beside readers; another listens to what other servers change.
    #[cfg(feature = "postgres")]
    Server { writer: Writer, readers: Readers, listener: Listener },
    /// Only a reader of a file that another process may be writing.
    ReadOnly(Mutex<Option<Db>>),
}

/// What a caller is told after the core was closed.
pub(crate) fn closed() -> Error {
    Error::away("the embedded core was closed")
}

impl Shell {
    pub(crate) fn new(store: Store, path: Option<&Path>, options: &Options) -> Result<Self> {
        let own = match options.threads {
            Threads::Automatic => path.is_some(),
            Threads::Inline => false,
            Threads::Own => true,
        };
        if !own {
            return Ok(Shell::Inline(Mutex::new(Some(Box::new(store)))));
        }
        let hub = store.hub.clone();
        let readers = path.map(|path| Readers::new(Source::File(Opened::at(path)), hub, options.readers));
        Ok(Shell::Own { writer: Writer::start(store)?, readers })
    }

    /// The store of a database that other servers use too.
    #[cfg(feature = "postgres")]
    pub(crate) fn on_server(
        store: Store,
        target: std::sync::Arc<crate::sql::target::Target>,
        heard: Arc<crate::sql::postgres::Heard>,
        options: &Options,
    ) -> Result<Self> {
        let hub = store.hub.clone();
        let readers = Readers::new(Source::Server(target.clone()), hub.clone(), options.readers);
        let writer = Writer::start(store)?;
        let listener = Listener::start(target, heard, hub, writer.housekeeper())?;
        Ok(Shell::Server { writer, readers, listener })
    }

    /// Makes the writes of one call.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        match self {
            Shell::Inline(store) => {
                tokio::task::coop::consume_budget().await;
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                match store.as_mut() {
                    Some(store) => store.write_now(writes),
                    None => writes.iter().map(|_| Err(closed())).collect(),
                }
            }
            Shell::Own { writer, .. } => writer.write(writes).await,
            #[cfg(feature = "postgres")]
            Shell::Server { writer, .. } => writer.write(writes).await,
            Shell::ReadOnly(_) => writes.iter().map(|_| Err(read_only())).collect(),
        }
    }

    /// Runs something that may change the store.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        match self {
            Shell::Inline(store) => {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = store.as_mut().ok_or_else(closed)?;
                work(store).map_err(|fault| store.told(fault))
            }
            Shell::Own { writer, .. } => writer.run(work).await,
            #[cfg(feature = "postgres")]
            Shell::Server { writer, .. } => writer.run(work).await,
            Shell::ReadOnly(_) => Err(read_only()),
        }
    }

    /// Runs something that reads. What was acknowledged before is seen. On a server it may run twice.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        size: Size,
        work: impl Fn(&mut Db) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        match self {
            Shell::Inline(store) => {
                tokio::task::coop::consume_budget().await;
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                let store = store.as_mut().ok_or_else(closed)?;
                work(&mut store.db).map_err(|fault| store.told(fault))
            }
            Shell::Own { readers: Some(readers), .. } => readers.run(size, work).await,
            #[cfg(feature = "postgres")]
            Shell::Server { readers, .. } => readers.run(Size::Many, work).await,
            Shell::Own { writer, readers: None } => writer.run(move |store| work(&mut store.db)).await,
            Shell::ReadOnly(db) => {
                let mut db = db.lock().unwrap_or_else(PoisonError::into_inner);
                let db = db.as_mut().ok_or_else(closed)?;
                follow(db).and_then(|()| work(db)).map_err(|fault| fault.told(&db.path))
            }
        }
    }

    /// A copy in memory of a store that is in memory.
    pub(crate) fn copy(&self, options: &Options) -> Result<Store> {
        let Shell::Inline(store) = self else {
            return Err(ErrorKind::Unsupported("copy a core that is not in memory".to_owned()).into());
        };
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        store.as_ref().ok_or_else(closed)?.copy(options)
    }

    /// Finishes what was begun, and lets the database go.
    pub(crate) fn close(&self, hub: &Arc<Hub>) {
        match self {
            Shell::Inline(store) => drop(store.lock().unwrap_or_else(PoisonError::into_inner).take()),
            Shell::Own { writer, readers } => {
                if let Some(readers) = readers {
                    readers.close();
                }
                writer.close();
            }
            #[cfg(feature = "postgres")]
            Shell::Server { writer, readers, listener } => {
                readers.close();
                listener.close();
                writer.close();
            }
            Shell::ReadOnly(db) => drop(db.lock().unwrap_or_else(PoisonError::into_inner).take()),
        }
        hub.close();
    }
}

/// How much is read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// A few objects by id: so fast that changing the thread would take longer.
    Few,
    /// Anything.
    Many,
}

/// The process that writes may load models: then they are read again.
fn follow(db: &mut Db) -> Outcome<()> {
    if read_generation(&db.connection)? != db.catalog.generation {
        db.catalog = Arc::new(read_catalog(&db.connection, &db.path)?);
    }
    Ok(())
}

fn read_only() -> Error {
    let what = "write: it was opened for reading only";
    ErrorKind::Unsupported(what.to_owned()).into()
}

impl Store {
    /// Makes the writes of one call, and then purges what they let go.
    fn write_now(&mut self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let answers = self.write_group(vec![writes]).pop().unwrap_or_default();
        if self.reaps() {
            self.reap_or_warn(Self::reap_all);
        }
        answers
    }

    /// Runs the reaper; when it fails, it tries again after the next write. Tells whether it worked.
    fn reap_or_warn(&mut self, reap: impl FnOnce(&mut Self) -> Outcome<usize>) -> bool {
        if !self.has_candidates() {
            return true;
        }
        let result = reap(self);
        if let Err(fault) = result {
            self.warn(fault);
            return false;
        }
        true
    }

    fn warn(&self, fault: Fault) {
        tracing::warn!(error = %self.told(fault), "the reaper could not purge; it tries again after the next write");
    }
}
