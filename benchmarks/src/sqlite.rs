//! SQLite: first syncs of 10,000 objects end to end on a file, beside the bare database doing the same writes.
//!
//! The bare database is a copy of the same file: the same tables, indexes and settings. It makes the updates that the
//! engine makes (the claim, then the result) on the same rows, prepared, in transactions of as many writes as the
//! engine's calls had. It does not read, list, check, or tell anybody.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use rusqlite::Connection;
use xos_core::EmbeddedCore;
use xos_sync::model_client::{
    Abilities, Cursor, Feed, Found, ModelAccessor, ModelName, ObjectId, Onboard, Onboarded, Op, Page, Query,
    Record, Result, Schema, Shape, Target, Write, Written,
};

use crate::args::Args;
use crate::cores::embedded_on;
use crate::measure::{in_turns, rate};
use crate::ours::{Running, config, nothing, runtime};
use crate::report::Row;

/// How many steps run at once unless somebody says otherwise.
const CONCURRENCY: usize = 64;

pub fn run(args: &Args) -> Vec<Row> {
    let count = if args.quick { 2_000 } else { 10_000 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, copy) = (folder.path().join("ours.db"), folder.path().join("bare.db"));
    let calls: Mutex<Vec<Vec<Change>>> = Mutex::default();
    let [ours, bare] = in_turns(
        args.repeats(),
        [
            &mut || {
                let (rate, made) = ours(&file, &copy, count);
                let size = count as f64 * 2.0 / made.len() as f64;
                *calls.lock().unwrap_or_else(PoisonError::into_inner) = made;
                vec![rate, size]
            },
            &mut || vec![bare(&copy, &calls.lock().unwrap_or_else(PoisonError::into_inner), count)],
        ],
    );
    let name = format!("SQLite {}", rusqlite::version());
    vec![
        Row::new(format!("{count} first syncs"), "objects/s")
            .ours(&ours[0])
            .beside(name, &bare[0])
            .at_least_times(0.5),
        Row::new("writes in one call of the engine, mean", "writes").ours(&ours[1]),
    ]
}

/// What a write did.
#[derive(Copy, Clone)]
enum Change {
    Claim(ObjectId),
    Result(ObjectId),
}

/// First syncs a second, from the start of the synchronizer until nothing is ready; and the writes, call by call.
fn ours(file: &Path, copy: &Path, count: usize) -> (f64, Vec<Vec<Change>>) {
    for path in [file, copy] {
        for ending in ["", "-wal", "-shm", ".lock"] {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            let _ = std::fs::remove_file(name);
        }
    }
    runtime().block_on(async {
        embedded_on(file, count).await.close();
        std::fs::copy(file, copy).expect("a copy");
        let core = EmbeddedCore::open(file, xos_core::Options::default()).expect("a database");
        let core = Arc::new(Counted { inner: core, calls: Mutex::default() });
        let mut config = config(CONCURRENCY);
        config.once = true;
        let start = Instant::now();
        Running::start(core.clone(), config, nothing()).ended().await;
        let rate = rate(count, start);
        core.inner.close();
        let calls = std::mem::take(&mut *core.calls.lock().unwrap_or_else(PoisonError::into_inner));
        (rate, calls)
    })
}

/// The same updates by hand, objects a second.
fn bare(file: &Path, calls: &[Vec<Change>], count: usize) -> f64 {
    let mut db = Connection::open(file).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000; PRAGMA trusted_schema = OFF;",
    )
    .expect("the same settings");
    let table = bookkeeping_table(&db);
    let claim =
        format!("UPDATE {table} SET revision = ?2, by_whom = ?3, backend_need_delete = 1 WHERE id = ?1");
    let result = format!(
        "UPDATE {table} SET revision = ?2, by_whom = ?3, enacted = updated, backend_status = ?4, \
         backend_register = ?5, backend_code = 1 WHERE id = ?1"
    );
    let mut revision: i64 = db
        .query_row(&format!("SELECT max(revision) FROM {table}"), [], |row| row.get(0))
        .expect("a revision");
    let start = Instant::now();
    for call in calls {
        let transaction = db.transaction().expect("a transaction");
        for change in call {
            revision += 1;
            let changed = match change {
                Change::Claim(id) => {
                    let mut claim = transaction.prepare_cached(&claim).expect("a statement");
                    claim.execute((id.get(), revision, 4))
                }
                Change::Result(id) => {
                    let mut result = transaction.prepare_cached(&result).expect("a statement");
                    let register = "{\"next_run\": 0, \"last_success\": 1700000000.0, \"exponent\": 0}";
                    result.execute((id.get(), revision, 4, "OK", register))
                }
            };
            assert_eq!(changed.expect("an update"), 1, "the object is there");
        }
        transaction.commit().expect("a commit");
    }
    rate(count, start)
}

/// The table with the bookkeeping of all objects.
fn bookkeeping_table(db: &Connection) -> String {
    let sql =
        "SELECT m.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c ON c.name = 'backend_register'
               WHERE m.type = 'table'";
    let mut tables = db.prepare(sql).expect("a list of tables");
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0)).and_then(Iterator::collect).expect("a list of tables");
    let filled = |table: &&String| {
        let count = db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        count.is_ok_and(|count| count > 0)
    };
    tables.iter().find(filled).expect("the table of what all objects have").clone()
}

/// A core that remembers what was written in which call.
struct Counted {
    inner: EmbeddedCore,
    calls: Mutex<Vec<Vec<Change>>>,
}

#[async_trait]
impl ModelAccessor for Counted {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.inner.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.inner.find(query, page).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.inner.get(shape, ids).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let change = |write: &Write| match (&write.target, &write.op) {
            (Target::Object(id), Op::Set { fields, .. }) if fields.len() == 1 => Some(Change::Claim(*id)),
            (Target::Object(id), Op::Set { .. }) => Some(Change::Result(*id)),
            _ => None,
        };
        let made = writes.iter().filter_map(change).collect();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(made);
        self.inner.write(writes).await
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.inner.feed(from, models)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.inner.onboard(what).await
    }
}
