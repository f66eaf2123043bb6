//! Changes of objects on the event bus: the topic `xos.gui_events`.
//!
//! The core 4.0.4 publishes each change there. An embedded core does so too ([`publish`]); and the changes that a core
//! on the network publishes wake steps at once ([`wake`]), where they would otherwise be found by the next poll.

#[cfg(feature = "embedded")]
pub(crate) mod publish;
mod tale;
pub(crate) mod wake;

/// The topic on which a core tells of changes.
pub(crate) const TOPIC: &str = "xos.gui_events";

#[cfg(feature = "embedded")]
const _: () = assert!(xos_core::GUI_EVENTS.len() == TOPIC.len());
