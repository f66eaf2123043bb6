//! The changes after a revision, and the tombstones of what was purged.

use std::ops::ControlFlow;

use xos_model_client::ModelId;

use super::db::{Db, leaf};
use super::fault::Outcome;
use super::{Store, caller_of};
use crate::hub::{Entry, Fields, What};
use crate::sql::{Connection, params};

/// The key under which the newest forgotten tombstone is kept.
const FORGOTTEN: &str = "forgotten";

/// A page of history.
#[derive(Debug)]
pub(crate) enum Replay {
    /// The changes, each object once with its newest one; and the revision up to which all was told.
    Changes(Vec<Entry>, u64),
    /// Purges after that revision are forgotten.
    TooOld,
    /// The revision was not given out yet.
    Unknown,
}

impl Db {
    /// Up to `limit` changes after a revision.
    pub(crate) fn replay(&self, after: u64, limit: usize) -> Outcome<Replay> {
        self.in_one_read(|db| {
            let last = db.last_revision()?;
            if after > last {
                return Ok(Replay::Unknown);
            }
            if after < forgotten(&db.connection)? {
                return Ok(Replay::TooOld);
            }
            let mut entries = Vec::new();
            for bottom in &db.catalog.bottoms {
                db.saved(*bottom, after, limit, &mut entries)?;
            }
            db.purged(after, limit, &mut entries)?;
            entries.sort_unstable_by_key(|entry| entry.revision);
            // Each source gave its first ones: the first of all of them are complete, what follows may not be.
            let complete = entries.len() < limit;
            entries.truncate(limit);
            let up_to = if complete { last } else { entries.last().map_or(last, |entry| entry.revision) };
            Ok(Replay::Changes(entries, up_to))
        })
    }

    fn saved(&self, bottom: ModelId, after: u64, limit: usize, entries: &mut Vec<Entry>) -> Outcome<()> {
        let table = &self.catalog.expect_layout(bottom)?.table;
        let sql = format!(
            "SELECT revision, id, leaf, by_whom FROM {table} WHERE revision > ?1 ORDER BY revision LIMIT ?2"
        );
        self.connection.each(&sql, params![after, limit], |row| {
            let leaf = leaf(row, 2)?;
            let root = self.catalog.info(leaf)?.root;
            let what = What::Saved(caller_of(row.get(3)?));
            entries.push(Entry {
                revision: row.get(0)?,
                root,
                id: row.get(1)?,
                leaf,
                what,
                fields: Fields::default(),
            });
            Ok(ControlFlow::Continue(()))
        })
    }

    fn purged(&self, after: u64, limit: usize, entries: &mut Vec<Entry>) -> Outcome<()> {
        let sql =
            "SELECT revision, root, id, leaf FROM _tombstone WHERE revision > ?1 ORDER BY revision LIMIT ?2";
        self.connection.each(sql, params![after, limit], |row| {
            let (root, leaf) = (leaf(row, 1)?, leaf(row, 3)?);
            entries.push(Entry {
                revision: row.get(0)?,
                root,
                id: row.get(2)?,
                leaf,
                what: What::Purged,
                fields: Fields::default(),
            });
            Ok(ControlFlow::Continue(()))
        })
    }
}

impl Store {
    /// Counts the tombstones: when a file is opened.
    pub(super) fn count_tombstones(&mut self) -> Outcome<()> {
        self.tombstones = self.db.connection.number("SELECT count(*) FROM _tombstone")?;
        Ok(())
    }

    /// Forgets the oldest tombstones when there are a tenth more than are kept.
    pub(crate) fn trim_tombstones(&mut self) -> Outcome<()> {
        // The newest one has to stay: it may be the last revision that was given out.
        let kept = self.tombstones_kept.max(1);
        if self.tombstones <= kept + kept / 10 {
            return Ok(());
        }
        let connection = &self.db.connection;
        let sql = "SELECT revision FROM _tombstone ORDER BY revision DESC LIMIT 1 OFFSET ?1";
        let newest = connection.one(sql, params![kept], |row| Ok(row.get::<u64>(0)?))?;
        let Some(newest) = newest else {
            // Another server on the same database forgot them.
            return self.count_tombstones();
        };
        connection.execute("DELETE FROM _tombstone WHERE revision <= ?1", params![newest])?;
        connection.execute(
            "INSERT INTO _state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![FORGOTTEN, newest],
        )?;
        self.tombstones = kept;
        Ok(())
    }
}

fn forgotten(connection: &Connection) -> Outcome<u64> {
    let sql = "SELECT value FROM _state WHERE key = ?1";
    Ok(connection.one(sql, params![FORGOTTEN], |row| Ok(row.get(0)?))?.unwrap_or(0))
}
