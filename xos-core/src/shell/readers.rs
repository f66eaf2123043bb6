//! Connections that read a database while another one writes it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use xos_model_client::{ErrorKind, Result};

use super::{Size, closed};
use crate::hub::Hub;
use crate::lock::Opened;
#[cfg(feature = "postgres")]
use crate::sql::target::Target;
use crate::store::{Db, Outcome};

/// Where the connections lead to.
#[derive(Clone)]
pub(crate) enum Source {
    File(Opened),
    #[cfg(feature = "postgres")]
    Server(Arc<Target>),
}

/// A few connections for reading, opened when they are needed.
pub(crate) struct Readers {
    source: Source,
    hub: Arc<Hub>,
    permits: Arc<Semaphore>,
    /// `None` when the core was closed.
    idle: Arc<Mutex<Option<Vec<Db>>>>,
}

impl Readers {
    pub(super) fn new(source: Source, hub: Arc<Hub>, count: usize) -> Self {
        Readers {
            source,
            hub,
            permits: Arc::new(Semaphore::new(count.max(1))),
            idle: Arc::new(Mutex::new(Some(Vec::new()))),
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        size: Size,
        work: impl Fn(&mut Db) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let (source, hub, idle) = (self.source.clone(), self.hub.clone(), self.idle.clone());
        let read = move || {
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(Vec::pop);
            let mut db = match waiting.ok_or_else(closed)? {
                Some(db) => db,
                None => source.open(&hub)?,
            };
            let result = source.read(&mut db, &hub, &work).map_err(|fault| fault.told(&db.path));
            if let Some(idle) = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                idle.push(db);
            }
            drop(permit);
            result
        };
        if size == Size::Few || Handle::try_current().is_err() {
            return read();
        }
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
            Err(ErrorKind::Away { reason: format!("a read of the database was not finished: {error}") }
                .into())
        })
    }

    /// Closes the connections; those at work close when they are done.
    pub(super) fn close(&self) {
        self.permits.close();
        drop(self.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Source {
    fn open(&self, hub: &Hub) -> Result<Db> {
        match self {
            Source::File(opened) => {
                opened.check()?;
                Db::reader(opened.path(), hub.catalog())
            }
            #[cfg(feature = "postgres")]
            Source::Server(target) => Db::on_server(target.clone(), hub.catalog()),
        }
    }

    fn read<T>(&self, db: &mut Db, hub: &Hub, work: &dyn Fn(&mut Db) -> Outcome<T>) -> Outcome<T> {
        match self {
            Source::File(_) => {
                // Published after the commit that made its tables, so what is read from now on has them.
                db.catalog = hub.catalog();
                work(db)
            }
            #[cfg(feature = "postgres")]
            Source::Server(_) => db.read_on_server(work, Some(hub)),
        }
    }
}
