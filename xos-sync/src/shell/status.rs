//! What is written into `backend_status` and `backend_register`.

use serde::{Deserialize, Serialize};
use xos_model_client::Timestamp;

use crate::engine::FailureKind;

/// The longest `backend_status` and `backend_register`, in characters.
const LONGEST: usize = 1024;

/// Between two messages of a status.
const SEPARATOR: &str = " // ";

/// The status of an object that was synchronized.
pub(crate) const OK: &str = "OK";

/// The code of an object that was synchronized, and of one whose step did nothing harmful.
pub(crate) const CODE_OK: i64 = 1;

/// The code that a failure is stored with.
pub(crate) fn code_of(kind: FailureKind) -> i64 {
    match kind {
        FailureKind::Failed | FailureKind::Deferred => 2,
        FailureKind::Innocuous => CODE_OK,
    }
}

/// A message as it is stored: ASCII only, 1024 characters at most.
pub(crate) fn message(text: &str) -> String {
    let mut message = ascii(text);
    message.truncate(LONGEST);
    message
}

/// The status with one [message](message()) more: the last two distinct ones, joined by ` // `, 1024 characters at most.
pub(crate) fn with_message(status: &str, message: &str) -> String {
    let mut messages: Vec<&str> = status.split(SEPARATOR).filter(|part| !part.is_empty()).collect();
    if !messages.contains(&message) {
        messages.push(message);
    }
    let last = &messages[messages.len().saturating_sub(2)..];
    let joined = last.join(SEPARATOR);
    // A long message must not push itself out: the newest one is what people look for.
    if joined.len() > LONGEST { message.to_owned() } else { joined }
}

/// The newest message of a status.
pub(crate) fn last_message(status: &str) -> &str {
    status.rsplit(SEPARATOR).next().unwrap_or(status)
}

/// One non-ASCII character in it makes the real core refuse every later list of the model. The others are written as
/// escapes, so that nothing is lost.
pub(crate) fn ascii(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

/// The engine's scratchpad: what the Python framework writes, and two keys of our own that it ignores.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Register {
    /// Not before this, in seconds since 1970; 0 for at once.
    pub(crate) next_run: f64,
    /// Failures so far.
    pub(crate) exponent: u32,
    /// When it last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_success: Option<f64>,
    /// When it last failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_failure: Option<f64>,
    /// Failures so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failures: Option<u32>,
    /// The version that failed: decimal text that reads back bit for bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// How it failed, when not plainly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
}

/// How it failed, when not plainly.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Deferred,
    Innocuous,
}

impl Register {
    /// A register as it was stored; one that cannot be read is a new one, as in the Python framework.
    pub(crate) fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// After a success now.
    pub(crate) fn success(now: Timestamp) -> Self {
        Register { last_success: Some(now.seconds()), ..Register::default() }
    }

    /// After a failure now, following this one.
    pub(crate) fn failure(
        &self,
        now: Timestamp,
        next_run: f64,
        attempts: u16,
        version: Timestamp,
        kind: FailureKind,
    ) -> Self {
        Register {
            next_run,
            exponent: u32::from(attempts),
            last_success: self.last_success,
            last_failure: Some(now.seconds()),
            failures: Some(u32::from(attempts)),
            version: Some(version.seconds().to_string()),
            kind: match kind {
                FailureKind::Failed => None,
                FailureKind::Deferred => Some(Kind::Deferred),
                FailureKind::Innocuous => Some(Kind::Innocuous),
            },
        }
    }

    /// The version that failed.
    pub(crate) fn version(&self) -> Option<Timestamp> {
        self.version.as_deref()?.parse().ok().map(Timestamp::from_seconds)
    }

    pub(crate) fn failure_kind(&self) -> FailureKind {
        match self.kind {
            None => FailureKind::Failed,
            Some(Kind::Deferred) => FailureKind::Deferred,
            Some(Kind::Innocuous) => FailureKind::Innocuous,
        }
    }

    /// As it is stored.
    pub(crate) fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_keeps_the_last_two_distinct_messages() {
        let check =
            |status: &str, message: &str, expected: &str| assert_eq!(with_message(status, message), expected);
        check("Provisioning in progress", "Maybe later", "Provisioning in progress // Maybe later");
        check(
            "Provisioning in progress // Maybe later",
            "Maybe later",
            "Provisioning in progress // Maybe later",
        );
        check("flaky 1 // flaky 2", "flaky 3", "flaky 2 // flaky 3");
        check("OK", "Maybe not", "OK // Maybe not");
        check("", "Maybe not", "Maybe not");
    }

    #[test]
    fn a_status_is_ascii_and_fits() {
        assert_eq!(with_message("OK", &message("se\u{f1}or")), "OK // se\\u{f1}or");
        let long = "x".repeat(3000);
        let status = with_message("OK", &message(&long));
        assert_eq!((status.len(), status.is_ascii()), (1024, true));
        assert!(with_message(&status, "short").ends_with("short"), "the newest message shows");
    }

    #[test]
    fn a_register_keeps_the_version_bit_for_bit() {
        let version = Timestamp::from_micros(1_700_000_000_123_457);
        let register =
            Register::default().failure(Timestamp::from_seconds(2.5), 7.5, 3, version, FailureKind::Deferred);
        let read = Register::read(&register.write());
        assert_eq!(read, register);
        assert_eq!(
            read.version().map(|version| version.seconds().to_bits()),
            Some(version.seconds().to_bits())
        );
    }

    #[test]
    fn a_register_of_the_python_framework_is_read() {
        let text =
            r#"{"next_run": 0, "last_failure": 1.5, "last_success": 1.0, "exponent": 2, "failures": 2}"#;
        let register = Register::read(text);
        assert_eq!((register.exponent, register.version(), register.last_failure), (2, None, Some(1.5)));
        assert_eq!(Register::read("not json"), Register::default());
        assert_eq!(Register::read("{}"), Register::default());
    }

    #[test]
    fn a_success_forgets_failures() {
        assert_eq!(
            Register::success(Timestamp::from_seconds(9.0)).write(),
            r#"{"next_run":0.0,"exponent":0,"last_success":9.0}"#
        );
    }
}
