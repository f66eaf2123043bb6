//! Python clients whose models are old are told so.
//!
//! A Python synchronizer that misses models asks `NoOp` every second until that fails: a core 4.0.4 restarts when models
//! were loaded, and only then the client reads the schema again. Here nothing restarts, so it would wait for ever. So
//! one `NoOp` of a Python client that read the schema before the models changed fails as if the core had been away.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tonic::Status;

use crate::server::call::{Call, Peer};

/// How many connections are remembered.
const MOST: usize = 4096;

/// How the clients' library calls itself.
const PYTHON: &str = "grpc-python";

/// Which generation of the schema was read on which connection.
#[derive(Default)]
pub(crate) struct Behind {
    read: Mutex<HashMap<SocketAddr, u64>>,
}

impl Behind {
    /// The schema is read, of this generation or a later one.
    pub(crate) fn reads(&self, call: &Call, generation: u64) {
        let Some(peer) = python(call) else { return };
        let mut read = self.read();
        if read.len() >= MOST && !read.contains_key(&peer) {
            // Those that were told, or are gone: they read it again when they connect.
            read.clear();
        }
        read.insert(peer, generation);
    }

    /// Fails once for a connection on which an older generation was read.
    pub(super) fn check(&self, call: &Call, generation: u64) -> Result<(), Status> {
        let Some(peer) = python(call) else { return Ok(()) };
        let mut read = self.read();
        if read.get(&peer).is_none_or(|known| *known == generation) {
            return Ok(());
        }
        read.remove(&peer);
        Err(Status::unavailable("models were loaded or unloaded: connect again to read the schema"))
    }

    fn read(&self) -> MutexGuard<'_, HashMap<SocketAddr, u64>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a Python client calls from over the network.
fn python(call: &Call) -> Option<SocketAddr> {
    match call.peer {
        Peer::Network(peer) if call.metadata("user-agent")?.starts_with(PYTHON) => Some(peer),
        _ => None,
    }
}
