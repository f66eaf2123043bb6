//! How much a server takes on.

use std::time::Duration;

/// How much a server takes on.
///
/// # Examples
///
/// ```
/// use xos_core::server::Limits;
///
/// let limits = Limits { connections: 100, ..Limits::default() };
/// assert_eq!(limits.message_size, 4 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest request message, in bytes; 4 MiB, as of a core 4.0.4. Answers are not limited.
    pub message_size: usize,
    /// How many connections are open at once, of each listener; 1024. One more is closed as soon as it is made.
    pub connections: usize,
    /// How many calls of one connection are under way at once; 100. The others wait.
    pub calls_per_connection: usize,
    /// The most that the metadata of a call may take, in bytes; 64 KiB.
    pub header_size: usize,
    /// How long a client may take to begin to speak: TLS and the first frames of HTTP/2; 10 s.
    pub handshake: Duration,
    /// How long the message of a request may take to arrive; 60 s.
    pub request_time: Duration,
    /// How long a connection may be silent before the client is asked for a sign of life; 60 s.
    pub keep_alive: Duration,
    /// How long that sign of life may take; 20 s.
    pub keep_alive_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_size: 4 << 20,
            connections: 1024,
            calls_per_connection: 100,
            header_size: 64 << 10,
            handshake: Duration::from_secs(10),
            request_time: Duration::from_secs(60),
            keep_alive: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// How many bytes of requests one connection may have in memory at once.
    pub(super) fn memory(&self) -> u32 {
        u32::try_from(self.message_size.saturating_mul(4)).unwrap_or(u32::MAX).max(1)
    }

    /// An option that could never work, and why.
    pub(super) fn fault(&self) -> Option<String> {
        let counts = [
            ("message_size", self.message_size),
            ("connections", self.connections),
            ("calls_per_connection", self.calls_per_connection),
            ("header_size", self.header_size),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Some(format!("the limit {name} is 0: nothing could ever be answered"));
        }
        let durations = [
            ("handshake", self.handshake),
            ("request_time", self.request_time),
            ("keep_alive", self.keep_alive),
            ("keep_alive_timeout", self.keep_alive_timeout),
        ];
        let (name, _) = durations.iter().find(|(_, duration)| duration.is_zero())?;
        Some(format!("the limit {name} is 0 s: nobody could ever be in time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_says_so() {
        assert_eq!(Limits::default().fault(), None);
        let fault = Limits { connections: 0, ..Limits::default() }.fault().unwrap();
        assert!(fault.starts_with("the limit connections is 0"), "{fault}");
        let fault = Limits { handshake: Duration::ZERO, ..Limits::default() }.fault().unwrap();
        assert!(fault.starts_with("the limit handshake is 0 s"), "{fault}");
        assert_eq!(Limits { message_size: usize::MAX, ..Limits::default() }.memory(), u32::MAX);
    }
}
