//! Within a process, who changes one thing in several steps waits for its turn.

use std::sync::LazyLock;

use futures_util::lock::{Mutex, MutexGuard};

use crate::value::ObjectId;

/// What a turn is for.
#[derive(Copy, Clone, Debug)]
pub(super) enum Turn {
    /// To change the lists of an address pool.
    Pool,
    /// To make an instance of a service for a subscriber.
    Service,
    /// To set a tag of an object.
    Tag,
}

const PLACES: usize = 64;

static TURNS: LazyLock<[[Mutex<()>; PLACES]; 3]> =
    LazyLock::new(|| std::array::from_fn(|_| std::array::from_fn(|_| Mutex::default())));

/// Waits until nobody else in this process does this with the object. Two objects share a turn now and then, which
/// costs time only. Who is dropped while waiting or working gives the turn back.
pub(super) async fn turn(what: Turn, id: ObjectId) -> MutexGuard<'static, ()> {
    TURNS[what as usize][id.get().unsigned_abs() as usize % PLACES].lock().await
}
