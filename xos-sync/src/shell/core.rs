//! What the core does by itself: it changes, goes away, comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tracing::{Span, info, warn};
use xos_model_client::{Change, Cursor, Error, ModelAccessor, Schema};

use super::layout::Layout;
use super::{Io, Shell, Stopping};
use crate::engine::{Event, Outcome};
use crate::error::Result;

/// How often a core that is away is asked whether it is back.
const PROBE: Duration = Duration::from_secs(1);

/// The position from which the feed has to tell: what is read afterwards includes it. `None` when it was told to stop
/// while the core was away.
///
/// # Errors
///
/// The core refuses to be read.
pub(super) async fn cursor<S: Future<Output = ()>>(
    accessor: &Arc<dyn ModelAccessor>,
    span: &Span,
    mut stop: Pin<&mut S>,
) -> Result<Option<Cursor>> {
    let mut told = false;
    loop {
        let error = match accessor.cursor().await {
            Ok(cursor) => return Ok(Some(cursor)),
            Err(error) if error.is_interruption() => error,
            Err(error) => return Err(error.into()),
        };
        if !told {
            warn!(parent: span, e = %error, "the core is away; waiting for it");
            told = true;
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(PROBE) => {}
            () = &mut stop => return Ok(None),
        }
    }
}

impl Shell {
    /// What the feed told.
    pub(super) fn feed_told(&mut self, changes: &mut Vec<Change>) {
        for change in changes.drain(..) {
            match change {
                Change::Saved { key, leaf, by, .. } => self.object_changed(key, leaf, by),
                Change::Purged { key } => self.object_purged(key),
                Change::CaughtUp(_) => {}
                Change::Gap { why } => {
                    info!(parent: &self.span, ?why, "changes may have been missed; reading everything again");
                    self.reaped.clear();
                    self.tell(Event::Gap);
                    self.waits.anything_may_have_changed();
                }
                Change::Schema(schema) => {
                    if observes_other_models(&self.layout, &schema) {
                        self.shut_down(Stopping::SchemaChanged);
                    }
                }
                Change::Down { error } => self.core_is_away(&error),
                Change::Up => self.core_is_back(),
            }
        }
        self.read_changes();
        self.look_at_waits();
    }

    /// The core is away: nothing starts until it answers again.
    pub(super) fn core_is_away(&mut self, error: &Error) {
        if self.core_down {
            return;
        }
        self.core_down = true;
        if error.is_passing_trouble() && !self.cannot_store {
            self.cannot_store = true;
            warn!(parent: &self.span, e = %error, "the core cannot store; results wait until it can again");
        } else if !self.cannot_store {
            warn!(parent: &self.span, e = %error, "the core is away; results wait until it is back");
        }
        self.tell(Event::CoreDown);
        self.interrupt_unbegun();
        self.probe();
    }

    /// Runs that wait for their claim or their record, which now takes long, end here: nothing was done for them.
    pub(super) fn interrupt_unbegun(&mut self) {
        for run in self.writes.take_claims().into_iter().chain(self.reads.take_fetches()) {
            self.finish(run, Outcome::Interrupted);
        }
    }

    fn probe(&mut self) {
        let accessor = self.accessor.clone();
        self.io.push(Box::pin(async move {
            tokio::time::sleep(PROBE).await;
            let answer = accessor.cursor().await;
            Io::Probed(answer.map_or_else(|error| !error.is_interruption(), |_| true))
        }));
    }

    /// The core was asked whether it is back.
    pub(super) fn probed(&mut self, is_back: bool) {
        if is_back {
            self.core_is_back();
        } else if self.core_down {
            self.probe();
        }
    }

    /// Something was stored.
    pub(super) fn core_stores_again(&mut self) {
        if std::mem::take(&mut self.cannot_store) {
            info!(parent: &self.span, "the core stores again");
        }
    }

    fn core_is_back(&mut self) {
        if self.core_down {
            self.core_down = false;
            // It answers; only a write can show whether it stores as well.
            if !self.cannot_store {
                info!(parent: &self.span, "the core is back");
            }
            self.tell(Event::CoreUp);
            self.read_changes();
            self.waits.anything_may_have_changed();
            self.look_at_waits();
        }
    }
}

/// Whether a new schema has models that steps take and that are not known yet, or known ones with other fields.
pub(super) fn observes_other_models(layout: &Layout, schema: &Schema) -> bool {
    layout
        .leaves()
        .any(|leaf| schema.by_id(leaf.id).is_none_or(|model| model.fields.len() != leaf.shape.fields().len()))
        || schema.models().len() != layout.schema.models().len()
}
