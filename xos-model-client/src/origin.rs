//! What an object was when it was loaded.

use std::fmt;
use std::sync::Arc;

use crate::record::Record;

/// What was loaded: the hidden field `__origin` of the root of each chain.
///
/// `save` compares with it, so that only fields that were changed are sent, never a stale copy of one that somebody
/// else changed meanwhile. It takes no part in comparing two objects, and does not show in `Debug`.
#[derive(Clone, Default)]
pub struct Origin(Option<Arc<Record>>);

impl Origin {
    /// The origin of an object that was loaded as this record.
    pub(crate) fn loaded(record: Record) -> Self {
        Origin(Some(Arc::new(record)))
    }

    /// The record as it was loaded, `None` for an object that was never saved.
    pub fn record(&self) -> Option<&Record> {
        self.0.as_deref()
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "loaded" } else { "new" })
    }
}
