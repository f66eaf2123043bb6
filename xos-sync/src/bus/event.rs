//! One event.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xos_model_client::Timestamp;

/// Something that happened, as it came over the event bus.
///
/// # Examples
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use xos_sync::Event;
///
/// #[derive(Serialize, Deserialize)]
/// struct Restarted {
///     pod: String,
/// }
///
/// let event = Event::new("pods", "web-1", &Restarted { pod: "web-1".into() })?;
/// let restarted: Restarted = event.json()?;
/// assert_eq!(restarted.pod, "web-1");
/// # Ok::<(), xos_sync::EventError>(())
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The topic it was published on.
    pub topic: Arc<str>,
    /// Its key: events of one key come in order.
    pub key: Option<Bytes>,
    /// What it says, usually JSON.
    pub value: Bytes,
    /// When it was published, as far as known.
    pub timestamp: Option<Timestamp>,
    /// The partition of the topic that it is in.
    pub partition: i32,
    /// Its number in the partition.
    pub offset: i64,
}

/// The text of an event is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {topic}/{partition} at offset {offset}: expected {expected}, found: {found}")]
pub struct EventError {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    expected: String,
    found: String,
}

/// The longest part of a payload that an error may show, in characters.
const SHOWN: usize = 120;

impl Event {
    /// An event as a step would get it, for tests: partition 0, offset 0, published now.
    ///
    /// # Errors
    ///
    /// A value that JSON has no words for, such as a map whose keys are no texts.
    pub fn new<'k>(
        topic: impl Into<Arc<str>>,
        key: impl Into<Option<&'k str>>,
        json: &impl Serialize,
    ) -> Result<Self, EventError> {
        let key = key.into().map(|key| Bytes::copy_from_slice(key.as_bytes()));
        let mut event = Event::of_bytes(topic, key, Bytes::new());
        let value = serde_json::to_vec(json);
        event.value = value.map_err(|error| event.error("what JSON can say", error.to_string()))?.into();
        Ok(event)
    }

    /// An event of any bytes, for tests: partition 0, offset 0, published now.
    pub fn of_bytes(topic: impl Into<Arc<str>>, key: Option<Bytes>, value: impl Into<Bytes>) -> Self {
        let (topic, value) = (topic.into(), value.into());
        Event { topic, key, value, timestamp: Some(Timestamp::now()), partition: 0, offset: 0 }
    }

    /// What its JSON says.
    ///
    /// # Errors
    ///
    /// Bytes that are no JSON, or other JSON than `T` takes. The error has topic, partition and offset, and where in
    /// the text it is; of the text itself it shows a few words at most.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        serde_json::from_slice(&self.value).map_err(|error| {
            let expected = match error.classify() {
                serde_json::error::Category::Data => {
                    format!("JSON of a {}", crate::step::short_type_name::<T>())
                }
                _ => "JSON".to_owned(),
            };
            let (text, line, column) = (error.to_string(), error.line(), error.column());
            // serde_json puts the position at the end, where it would be cut off.
            let place = format!(" at line {line} column {column}");
            let text = text.strip_suffix(&place).unwrap_or(&text);
            self.error(expected, format!("{}{place} of {} bytes", shortened(text), self.value.len()))
        })
    }

    /// What it says, as text.
    ///
    /// # Errors
    ///
    /// Bytes that are not UTF-8.
    pub fn text(&self) -> Result<&str, EventError> {
        std::str::from_utf8(&self.value).map_err(|error| self.error("text in UTF-8", error.to_string()))
    }

    /// Its key as text; what is not UTF-8 in it is replaced.
    pub fn key_text(&self) -> Option<Cow<'_, str>> {
        self.key.as_deref().map(String::from_utf8_lossy)
    }

    fn error(&self, expected: impl Into<String>, found: String) -> EventError {
        EventError {
            topic: self.topic.clone(),
            partition: self.partition,
            offset: self.offset,
            expected: expected.into(),
            found,
        }
    }
}

/// A text of which the middle is left out when it is long.
fn shortened(text: &str) -> Cow<'_, str> {
    let count = text.chars().count();
    if count <= SHOWN {
        return Cow::Borrowed(text);
    }
    let head: String = text.chars().take(SHOWN / 2).collect();
    let tail: String = text.chars().skip(count - SHOWN / 2).collect();
    Cow::Owned(format!("{head}...{tail}"))
}

/// Its place and size: what it says may be secret.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { topic, partition, offset, .. } = self;
        let key = self.key_text().unwrap_or_default();
        write!(f, "Event({topic}/{partition} at {offset}, key {key:?}, {} bytes)", self.value.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    struct Pod {
        #[allow(dead_code, reason = "only its type matters")]
        name: u32,
    }

    fn event(value: &str) -> Event {
        let mut event = Event::of_bytes("pods", None, value.to_owned());
        (event.partition, event.offset) = (3, 17);
        event
    }

    fn check(value: &str, expected: &str) {
        assert_eq!(event(value).json::<Pod>().unwrap_err().to_string(), expected);
    }

    #[test]
    fn an_error_says_where_and_what_but_not_all_that_was_there() {
        check(
            "{\"name\": 1",
            "event pods/3 at offset 17: expected JSON, found: EOF while parsing an object at line 1 column 10 of 10 \
             bytes",
        );
        check(
            "{\n}",
            "event pods/3 at offset 17: expected JSON of a Pod, found: missing field `name` at line 2 column 1 of 3 \
             bytes",
        );
        let long = format!("{{\"name\": \"{}\"}}", "secret".repeat(1000));
        let error = event(&long).json::<Pod>().unwrap_err().to_string();
        assert!(error.len() < 300 && error.contains("expected u32 at line 1 column 6011"), "{error}");
    }

    #[test]
    fn what_is_not_text_is_said() {
        let event = Event::of_bytes("pods", Some(Bytes::from_static(b"\xffa")), &b"a\xff"[..]);
        let error = event.text().unwrap_err().to_string();
        assert!(error.contains("expected text in UTF-8, found: invalid utf-8 sequence"), "{error}");
        assert_eq!(event.key_text().unwrap(), "\u{fffd}a");
        assert_eq!(format!("{event:?}"), "Event(pods/0 at 0, key \"\u{fffd}a\", 2 bytes)");
    }
}
