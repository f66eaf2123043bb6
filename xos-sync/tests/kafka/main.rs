//! Event steps and the changes of an embedded core over Kafka: librdkafka's own cluster of mock brokers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod changes;
mod delivery;
mod killed;
mod support;
