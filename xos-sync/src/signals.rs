//! SIGTERM and SIGINT, and the time that is left after them.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

/// How long signals count as one.
const ONE_WISH: Duration = Duration::from_millis(500);

/// What brokers and the like have at the end, however long the steps took.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Done at the first SIGTERM or SIGINT; the second one ends the process at once.
pub(crate) async fn stop() {
    first_signal().await;
    tokio::spawn(async {
        // Some programs send a signal to a process and to its group: that is one wish, not two.
        tokio::time::sleep(ONE_WISH).await;
        first_signal().await;
        tracing::warn!("stopped by a second signal; steps that ran will run again");
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn first_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

#[cfg(not(unix))]
async fn first_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The time that the program has when it was told to stop: one for everything that has to end.
pub(crate) struct Grace {
    period: Duration,
    began: OnceLock<Instant>,
}

impl Grace {
    pub(crate) fn of(period: Duration) -> Self {
        Grace { period, began: OnceLock::new() }
    }

    /// The program was told to stop.
    pub(crate) fn begins(&self) {
        self.began.get_or_init(Instant::now);
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        let gone = self.began.get().map_or(Duration::ZERO, Instant::elapsed);
        self.period.saturating_sub(gone).max(LAST_MOMENT.min(self.period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_ends_shares_one_grace_period_and_has_a_last_moment() {
        let grace = Grace::of(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(grace.left(), Duration::from_secs(30));
        grace.begins();
        tokio::time::advance(Duration::from_secs(12)).await;
        grace.begins();
        assert_eq!(grace.left(), Duration::from_secs(18));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(grace.left(), LAST_MOMENT);
        assert_eq!(Grace::of(Duration::ZERO).left(), Duration::ZERO);
    }
}
