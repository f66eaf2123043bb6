//! The log of the tour: what the steps said is part of what is checked.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use xos_sync::config::{Color, LogFormat, LogLevel};
use xos_sync::{Error, Result};

/// All log lines so far, and a mark in them.
pub(super) struct Transcript {
    lines: Arc<Mutex<Vec<u8>>>,
    mark: usize,
}

impl Transcript {
    /// Starts to record.
    pub(super) fn start() -> Result<Self> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let layer = xos_sync::logging::layer_to(
            LogFormat::Text(Color::Never),
            LogLevel::Debug,
            Recorder(lines.clone()),
        );
        tracing_subscriber::registry().with(layer).try_init().map_err(Error::other)?;
        Ok(Transcript { lines, mark: 0 })
    }

    /// What is said from now on is new.
    pub(super) fn mark(&mut self) {
        self.mark = self.lines.lock().unwrap_or_else(PoisonError::into_inner).len();
    }

    /// What was said since the mark.
    pub(super) fn since_mark(&self) -> String {
        self.all().get(self.mark..).unwrap_or_default().to_owned()
    }

    /// All that was said.
    pub(super) fn all(&self) -> String {
        String::from_utf8_lossy(&self.lines.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// How often something was said.
    pub(super) fn count(&self, line: &str) -> usize {
        self.all().matches(line).count()
    }
}

struct Recorder(Arc<Mutex<Vec<u8>>>);

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
