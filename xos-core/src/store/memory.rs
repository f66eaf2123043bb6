//! What a program wants to remember beside the objects.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Store;
use super::db::Db;
use super::fault::{Fault, Outcome, store_error};
use crate::sql::params;

impl Store {
    /// Remembers values under their keys, or forgets those that are `None`; all of them or none.
    pub(crate) fn remember(&mut self, namespace: &str, entries: &[(String, Option<Json>)]) -> Outcome<()> {
        self.transaction(|store| {
            entries.iter().try_for_each(|(key, value)| store.remember_one(namespace, key, value.as_ref()))
        })
    }

    /// Remembers or forgets one value, as a part of the transaction that is under way.
    pub(crate) fn remember_one(&mut self, namespace: &str, key: &str, value: Option<&Json>) -> Outcome<()> {
        match value {
            Some(value) => self.db.connection.execute(
                "INSERT INTO _memory (namespace, key, value) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value",
                params![namespace, key, value.to_string().as_str()],
            )?,
            None => self
                .db
                .connection
                .execute("DELETE FROM _memory WHERE namespace = ?1 AND key = ?2", params![namespace, key])?,
        }
        Ok(())
    }
}

impl Db {
    /// What was remembered in a namespace, by key.
    pub(crate) fn recall(&self, namespace: &str) -> Outcome<BTreeMap<String, Json>> {
        let sql = "SELECT key, value FROM _memory WHERE namespace = ?1 ORDER BY key";
        let found = self.connection.all(sql, params![namespace], |row| {
            let (key, text): (String, String) = (row.get(0)?, row.get(1)?);
            let value = self.remembered(namespace, &key, &text)?;
            Ok((key, value))
        })?;
        Ok(found.into_iter().collect())
    }

    /// What was remembered under one key.
    pub(crate) fn recall_one(&self, namespace: &str, key: &str) -> Outcome<Option<Json>> {
        let sql = "SELECT value FROM _memory WHERE namespace = ?1 AND key = ?2";
        let text = self.connection.one(sql, params![namespace, key], |row| Ok(row.get::<String>(0)?))?;
        text.map(|text| self.remembered(namespace, key, &text)).transpose()
    }

    fn remembered(&self, namespace: &str, key: &str, text: &str) -> Outcome<Json> {
        serde_json::from_str(text).map_err(|error| {
            let problem = format!("remembers something unreadable under {namespace}/{key}: {error}");
            Fault::Told(store_error(&self.path, problem, None))
        })
    }
}
