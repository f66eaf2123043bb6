//! A bus that only remembers.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::bus::{Bus, BusError, Event, Message, Subscription, Topics};

/// Remembers what is published, and delivers nothing: a test gives a step its events itself.
#[derive(Default)]
pub(super) struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    pub(super) fn published(&self) -> Vec<Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Bus for Recorder {
    fn describe(&self) -> String {
        "of a test".to_owned()
    }

    async fn publish(&self, message: Message<'_>) -> Result<(), BusError> {
        if message.topic.is_empty() {
            return Err(BusError::refused("an event", "it has no topic; expected a name"));
        }
        let mut event =
            Event::of_bytes(message.topic, message.key.map(Bytes::copy_from_slice), message.value);
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        event.offset = events.iter().filter(|earlier| earlier.topic == event.topic).count() as i64;
        events.push(event);
        Ok(())
    }

    async fn subscribe(&self, group: &str, _topics: &Topics) -> Result<Box<dyn Subscription>, BusError> {
        let reason = "a test gives a step its events itself: call process_event";
        Err(BusError::refused(format!("the group {group}"), reason))
    }
}
