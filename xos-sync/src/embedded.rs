//! Opening the embedded core.

use std::path::Path;

use xos_core::EmbeddedCore;

use crate::config::Durability;
use crate::error::Result;

pub(crate) fn open(database: &Path, durability: Durability) -> Result<EmbeddedCore> {
    let durability = match durability {
        Durability::Normal => xos_core::Durability::Normal,
        Durability::Full => xos_core::Durability::Full,
    };
    let options = xos_core::Options { durability, ..xos_core::Options::default() };
    Ok(EmbeddedCore::open(database, options)?)
}

pub(crate) fn in_memory() -> Result<EmbeddedCore> {
    Ok(EmbeddedCore::in_memory()?)
}
