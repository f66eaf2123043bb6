//! What a step can say and ask, and several steps on one object.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Lab, LabInstance, LabService, instance, seconds, service, site, until};

#[tokio::test(start_paused = true)]
async fn all_handlers_of_base_and_leaf_run_in_the_builders_order_and_the_result_is_written_once() {
    let mut lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let handlers = || {
        Synchronizer::new("lab")
            .sync_step(lab.step::<LabService>().named("leaf 1: "))
            .sync_step(lab.step::<Service>().named("base: "))
            .sync_step(lab.step::<LabService>().named("leaf 2: "))
    };
    let service = handlers();
    lab.once(service).await.unwrap();
    assert_eq!(lab.log.lines(), ["leaf 1: sync hello", "base: sync hello", "leaf 2: sync hello"]);
    let whole = "enacted backend_status backend_register backend_code";
    assert_eq!(lab.engine_writes(hello.id), ["backend_need_delete", whole]);
    lab.log.clear();
    lab.core.delete(&hello).await.unwrap();
    let handlers = Synchronizer::new("lab")
        .sync_step(lab.step::<LabService>().named("leaf 1: "))
        .sync_step(lab.step::<Service>().named("base: "));
    lab.once(handlers).await.unwrap();
    assert_eq!(lab.log.lines(), ["leaf 1: delete hello", "base: delete hello"]);
    assert!(lab.core.get::<LabService>(hello.id).await.is_err(), "purged");
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_what_the_one_before_changed() {
    let mut lab = Lab::new();
    lab.core.create(service("hello")).await.unwrap();
    let first = lab.step::<LabService>().sync(|ctx, mut o: LabService| async move {
        o.colour = "blue".into();
        ctx.save(&mut o).await?;
        Ok(())
    });
    let log = lab.log.clone();
    let second = lab.step::<LabService>().sync(move |_, o: LabService| {
        log.say(o.colour.clone());
        async { Ok(()) }
    });
    lab.once(Synchronizer::new("lab").sync_step(first).sync_step(second)).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync hello", "sync hello", "blue"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_keeps_the_next_ones_from_running() {
    let mut lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let first = lab.step::<LabService>().named("1: ").sync(|_, _| async { Err("Maybe not".into()) });
    let second = lab.step::<LabService>().named("2: ");
    lab.once(Synchronizer::new("lab").sync_step(first).sync_step(second)).await.unwrap_err();
    assert_eq!(lab.log.lines(), ["1: sync hello"]);
    assert_eq!(lab.status::<LabService>(hello.id).await, "2 Provisioning in progress // Maybe not");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_step_refuses_is_left_alone() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let step = || lab.step::<Site>().selects(|o| o.name == "Arya");
    let synchronizer = Synchronizer::new("lab").sync_step(step());
    let again = Synchronizer::new("lab").sync_step(step());
    lab.once(synchronizer).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya"]);
    let sansa: Site = lab.core.get(sansa.id).await.unwrap();
    assert_eq!(
        (sansa.enacted, sansa.backend_need_delete),
        (None, false),
        "not marked as synced, not claimed"
    );
    lab.core.delete(&sansa).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.once(again).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"]);
}

#[tokio::test(start_paused = true)]
async fn of_several_handlers_those_that_take_the_object_run() {
    let mut lab = Lab::new();
    lab.core.create(service("hello")).await.unwrap();
    let refuses = lab.step::<LabService>().named("refuses: ").selects(|_| false);
    let takes = lab.step::<Service>().named("takes: ");
    lab.once(Synchronizer::new("lab").sync_step(refuses).sync_step(takes)).await.unwrap();
    assert_eq!(lab.log.lines(), ["takes: sync hello"]);
}

#[tokio::test(start_paused = true)]
async fn recheck_after_looks_again_without_storing_anything() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, _| async move {
        ctx.recheck_after(Duration::from_secs(1000));
        ctx.recheck_after(Duration::from_secs(100));
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("three runs", async || lab.log.count("sync Arya") == 3).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.delay_seconds("sync Arya"), [100, 100]);
    assert_eq!(lab.engine_writes(arya.id).len(), 2, "the claim and one result");
}

#[tokio::test(start_paused = true)]
async fn requested_interval_looks_again_also_at_what_was_clean_at_the_start() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let service = || Synchronizer::new("lab").sync_step(lab.step::<Site>().every(Duration::from_secs(60)));
    let program = lab.start(service());
    until("three runs", async || lab.log.count("sync Arya") == 3).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.delay_seconds("sync Arya"), [60, 60]);
    assert_eq!(lab.engine_writes(arya.id).len(), 2, "the claim and one result");
    lab.log.clear();
    let program = lab.start(service());
    until("three runs", async || lab.log.count("sync Arya") == 3).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.delay_seconds("sync Arya")[1], 60);
    assert_eq!(lab.engine_writes(arya.id).len(), 2, "still");
    // An object that is not dirty and is looked at now and then is as it should be.
    let mut lab = lab;
    let service = Synchronizer::new("lab").sync_step(lab.step::<Site>().every(Duration::from_secs(60)));
    lab.once(service).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_fails_shows_it_and_its_success_clears_it() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let broken = Arc::new(Mutex::new(false));
    let is_broken = broken.clone();
    let step = lab.step::<Site>().every(Duration::from_secs(60)).sync(move |_, _| {
        let broken = *is_broken.lock().unwrap();
        async move { if broken { Err("gone".into()) } else { Ok(()) } }
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    *broken.lock().unwrap() = true;
    until("it failed", async || lab.status::<Site>(arya.id).await == "2 OK // gone").await;
    *broken.lock().unwrap() = false;
    until("it is OK again", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn superseded_tells_a_step_that_its_object_changed_or_was_deleted() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let log = lab.log.clone();
    let step = lab.step::<Site>().sync(move |ctx, _| {
        let log = log.clone();
        async move {
            assert!(!ctx.superseded());
            ctx.until_superseded().await;
            assert!(ctx.superseded());
            // Whoever asks late is told at once.
            ctx.until_superseded().await;
            log.say("superseded");
            Ok(())
        }
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it runs", async || lab.log.count("sync Arya") == 1).await;
    seconds(60).await;
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    until("it runs again", async || lab.log.count("sync Arya") == 2).await;
    lab.core.delete(&arya).await.unwrap();
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    let expected = ["sync Arya", "superseded", "sync Arya", "superseded", "delete Arya"];
    assert_eq!(lab.log.lines(), expected);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wait_for_runs_again_when_that_object_changes_without_counting_a_failure() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        let owner: LabService = ctx.leaf(&o.owner).await?;
        assert_eq!(ctx.attempt(), 1);
        if owner.colour == "red" {
            return Err(StepError::wait_for(&o.owner).retry_after(Duration::from_secs(3600)));
        }
        Ok(())
    });
    // Nobody synchronizes services here.
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it waits", async || lab.log.count("sync greeting") == 1).await;
    seconds(1000).await;
    assert_eq!(lab.log.count("sync greeting"), 1);
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "0 Provisioning in progress");
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.log.count("sync greeting"), 2);
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    assert_eq!(lab.engine_writes(greeting.id).len(), 2, "the claim and the result");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn wait_for_has_an_end() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step =
        lab.step::<LabInstance>().sync(|_, o: LabInstance| async move { Err(StepError::wait_for(&o.owner)) });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it ran again", async || lab.log.count("sync greeting") == 2).await;
    assert_eq!(lab.log.delay_seconds("sync greeting"), [60]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_after_save_hook_sees_what_was_stored_and_its_error_is_tried_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let log = lab.log.clone();
    let failures = Arc::new(Mutex::new(vec!["hook 2", "hook 1"]));
    let service =
        Synchronizer::new("lab").sync_step(lab.step::<Site>()).after_sync_save(move |_ctx, o: Site| {
            log.say(format!("{} {} {}", o.name, o.backend_status, o.backend_code));
            let failure = failures.lock().unwrap().pop();
            async move { failure.map_or(Ok(()), |failure| Err(failure.into())) }
        });
    let program = lab.start(service);
    let failed = "2 Provisioning in progress // hook 1";
    until("it failed", async || lab.status::<Site>(arya.id).await == failed).await;
    until("it failed again", async || lab.status::<Site>(arya.id).await == "2 hook 1 // hook 2").await;
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    seconds(3600).await;
    program.stop().await.unwrap();
    let expected = ["sync Arya", "Arya OK 1"].repeat(3);
    assert_eq!(lab.log.lines(), expected);
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.enacted, Some(arya.updated));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_failed_is_tried_again_after_a_restart() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let service = |fails: bool| {
        Synchronizer::new("lab").sync_step(lab.step::<Site>()).after_sync_save(
            move |_ctx, _o: Site| async move { if fails { panic!("oh no") } else { Ok(()) } },
        )
    };
    let program = lab.start(service(true));
    let failed = "2 Provisioning in progress // the after-save hook panicked: oh no";
    until("it failed", async || lab.status::<Site>(arya.id).await == failed).await;
    program.stop().await.unwrap();
    let program = lab.start(service(false));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.count("sync Arya"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_fails_makes_its_object_dirty_also_for_another_process() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let every_minute = || lab.step::<Site>().every(Duration::from_secs(60));
    let program = lab.start(Synchronizer::new("lab").sync_step(every_minute()));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
    let program = lab
        .start(Synchronizer::new("lab").sync_step(every_minute().sync(|_, _| async { Err("gone".into()) })));
    until("both failed", async || {
        let (arya, sansa) = (lab.status::<Site>(arya.id).await, lab.status::<Site>(sansa.id).await);
        arya == "2 OK // gone" && sansa == arya
    })
    .await;
    program.stop().await.unwrap();
    // Saving one sends what was changed, and nothing that the engine wrote.
    let mut sansa: Site = lab.core.get(sansa.id).await.unwrap();
    sansa.site_url = Some("http://winterfell".into());
    lab.core.save(&mut sansa).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is OK again", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}
