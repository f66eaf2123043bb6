//! How work is found where the core cannot tell of it: by polling every 5 s (DESIGN §4).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;
use xos_sync::model_client::{
    Abilities, Cursor, Feed, Found, ModelAccessor, ModelName, Onboard, Onboarded, Page, Query, QueryKind,
    Record, Result, Schema, Shape, Write, Written,
};
use xos_sync::prelude::*;

use crate::support::{Lab, instance, seconds, service, site, until};
use crate::support::{LabInstance, LabService};

/// A core that does not tell of changes, has no pages, and takes its time.
struct Mute {
    core: Arc<dyn ModelAccessor>,
    /// How long a list takes, beside what each object takes.
    takes: Duration,
    asked: Mutex<Vec<(Instant, QueryKind)>>,
}

impl Mute {
    fn new(core: Arc<dyn ModelAccessor>, takes: Duration) -> Arc<Self> {
        Arc::new(Mute { core, takes, asked: Mutex::new(Vec::new()) })
    }

    /// The times between lists of this kind, in seconds.
    fn gaps(&self, kind: QueryKind) -> Vec<u64> {
        let asked = self.asked.lock().unwrap();
        let times: Vec<Instant> =
            asked.iter().filter(|(_, asked)| *asked == kind).map(|(time, _)| *time).collect();
        times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect()
    }
}

#[async_trait::async_trait]
impl ModelAccessor for Mute {
    fn abilities(&self) -> Abilities {
        Abilities { push: false, cursor: false, atomic_batch: false, max_batch: 1, ..self.core.abilities() }
    }

    fn schema(&self) -> Arc<Schema> {
        self.core.schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.core.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.asked.lock().unwrap().push((Instant::now(), query.kind));
        tokio::time::sleep(self.takes).await;
        self.core.find(query, Page { limit: 1_000_000, ..page }).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.core.get(shape, ids).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        self.core.write(writes).await
    }

    fn feed(&self, _: Cursor, _: &[ModelName]) -> Feed {
        stream::pending().boxed()
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.core.onboard(what).await
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_found_within_five_seconds() {
    let lab = Lab::new();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let program = lab.start_on(core.clone(), Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(62).await;
    let arya = lab.core.create(site("Arya")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    lab.core.delete(&arya).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5100)).await;
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"]);
    assert_eq!(core.gaps(QueryKind::DirtyObjects)[..12], [5; 12]);
    assert_eq!(core.gaps(QueryKind::DeletedObjects)[..12], [5; 12]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_change_is_found_again() {
    let lab = Lab::new();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let program = lab.start_on(core, Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    until("it is synced", async || lab.log.count("sync Arya") == 1).await;
    seconds(30).await;
    arya = lab.core.get::<Site>(arya.id).await.unwrap();
    arya.site_url = Some("http://arya.example".into());
    lab.core.save(&mut arya).await.unwrap();
    seconds(6).await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn polls_take_a_fifth_of_the_time_at_most() {
    let lab = Lab::new();
    let core = Mute::new(lab.core.accessor(), Duration::from_secs(10));
    let program = lab.start_on(core.clone(), Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(1000).await;
    // A poll is two lists of 10 s each; four times as long belongs to others.
    assert_eq!(core.gaps(QueryKind::DirtyObjects)[..8], [100; 8]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_for_more_while_there_is_more_than_enough() {
    let mut lab = Lab::new();
    lab.config.engine.concurrency = 2;
    lab.config.engine.full_scan_interval = Duration::from_secs(3600);
    for number in 0..40 {
        lab.core.create(site(&format!("site{number}"))).await.unwrap();
    }
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let slow = lab.step::<Site>().sync(|_, _| async {
        seconds(10).await;
        Ok(())
    });
    let program = lab.start_on(core.clone(), Synchronizer::new("lab").sync_step(slow));
    seconds(180).await;
    assert_eq!(core.gaps(QueryKind::DirtyObjects).len(), 0);
    seconds(120).await;
    assert!(core.gaps(QueryKind::DirtyObjects).len() > 10);
    assert_eq!(lab.log.lines().len(), 40);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clean_objects_are_listed_at_the_slow_scan_only() {
    let mut lab = Lab::new();
    lab.config.engine.full_scan_interval = Duration::from_secs(60);
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let step = lab.step::<Site>().every(Duration::from_secs(20));
    let program = lab.start_on(core.clone(), Synchronizer::new("lab").sync_step(step));
    seconds(301).await;
    assert!(core.gaps(QueryKind::Live).iter().all(|gap| *gap >= 60), "{:?}", core.gaps(QueryKind::Live));
    assert!(core.gaps(QueryKind::DirtyObjects).len() > 40);
    let synced = lab.log.count("sync Arya");
    assert!((14..=16).contains(&synced), "looked at {synced} times in 300 s, every 20 s was asked for");
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_another_program_keeps_is_waited_for() {
    let lab = Lab::new();
    let mut owner = lab.core.create(service("owner")).await.unwrap();
    let mine = lab.core.create(instance("mine", &owner)).await.unwrap();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        let owner: LabService = ctx.leaf(&o.owner).await?;
        if owner.colour == "red" { Err(StepError::wait_for(&o.owner)) } else { Ok(()) }
    });
    let program = lab.start_on(core, Synchronizer::new("lab").model::<LabService>().sync_step(step));
    seconds(20).await;
    assert_eq!(lab.log.count("sync mine"), 1);
    owner.colour = "green".into();
    lab.core.save(&mut owner).await.unwrap();
    seconds(6).await;
    assert_eq!(lab.log.count("sync mine"), 2);
    assert_eq!(lab.status::<LabInstance>(mine.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn policies_are_found_work_by_polling_too() {
    let lab = Lab::new();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let program = lab.start_on(core.clone(), Synchronizer::new("lab").policy(lab.policy::<Site>()));
    seconds(62).await;
    assert!(core.gaps(QueryKind::DirtyObjects).is_empty(), "no step takes sites");
    assert_eq!(core.gaps(QueryKind::DirtyPolicies)[..10], [5; 10]);
    let arya = lab.core.create(site("Arya")).await.unwrap();
    seconds(6).await;
    assert_eq!(lab.policy_status::<Site>(arya.id).await, "1 done");
    lab.core.delete(&arya).await.unwrap();
    seconds(6).await;
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines(), ["handle_create Arya", "handle_delete Arya"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_looked_at_with_each_poll() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let core = Mute::new(lab.core.accessor(), Duration::ZERO);
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        let blue = |owner: &LabService| owner.colour == "blue";
        ctx.wait_for(xos_sync::until(&o.owner, "is blue", blue).at_most(Duration::from_secs(3600))).await?;
        Ok(())
    });
    let program = lab.start_on(core, Synchronizer::new("lab").sync_step(step));
    until("it waits", async || lab.log.lines().len() == 1).await;
    seconds(60).await;
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(11).await;
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    assert_eq!(lab.log.count("sync greeting"), 2);
    program.stop().await.unwrap();
}
