//! A new database in memory is a copy of one that was made before: making all tables takes several times longer.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::Store;
use super::catalog::Catalog;
use super::fault::Outcome;

/// A database with the models of every core, and what is known of them.
static TEMPLATE: Mutex<Option<(Connection, Arc<Catalog>)>> = Mutex::new(None);

/// Fills an empty database.
pub(super) fn copy_into(connection: &mut Connection) -> Outcome<Arc<Catalog>> {
    let mut template = TEMPLATE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = match template.take() {
        Some(made) => made,
        None => Store::template()?,
    };
    let (from, catalog) = template.insert(made);
    copy(from, connection)?;
    Ok(catalog.clone())
}

/// Fills an empty database with all that is in another one.
pub(super) fn copy(from: &Connection, connection: &mut Connection) -> Outcome<()> {
    Backup::new(from, connection)?.step(-1)?;
    Ok(())
}
