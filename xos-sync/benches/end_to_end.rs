//! How fast objects go from dirty to "OK" stored in a database, beside the raw speed of the same row updates.
//!
//! `cargo bench -p xos-sync --bench end_to_end -- --json` prints one JSON object a line. What is not covered: steps that
//! wait, a second process that reads, a disk that is slower than this one.
#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that cannot run has failed")]

#[path = "support/report.rs"]
mod report;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use report::Report;
use xos_sync::model_client::{Caller, FieldPos, Guard, ModelAccessor, Op, Target, Write};
use xos_sync::prelude::*;
use xos_sync::run_on;

/// How many objects are dirty.
const OBJECTS: usize = 10_000;

/// How many updates one raw transaction has: what the engine's writer has in one call, about.
const BATCH: usize = 256;

struct Nothing;

impl SyncStep for Nothing {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

fn main() {
    let report = Report::from_args();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut rates: Vec<f64> =
        (0..3).map(|run| end_to_end(&folder.path().join(format!("{run}.db")))).collect();
    rates.sort_by(f64::total_cmp);
    report.line("end_to_end_sqlite_synchronous_normal", OBJECTS, &[("objects_per_second", rates[1].round())]);
    let mut rates: Vec<f64> = (0..3).map(|run| raw(&folder.path().join(format!("raw-{run}.db")))).collect();
    rates.sort_by(f64::total_cmp);
    report.line(
        "raw_two_updates_sqlite_synchronous_normal",
        OBJECTS,
        &[("objects_per_second", rates[1].round())],
    );
}

/// Objects in a second, from the start of the synchronizer until nothing is ready.
fn end_to_end(database: &Path) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let core = xos_core::EmbeddedCore::open(database, xos_core::Options::default()).expect("a database");
        let core: Arc<dyn ModelAccessor> = Arc::new(core);
        create(core.as_ref()).await;
        let mut config = Config::in_memory();
        config.once = true;
        let start = Instant::now();
        let service = Synchronizer::new("bench").sync_step(Nothing);
        let run = tokio::spawn(run_on(core.clone(), config, service, std::future::pending()));
        run.await.expect("the run ends").expect("every object is OK");
        OBJECTS as f64 / start.elapsed().as_secs_f64()
    })
}

async fn create(core: &dyn ModelAccessor) {
    let shape = Site::shape();
    let at = |name: &str| shape.position(name).expect(name) as FieldPos;
    let write = |number: usize| Write {
        shape: shape.clone(),
        target: Target::New,
        op: Op::Create(vec![
            (at("name"), format!("site {number}").into()),
            (at("login_base"), format!("site{number}").into()),
            (at("abbreviated_name"), format!("s{number}").into()),
        ]),
        by: Caller::Client,
        guard: Guard::None,
    };
    for batch in (0..OBJECTS).collect::<Vec<_>>().chunks(BATCH) {
        for answer in core.write(batch.iter().map(|number| write(*number)).collect()).await {
            answer.expect("a site is created");
        }
    }
}

/// The same two row updates per object, by hand: what SQLite can do on this machine.
fn raw(database: &Path) -> f64 {
    let mut db = rusqlite::Connection::open(database).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE o (id INTEGER PRIMARY KEY, revision INTEGER, enacted REAL, updated REAL, need_delete INTEGER,
                         status TEXT, register TEXT, code INTEGER);
         CREATE UNIQUE INDEX o_revision ON o (revision);
         CREATE INDEX o_dirty ON o (id) WHERE enacted IS NULL OR enacted < updated;",
    )
    .expect("a table");
    let filled = db.transaction().expect("a transaction");
    for id in 1..=OBJECTS {
        let sql = "INSERT INTO o VALUES (?1, ?1, NULL, 1.0, 0, 'Provisioning in progress', '{}', 0)";
        filled.prepare_cached(sql).and_then(|mut insert| insert.execute([id])).expect("a row");
    }
    filled.commit().expect("a commit");
    let mut revision = OBJECTS;
    let start = Instant::now();
    for first in (1..=OBJECTS).step_by(BATCH) {
        let batch = first..(first + BATCH).min(OBJECTS + 1);
        for sql in [
            "UPDATE o SET need_delete = 1, revision = ?2 WHERE id = ?1",
            "UPDATE o SET enacted = updated, status = 'OK', register = '{\"next_run\":0.0}', code = 1, revision = ?2 WHERE id = ?1",
        ] {
            let both = db.transaction().expect("a transaction");
            for id in batch.clone() {
                revision += 1;
                both.prepare_cached(sql)
                    .and_then(|mut update| update.execute([id, revision]))
                    .expect("an update");
            }
            both.commit().expect("a commit");
        }
    }
    OBJECTS as f64 / start.elapsed().as_secs_f64()
}
