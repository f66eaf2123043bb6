//! Many-to-many lists.

use xos_model_client::{ObjectId, Value};

use super::Store;
use super::draft::Draft;
use super::fault::Outcome;
use super::values::Storage;
use crate::sql::params;

impl Store {
    /// Makes the lists of an object exactly what they are to be.
    pub(super) fn store_lists(&mut self, draft: &Draft<'_>, source: ObjectId) -> Outcome<()> {
        for (field, value) in draft.changes() {
            let column = draft.column(field);
            let (Storage::Links, Value::Links(wanted)) = (column.storage, value) else { continue };
            let stored = if draft.is_new() { Vec::new() } else { self.db.pairs(&column.name, source)? };
            let connection = &self.db.connection;
            let gone = format!("DELETE FROM {} WHERE source = ?1 AND target = ?2", column.name);
            for target in stored.iter().filter(|target| wanted.binary_search(target).is_err()) {
                connection.execute(&gone, params![source.get(), target.get()])?;
            }
            let new = format!("INSERT INTO {} (source, target) VALUES (?1, ?2)", column.name);
            for target in wanted.iter().filter(|target| stored.binary_search(target).is_err()) {
                connection.execute(&new, params![source.get(), target.get()])?;
            }
        }
        Ok(())
    }
}
