//! Connections that read a file while another one writes it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use xos_model_client::{ErrorKind, Result};

use super::{Size, closed};
use crate::hub::Hub;
use crate::store::{Db, Outcome};

/// A few connections for reading, opened when they are needed.
pub(crate) struct Readers {
    path: PathBuf,
    hub: Arc<Hub>,
    permits: Arc<Semaphore>,
    /// `None` when the core was closed.
    idle: Arc<Mutex<Option<Vec<Db>>>>,
}

impl Readers {
    pub(super) fn new(path: &Path, hub: Arc<Hub>, count: usize) -> Self {
        Readers {
            path: path.to_owned(),
            hub,
            permits: Arc::new(Semaphore::new(count.max(1))),
            idle: Arc::new(Mutex::new(Some(Vec::new()))),
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        size: Size,
        work: impl FnOnce(&mut Db) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let (path, hub, idle) = (self.path.clone(), self.hub.clone(), self.idle.clone());
        let read = move || {
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(Vec::pop);
            let mut db = match waiting.ok_or_else(closed)? {
                Some(db) => db,
                None => Db::reader(&path, hub.catalog())?,
            };
            // Published after the commit that made its tables, so what is read from now on has them.
            db.catalog = hub.catalog();
            let result = work(&mut db).map_err(|fault| fault.told(&db.path));
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
