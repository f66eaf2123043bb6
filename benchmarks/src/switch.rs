//! A subscriber that takes all spans, or none at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Turns the spans of this process on and off. Off costs what no subscriber costs.
#[derive(Clone)]
pub struct Spans(Arc<AtomicBool>);

impl Spans {
    /// Off; for once in a process.
    pub fn install() -> Self {
        let switch = Spans(Arc::default());
        let subscriber = tracing_subscriber::registry().with(switch.clone());
        tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
        switch
    }

    /// From here on.
    pub fn on(&self) {
        self.set(true);
    }

    /// From here on.
    pub fn off(&self) {
        self.set(false);
    }

    fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::SeqCst);
        tracing::callsite::rebuild_interest_cache();
    }

    fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.is_on() && *metadata.level() <= LevelFilter::INFO {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, _: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.is_on()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.is_on() { LevelFilter::INFO } else { LevelFilter::OFF })
    }
}
