//! Which objects are dirty, what a success writes, and what is stored before the first step.

use std::sync::Arc;

use tokio::sync::Notify;
use xos_sync::model_client::{Caller, ModelClient};
use xos_sync::prelude::*;
use xos_sync::testing::Call;

use crate::support::{Lab, seconds, site, until};

#[tokio::test(start_paused = true)]
async fn an_object_is_dirty_until_it_is_enacted_and_when_it_was_updated_since() {
    let mut lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya"]);
    arya = lab.core.get(arya.id).await.unwrap();
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.log.count("sync Arya"), 2);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_dirty_when_a_policy_changed_it() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    let policy = ModelClient::new(lab.core.accessor(), Caller::Policy);
    let mut arya: Site = policy.get(arya.id).await.unwrap();
    arya.site_url = Some("http://winterfell".into());
    policy.save(&mut arya).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.log.count("sync Arya"), 2);
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.enacted, arya.changed_by_policy);
}

#[tokio::test(start_paused = true)]
async fn no_sync_and_lazy_blocked_keep_steps_away() {
    let lab = Lab::new();
    let mut no_sync = site("no_sync");
    no_sync.no_sync = true;
    let mut blocked = site("lazy_blocked");
    blocked.lazy_blocked = true;
    let no_sync = lab.core.create(no_sync).await.unwrap();
    lab.core.create(blocked).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(3600).await;
    assert_eq!(lab.log.lines(), [] as [&str; 0]);
    let mut now: Site = lab.core.get(no_sync.id).await.unwrap();
    now.no_sync = false;
    lab.core.save(&mut now).await.unwrap();
    until("it is synced", async || lab.log.count("sync no_sync") == 1).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn success_writes_what_was_fetched_ok_and_1() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!((arya.backend_status.as_str(), arya.backend_code), ("OK", 1));
    let enacted = arya.enacted.unwrap();
    assert_eq!(enacted.seconds().to_bits(), arya.updated.seconds().to_bits(), "bit for bit");
}

#[tokio::test(start_paused = true)]
async fn a_change_made_while_a_step_runs_is_never_lost() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let go = Arc::new(Notify::new());
    let (wait, log) = (go.clone(), lab.log.clone());
    let step = lab.step::<Site>().sync(move |_, o: Site| {
        let (wait, log) = (wait.clone(), log.clone());
        async move {
            wait.notified().await;
            log.say(format!("url {}", o.site_url.unwrap_or_default()));
            Ok(())
        }
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("the step runs", async || lab.log.count("sync Arya") == 1).await;
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    seconds(60).await;
    assert_eq!(lab.log.count("sync Arya"), 1, "never two at once");
    go.notify_one();
    until("it runs again", async || lab.log.count("sync Arya") == 2).await;
    go.notify_one();
    until("it is done", async || {
        let arya: Site = lab.core.get(arya.id).await.unwrap();
        arya.enacted == Some(arya.updated)
    })
    .await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya", "url ", "sync Arya", "url http://winterfell"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_saves_its_object_does_not_run_again() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, mut o| async move {
        o.site_url = Some("http://from.the.step".into());
        ctx.save(&mut o).await?;
        Ok(())
    });
    lab.once(Synchronizer::new("lab").sync_step(step)).await.unwrap();
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.site_url.as_deref(), Some("http://from.the.step"));
    assert_eq!(lab.log.count("sync Arya"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_claim_is_stored_before_the_first_step() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, o| async move {
        let stored: Site = ctx.get(o.id).await?;
        assert!(stored.backend_need_delete && o.backend_need_delete, "claimed before the step");
        Ok(())
    });
    lab.once(Synchronizer::new("lab").sync_step(step)).await.unwrap();
    let whole = "enacted backend_status backend_register backend_code";
    assert_eq!(lab.engine_writes(arya.id), ["backend_need_delete", whole], "two writes on a first sync");
    let mut arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.backend_status, "OK");
    lab.core.journal().clear();
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.engine_writes(arya.id), [whole], "one for each later sync");
    assert!(lab.core.journal().entries().iter().all(|entry| entry.call != Call::Delete));
}
