//! SIGTERM and SIGINT.

use std::time::Duration;

/// How long signals count as one.
const ONE_WISH: Duration = Duration::from_millis(500);

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
