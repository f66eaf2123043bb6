//! What librdkafka is told of a configuration.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::ExposeSecret as _;

use crate::bus::{BusError, Topics};
use crate::config::EventBus;

/// How long an event that was published waits for its confirmation, in milliseconds.
const DELIVERY_MS: &str = "30000";

/// How much published events may wait for the brokers, in KiB. More than this waits in the programs.
pub(super) const ROOM_KIB: u32 = 64 * 1024;

/// How often an event's topic is looked for where it does not exist yet, in milliseconds.
const LOOK_MS: &str = "2000";

/// How long a topic may be unknown to the brokers before an event for it is refused, in milliseconds: less than a
/// publisher waits, so that he is told the reason.
const UNKNOWN_MS: &str = "15000";

/// What all clients of a bus have in common.
pub(super) fn client(config: &EventBus, name: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    let protocol = match (config.tls, config.username.is_some()) {
        (false, false) => "plaintext",
        (true, false) => "ssl",
        (false, true) => "sasl_plaintext",
        (true, true) => "sasl_ssl",
    };
    client
        .set("bootstrap.servers", config.brokers.join(","))
        .set("client.id", name)
        .set("security.protocol", protocol)
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        // A broker that is back is to be found soon.
        .set("reconnect.backoff.max.ms", "3000")
        .set_log_level(RDKafkaLogLevel::Info);
    let files = [
        ("ssl.ca.location", &config.ca_file),
        ("ssl.certificate.location", &config.cert_file),
        ("ssl.key.location", &config.key_file),
    ];
    for (key, file) in files {
        if let Some(file) = file {
            client.set(key, file.to_string_lossy());
        }
    }
    if let (Some(username), Some(password)) = (&config.username, &config.password) {
        client
            .set("sasl.mechanism", config.sasl_mechanism.as_str())
            .set("sasl.username", username)
            .set("sasl.password", password.expose_secret());
    }
    client
}

/// Whether the files for TLS can be read: librdkafka's error does not say which it is about.
pub(super) fn check_files(config: &EventBus) -> Result<(), BusError> {
    let files = [
        ("event_bus.ca_file", &config.ca_file),
        ("event_bus.cert_file", &config.cert_file),
        ("event_bus.key_file", &config.key_file),
    ];
    for (key, file) in files {
        if let Some(file) = file
            && let Err(error) = std::fs::read(file)
        {
            return Err(BusError::refused(key, format!("{} cannot be read: {error}", file.display())));
        }
    }
    Ok(())
}

/// One who publishes.
pub(super) fn producer(common: &ClientConfig) -> ClientConfig {
    let mut producer = common.clone();
    producer
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", DELIVERY_MS)
        // Room is counted before; what is dropped while it waits leaves its event behind here.
        .set("queue.buffering.max.kbytes", (2 * ROOM_KIB).to_string())
        .set("queue.buffering.max.messages", "1000000")
        .set("topic.metadata.propagation.max.ms", UNKNOWN_MS)
        .set("linger.ms", "1");
    producer
}

/// One who reads.
pub(super) fn consumer(common: &ClientConfig, config: &EventBus, topics: &Topics) -> ClientConfig {
    let mut consumer = common.clone();
    let session = config.session_timeout.as_millis().clamp(1000, 3_600_000);
    consumer
        // What is committed is what was stored, and only what is processed is stored.
        .set("enable.auto.offset.store", "false")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "100")
        // Says which brokers can be reached.
        .set("statistics.interval.ms", "2000")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", session.to_string())
        .set("heartbeat.interval.ms", (session / 4).min(3000).to_string())
        // Topics, and partitions of them, that come later.
        .set("topic.metadata.refresh.interval.ms", LOOK_MS)
        .set("metadata.max.age.ms", "6000")
        // What is read ahead of the steps, for each of them.
        .set("queued.max.messages.kbytes", "16384");
    if matches!(topics, Topics::Pattern(_)) {
        // A pattern never matches dead letters and the broker's own topics.
        consumer.set("topic.blacklist", "^__,\\.dead$");
    }
    consumer
}
