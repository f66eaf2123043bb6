//! Events that are given up: dead letters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::error;
use xos_model_client::Timestamp;

use super::handle::{Settled, Station};
use super::{GiveUp, lines};
use crate::beside::until;
use crate::bus::{Event, Message, Publisher, dead_letter_topic};
use crate::step::StepError;

/// Does what the step wants done about an event that failed too often.
pub(super) async fn give_up(
    station: &Station,
    event: &Event,
    error: &StepError,
    attempts: u32,
    stop: &mut watch::Receiver<bool>,
) -> Settled {
    let topic = match &station.give_up {
        GiveUp::DeadLetter { topic: Some(topic), .. } => topic.clone(),
        GiveUp::DeadLetter { topic: None, .. } => dead_letter_topic(&event.topic, &station.group),
        _ => {
            lines::given_up(error, attempts, None);
            return Settled::Done;
        }
    };
    let letter = letter(&station.group, event, error, attempts).to_string().into_bytes();
    let mut tries = 0;
    let mut told = String::new();
    loop {
        let (key, value) = (event.key.as_deref(), letter.clone());
        let message = Message { topic: &topic, key, value, from: Publisher::EventStep };
        // The event is settled only when the letter is delivered for sure.
        let Some(result) = until(stop, station.around.bus.publish(message)).await else {
            return Settled::Stopped;
        };
        let Err(problem) = result else {
            lines::given_up(error, attempts, Some(&topic));
            return Settled::Done;
        };
        tries += 1;
        let text = problem.to_string();
        if text != told {
            error!(e = text, dead_letter_topic = topic, "the dead letter cannot be published; trying again");
            told = text;
        }
        let rest = station.backoff().after(tries, &station.who(event));
        if until(stop, sleep(rest)).await.is_none() {
            return Settled::Stopped;
        }
    }
}

/// The event, and what became of it.
fn letter(group: &str, event: &Event, error: &StepError, attempts: u32) -> Json {
    let mut letter = Map::new();
    letter.insert("step".into(), group.into());
    letter.insert("error".into(), error.chain().into());
    letter.insert("attempts".into(), attempts.into());
    letter.insert("topic".into(), (*event.topic).into());
    letter.insert("partition".into(), event.partition.into());
    letter.insert("offset".into(), event.offset.into());
    letter.insert("timestamp".into(), json!(event.timestamp.map(Timestamp::seconds)));
    if let Some(key) = &event.key {
        insert_bytes(&mut letter, "key", key);
    }
    insert_bytes(&mut letter, "value", &event.value);
    Json::Object(letter)
}

/// Text as it is, other bytes in base64, under another name.
fn insert_bytes(letter: &mut Map<String, Json>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => letter.insert(name.to_owned(), text.into()),
        Err(_) => letter.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_all_that_is_needed_to_send_the_event_again() {
        let mut event = Event::of_bytes("pods", Some("web".into()), vec![0xff, 0]);
        (event.partition, event.offset, event.timestamp) = (2, 7, None);
        let letter = letter("k8s.PodStep", &event, &StepError::failed("no"), 3);
        let expected = json!({
            "step": "k8s.PodStep", "error": "no", "attempts": 3, "topic": "pods", "partition": 2, "offset": 7,
            "timestamp": null, "key": "web", "value_base64": "/wA=",
        });
        assert_eq!(letter, expected);
    }
}
