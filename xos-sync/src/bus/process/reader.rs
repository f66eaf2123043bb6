//! One group's end of the bus.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::Shared;
use super::state::GroupId;
use crate::bus::{BATCH, BusError, Delivery, Event, Place, Position, Subscription};

pub(super) struct Reader {
    shared: Arc<Shared>,
    group: GroupId,
    told: Arc<Notify>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, group: GroupId, told: Arc<Notify>) -> Self {
        Reader { shared, group, told }
    }
}

#[async_trait]
impl Subscription for Reader {
    async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            // The lock is not held while the events are copied.
            let events = self.shared.lock().read(self.group, BATCH);
            if !events.is_empty() {
                let copied = events.iter().map(|event| Event::clone(event)).collect();
                return Ok(Delivery::Events(copied));
            }
            // It remembers that it was told when nobody waited.
            self.told.notified().await;
        }
    }

    fn hold(&mut self, place: &Place) {
        self.shared.lock().hold(self.group, place, true);
    }

    fn release(&mut self, place: &Place) {
        self.shared.lock().hold(self.group, place, false);
    }

    async fn commit(&mut self, positions: &[Position]) -> Result<(), BusError> {
        let someone_waits = self.shared.lock().commit(self.group, positions);
        if someone_waits {
            self.shared.room.notify_waiters();
        }
        Ok(())
    }

    async fn backlog(&mut self) -> Result<u64, BusError> {
        Ok(self.shared.lock().backlog(self.group))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.lock().leave(self.group);
    }
}
