//! The `tracing` side: gathers the fields of event and spans and hands the line to each output.

use jiff::Timestamp;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::Fields;
use super::line::Line;
use super::output::Output;
use crate::config::LogLevel;

/// Libraries below us: what they say below a warning is of no use to a service's author.
const LIBRARIES: [&str; 10] =
    ["h2", "hyper", "hyper_util", "mio", "notify", "rustls", "tokio", "tokio_util", "tonic", "tower"];

/// Writes every event to every output that takes its level.
pub(crate) struct LogLayer {
    outputs: Vec<Output>,
    clock: fn() -> Timestamp,
}

impl LogLayer {
    pub(crate) fn new(outputs: Vec<Output>) -> Self {
        Self { outputs, clock: Timestamp::now }
    }

    #[cfg(test)]
    pub(crate) fn with_clock(self, clock: fn() -> Timestamp) -> Self {
        Self { clock, ..self }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut outputs = self.outputs.iter().filter(|output| output.takes(level)).peekable();
        if outputs.peek().is_none() {
            return;
        }
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.overlay(of_span.clone());
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.overlay(own);
        fields.keys.sort_unstable_by_key(|(name, _)| *name);
        let line = Line { time: (self.clock)(), level, fields: &fields };
        outputs.for_each(|output| output.write(&line));
    }
}

/// Drops what is below a level, and what libraries say below a warning.
///
/// Spans down to info stay: their fields belong to the warnings and errors inside them.
pub(crate) struct Threshold(pub(crate) LogLevel);

impl Threshold {
    fn lets_through(&self, metadata: &Metadata<'_>) -> bool {
        let crate_name = metadata.target().split("::").next().unwrap_or_default();
        let level = if LIBRARIES.contains(&crate_name) {
            self.0.max(LogLevel::Warn)
        } else if metadata.is_span() {
            self.0.min(LogLevel::Info)
        } else {
            self.0
        };
        *metadata.level() <= level.to_tracing()
    }
}

impl<S> Filter<S> for Threshold {
    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        self.lets_through(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.lets_through(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.0.min(LogLevel::Info).to_tracing()))
    }
}

impl LogLevel {
    /// The same level of `tracing`.
    pub(crate) fn to_tracing(self) -> Level {
        match self {
            Self::Trace => Level::TRACE,
            Self::Debug => Level::DEBUG,
            Self::Info => Level::INFO,
            Self::Warn => Level::WARN,
            Self::Error => Level::ERROR,
        }
    }
}
