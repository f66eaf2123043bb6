//! Log lines: `tracing` events written the way the Python framework writes its own.
//!
//! A text line is time, level, event padded to 30 columns and `key=value` pairs sorted by key; a JSON line is one
//! object with `event`, `level`, `timestamp` and the keys. The keys are the event's fields and those of the spans
//! around it (`synchronizer_name`, `model_name`, `pk`); an inner one hides an outer one of the same name.
//!
//! ```text
//! 2026-11-21T09:30:00.000000Z [info     ] Syncing object                 model_name=HelloWorldService pk=1
//! {"event":"Syncing object","level":"info","timestamp":"2026-11-21T09:30:00.000000Z","model_name":"HelloWorldService","pk":1}
//! ```
//!
//! Where lines go is said in the section `logging` of the config file: [`Logging`].

use tracing::Subscriber;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

use crate::config::{Config, ConfigError, LogFormat, LogLevel, Logging};

mod fields;
mod layer;
mod line;
mod output;
#[cfg(test)]
mod tests;

use self::layer::{LogLayer, Threshold};
use self::output::Output;

/// What [`init`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// Log lines now go where the configuration says.
    Installed,
    /// The program has a subscriber of its own, which stays in charge.
    AlreadySet,
}

/// Sends log lines where `config` says, then logs the configuration's warnings.
///
/// A program that has a global subscriber keeps it, so this may be called in tests and by embedding programs.
///
/// # Errors
///
/// A log file that cannot be opened.
pub fn init(config: &Config) -> Result<Started, ConfigError> {
    let subscriber = Registry::default().with(layer(&config.logging)?);
    let started = match tracing::subscriber::set_global_default(subscriber) {
        Ok(()) => Started::Installed,
        Err(_) => Started::AlreadySet,
    };
    for warning in &config.warnings {
        tracing::warn!(%warning, "Configuration has no effect");
    }
    Ok(started)
}

/// The layer that writes log lines where `logging` says, for a program that builds its own subscriber.
///
/// # Errors
///
/// A log file that cannot be opened.
pub fn layer<S>(logging: &Logging) -> Result<impl Layer<S> + use<S>, ConfigError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let outputs = logging.outputs.iter().map(Output::open).collect::<Result<Vec<_>, _>>()?;
    Ok(LogLayer::new(outputs).with_filter(Threshold(logging.level)))
}

/// The layer that writes log lines to `writer`, for tests and for outputs of one's own.
///
/// # Examples
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt;
/// use xos_sync::config::{LogFormat, LogLevel};
///
/// let layer = xos_sync::logging::layer_to(LogFormat::Json, LogLevel::Info, std::io::sink());
/// let subscriber = tracing_subscriber::Registry::default().with(layer);
/// tracing::subscriber::with_default(subscriber, || tracing::info!(pk = 1, "Synced object"));
/// ```
pub fn layer_to<S, W>(format: LogFormat, level: LogLevel, writer: W) -> impl Layer<S> + use<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: std::io::Write + Send + 'static,
{
    LogLayer::new(vec![Output::to(format, Box::new(writer))]).with_filter(Threshold(level))
}
