//! The bus that the configuration chooses.

use std::sync::Arc;

use super::{Bus, ProcessBus};
use crate::config::{Config, EventBusKind};
use crate::error::Result;

/// Opens the bus that the configuration chooses. Brokers are not waited for.
///
/// # Errors
///
/// A kind of bus that the program was built without, and files for TLS that cannot be read.
pub(crate) fn open(config: &Config, name: &str) -> Result<Arc<dyn Bus>> {
    match config.event_bus.kind {
        EventBusKind::Memory => Ok(Arc::new(ProcessBus::new())),
        EventBusKind::Kafka => kafka(config, name),
    }
}

#[cfg(feature = "kafka")]
fn kafka(config: &Config, name: &str) -> Result<Arc<dyn Bus>> {
    #[cfg(not(feature = "kafka-tls"))]
    if config.event_bus.is_secured() {
        return Err(without("TLS and passwords to Kafka (event_bus.tls, event_bus.username)", "kafka-tls"));
    }
    let bus = super::kafka::KafkaBus::new(&config.event_bus, name)
        .map_err(|error| crate::error::ErrorKind::EventBus(error.to_string()))?;
    tracing::info!(event_bus = bus.describe(), "events");
    Ok(Arc::new(bus))
}

#[cfg(not(feature = "kafka"))]
fn kafka(config: &Config, _name: &str) -> Result<Arc<dyn Bus>> {
    let feature = if config.event_bus.is_secured() { "kafka-tls" } else { "kafka" };
    Err(without("Kafka (event_bus.kind: kafka)", feature))
}

#[cfg(not(feature = "kafka-tls"))]
fn without(what: &'static str, feature: &'static str) -> crate::error::Error {
    crate::error::ErrorKind::BuiltWithout { what, feature }.into()
}
