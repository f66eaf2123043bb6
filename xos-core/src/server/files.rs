//! The files that services were loaded with: kept and served back, never run.

use crate::EmbeddedCore;

/// The files of all services.
pub(crate) struct Files {
    core: EmbeddedCore,
}

impl Files {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        Files { core }
    }
}
