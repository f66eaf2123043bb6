//! The log of one run, in virtual time.

use std::cell::Cell;
use std::fmt;

use tokio::time::Instant;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

thread_local! {
    static BEGIN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The world of this thread begins now.
pub(super) fn begins() {
    BEGIN.set(Some(Instant::now()));
}

/// Shows the log of what follows, with a test's output.
pub(super) fn show() {
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_timer(VirtualTime)
        .with_max_level(tracing::Level::DEBUG);
    // Another test may have set up its own.
    let _ = log.with_test_writer().try_init();
}

/// Seconds since the world began.
struct VirtualTime;

impl FormatTime for VirtualTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        match BEGIN.get() {
            Some(begin) => write!(writer, "{:>10.3}s", begin.elapsed().as_secs_f64()),
            None => write!(writer, "{:>11}", ""),
        }
    }
}
