//! What a program wants to remember beside the objects.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};
use serde_json::Value as Json;

use super::Store;
use super::db::Db;
use super::fault::{Fault, Outcome, store_error};

impl Store {
    /// Remembers values under their keys, or forgets those that are `None`; all of them or none.
    pub(crate) fn remember(&mut self, namespace: &str, entries: &[(String, Option<Json>)]) -> Outcome<()> {
        self.transaction(|store| {
            entries.iter().try_for_each(|(key, value)| store.remember_one(namespace, key, value.as_ref()))
        })
    }

    /// Remembers or forgets one value, as a part of the transaction that is under way.
    pub(crate) fn remember_one(&mut self, namespace: &str, key: &str, value: Option<&Json>) -> Outcome<()> {
        let connection = &self.db.connection;
        match value {
            Some(value) => connection
                .prepare_cached(
                    "INSERT INTO _memory (namespace, key, value) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![namespace, key, value.to_string()])?,
            None => connection
                .prepare_cached("DELETE FROM _memory WHERE namespace = ?1 AND key = ?2")?
                .execute([namespace, key])?,
        };
        Ok(())
    }
}

impl Db {
    /// What was remembered in a namespace, by key.
    pub(crate) fn recall(&self, namespace: &str) -> Outcome<BTreeMap<String, Json>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, value FROM _memory WHERE namespace = ?1 ORDER BY key")?;
        let mut rows = statement.query([namespace])?;
        let mut found = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (key, text): (String, String) = (row.get(0)?, row.get(1)?);
            let value = self.remembered(namespace, &key, &text)?;
            found.insert(key, value);
        }
        Ok(found)
    }

    /// What was remembered under one key.
    pub(crate) fn recall_one(&self, namespace: &str, key: &str) -> Outcome<Option<Json>> {
        let sql = "SELECT value FROM _memory WHERE namespace = ?1 AND key = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let text: Option<String> = statement.query_row([namespace, key], |row| row.get(0)).optional()?;
        text.map(|text| self.remembered(namespace, key, &text)).transpose()
    }

    fn remembered(&self, namespace: &str, key: &str, text: &str) -> Outcome<Json> {
        serde_json::from_str(text).map_err(|error| {
            let problem = format!("remembers something unreadable under {namespace}/{key}: {error}");
            Fault::Told(store_error(&self.path, problem, None))
        })
    }
}
