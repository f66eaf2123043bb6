//! Steps that panic, hang or block; records that do not convert; the end of the program.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use xos_sync::model_client::{
    Abilities, Cursor, Feed, Found, ModelAccessor, ModelName, Onboard, Onboarded, Page, Query, Record,
    Result, Schema, Shape, Value, Write, Written,
};
use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::{Lab, seconds, site, until};

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_fails_with_that_message() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, o: Site| async move {
        assert!(o.name != "Arya" || ctx.attempt() > 2, "valar morghulis");
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    let failed = "2 Provisioning in progress // the step panicked: valar morghulis";
    until("it failed", async || lab.status::<Site>(arya.id).await == failed).await;
    assert_eq!(lab.status::<Site>(sansa.id).await, "1 OK");
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_when_it_is_asked_whether_it_takes_an_object_fails_too() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let step = lab.step::<Site>().selects(|o| {
        assert!(o.name != "Arya", "valar morghulis");
        true
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    let failed = "2 Provisioning in progress // the step panicked: valar morghulis";
    until("it failed", async || lab.status::<Site>(arya.id).await == failed).await;
    until("the other is OK", async || lab.status::<Site>(sansa.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_hangs_is_cancelled_at_its_deadline() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab
        .step::<Site>()
        .sync(|ctx, _| async move { if ctx.attempt() == 1 { std::future::pending().await } else { Ok(()) } });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    seconds(599).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "0 Provisioning in progress");
    seconds(2).await;
    let failed = "2 Provisioning in progress // the step took longer than 600 s and was cancelled";
    assert_eq!(lab.status::<Site>(arya.id).await, failed);
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

/// In real time, on two threads: only there can code block. Nothing here depends on how long anything takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_whose_code_blocks_stays_taken_until_it_returns() {
    let mut lab = Lab::new();
    lab.config.engine.step_deadline = Duration::from_millis(300);
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let mut feed = lab.core.accessor().feed(Cursor::default(), &[]);
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let step = lab.step::<Site>().sync(move |_, o: Site| {
        let (released, started) = (released.clone(), started.clone());
        async move {
            started.send(o.name.clone()).unwrap();
            match o.name.as_str() {
                "Arya" if o.site_url.is_none() => released.lock().unwrap().recv().unwrap(),
                "Hodor" => std::future::pending().await,
                _ => {}
            }
            Ok(())
        }
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    assert_eq!(starts.recv().await.unwrap(), "Arya");
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    // Another one that takes too long starts later, and is cancelled: so is the one that blocks.
    let hodor = lab.core.create(site("Hodor")).await.unwrap();
    while !lab.status::<Site>(hodor.id).await.contains("took longer than 0.3 s") {
        feed.next().await;
    }
    assert_eq!(starts.recv().await.unwrap(), "Hodor");
    assert!(starts.try_recv().is_err(), "its object is taken");
    release.send(()).unwrap();
    assert_eq!(starts.recv().await.unwrap(), "Arya");
    program.kill().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_running_steps_and_begins_nothing_new() {
    let mut lab = Lab::new();
    lab.config.engine.concurrency = 2;
    for name in ["Arya", "Sansa", "Rickon", "Bran"] {
        lab.core.create(site(name)).await.unwrap();
    }
    let step = lab.step::<Site>().sync(|_, _| async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("two run", async || lab.log.lines().len() == 2).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.lines().len(), 2, "nothing new");
    let sites = lab.core.objects::<Site>().all().await.unwrap();
    let mut done: Vec<(String, String)> =
        sites.iter().map(|site| (format!("sync {}", site.name), site.backend_status.clone())).collect();
    done.retain(|(_, status)| status == "OK");
    assert_eq!(done.len(), 2, "what ran was waited for and stored");
    assert!(done.iter().all(|(name, _)| lab.log.count(name) == 1));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_runs_longer_than_the_grace_period_is_dropped_and_runs_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = || {
        lab.step::<Site>().sync(|_, _| async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(())
        })
    };
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    until("it runs", async || lab.log.count("sync Arya") == 1).await;
    let before = tokio::time::Instant::now();
    program.stop().await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 30, "the grace period");
    assert_eq!(lab.status::<Site>(arya.id).await, "0 Provisioning in progress", "it counts as nothing");
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_runs_the_step_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = || {
        lab.step::<Site>().sync(|_, _| async {
            tokio::time::sleep(Duration::from_secs(100)).await;
            Ok(())
        })
    };
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    until("it runs", async || lab.log.count("sync Arya") == 1).await;
    program.kill().await;
    lab.core.delete(&arya).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"], "its step had started, so delete_record runs");
    program.stop().await.unwrap();
}

/// A core that says nonsense about one site.
struct Nonsense(Arc<dyn ModelAccessor>);

fn spoil(record: Record) -> Record {
    let Some(at) = record.shape().position("site_url") else { return record };
    if record.get("name") != Some(&Value::Text("Arya".into())) {
        return record;
    }
    let mut values = record.values().to_vec();
    values[at] = Value::Bool(true);
    Record::new(record.shape().clone(), values)
}

#[async_trait]
impl ModelAccessor for Nonsense {
    fn abilities(&self) -> Abilities {
        self.0.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.0.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.0.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let found = self.0.find(query, page).await?;
        Ok(Found { records: found.records.into_iter().map(spoil).collect(), ..found })
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        Ok(self.0.get(shape, ids).await?.into_iter().map(|record| record.map(spoil)).collect())
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let spoilt = |written: Written| Written { record: written.record.map(spoil), ..written };
        self.0.write(writes).await.into_iter().map(|answer| answer.map(spoilt)).collect()
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.0.feed(from, models)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.0.onboard(what).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_convert_is_that_objects_failure() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let accessor = Arc::new(Nonsense(lab.core.accessor()));
    let program = lab.start_on(accessor, Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("the other is OK", async || lab.status::<Site>(sansa.id).await == "1 OK").await;
    until("it failed", async || lab.status::<Site>(arya.id).await.starts_with("2 ")).await;
    let status = lab.status::<Site>(arya.id).await;
    assert!(status.contains("site_url") && status.contains("a bool"), "{status}");
    assert_eq!(lab.log.lines(), ["sync Sansa"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_synchronizer_without_steps_ends_at_once() {
    let lab = Lab::new();
    let service = Synchronizer::new("lab").model::<Site>();
    run_on(lab.core.accessor(), lab.config.clone(), service, std::future::pending()).await.unwrap();
}
