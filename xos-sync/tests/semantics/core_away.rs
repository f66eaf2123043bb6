//! A core that goes away, comes back, loses its answers or refuses.

use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::testing::{Call, Fault, Rule};

use crate::support::{Lab, LabInstance, LabService, instance, seconds, service, site, until};

#[tokio::test(start_paused = true)]
async fn a_core_that_is_away_interrupts_a_step_without_counting_a_failure() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        assert_eq!(ctx.attempt(), 1);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let _owner: LabService = ctx.leaf(&o.owner).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it runs", async || lab.log.count("sync greeting") == 1).await;
    lab.core.faults().go_away();
    seconds(300).await;
    assert_eq!(lab.log.count("sync greeting"), 1, "nothing starts while it is away");
    lab.core.faults().come_back();
    until("it is OK", async || lab.status::<LabInstance>(greeting.id).await == "1 OK").await;
    assert_eq!(lab.log.count("sync greeting"), 2);
    assert_eq!(lab.engine_writes(greeting.id).len(), 2, "no status was written in between");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_waits_until_the_core_is_back() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it runs", async || lab.log.count("sync Arya") == 1).await;
    lab.core.faults().go_away();
    seconds(300).await;
    lab.core.faults().come_back();
    until("it is stored", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    seconds(300).await;
    assert_eq!(lab.log.count("sync Arya"), 1, "it does not run again");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_core_that_comes_back_without_saying_so_is_noticed() {
    let lab = Lab::new();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(1).await;
    lab.core.inject(Rule::next(Fault::Away).times(7));
    let mut site = Box::pin(async {
        loop {
            match lab.core.create(site("Arya")).await {
                Ok(site) => break site,
                Err(error) => assert!(error.is_interruption()),
            }
        }
    });
    let arya = site.as_mut().await;
    lab.core.inject(Rule::next(Fault::Away).times(7));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_core_that_is_away_at_the_start_is_waited_for() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    // Onboarding comes first; what is away then is for the caller to see.
    lab.core.inject(Rule::next(Fault::Away).call(Call::Find).times(5));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
    // And while it is waited for, one may stop.
    lab.core.inject(Rule::next(Fault::Away).call(Call::Find).times(500));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(5).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_asked_for_again() {
    for field in ["backend_need_delete", "enacted"] {
        let lab = Lab::new();
        let arya = lab.core.create(site("Arya")).await.unwrap();
        lab.core.inject(Rule::next(Fault::AnswerLost).call(Call::Set).field(field));
        let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
        until(field, async || lab.status::<Site>(arya.id).await == "1 OK").await;
        seconds(600).await;
        assert_eq!(lab.log.lines(), ["sync Arya"], "{field}");
        let arya: Site = lab.core.get(arya.id).await.unwrap();
        assert_eq!(arya.enacted, Some(arya.updated));
        program.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_answer_is_lost_is_done_once() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is synced", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    lab.core.inject(Rule::next(Fault::AnswerLost).call(Call::Set).field("backend_need_reap"));
    lab.core.delete(&arya).await.unwrap();
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    seconds(600).await;
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_the_core_refuses_is_the_objects_failure() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let refused = Fault::Refused("not today".into());
    lab.core.inject(Rule::next(refused).call(Call::Set).field("backend_need_delete"));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it failed", async || lab.status::<Site>(arya.id).await.starts_with("2 ")).await;
    let status = lab.status::<Site>(arya.id).await;
    assert!(status.contains("cannot be claimed") && status.contains("not today"), "{status}");
    assert_eq!(lab.log.lines(), [] as [&str; 0], "no step without a claim");
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_that_the_core_refuses_is_the_objects_failure() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.core.inject(Rule::next(Fault::Refused("not today".into())).call(Call::Set).field("enacted"));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it failed", async || lab.status::<Site>(arya.id).await.starts_with("2 ")).await;
    let status = lab.status::<Site>(arya.id).await;
    assert!(status.contains("cannot be stored") && status.contains("not today"), "{status}");
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn reads_that_the_core_refuses_are_made_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let refused = || Fault::Refused("not today".into());
    // The first list is for the position in the feed.
    lab.core.inject(Rule::next(refused()).call(Call::Find).after(1).times(3));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(20).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK", "long before the slow scan");
    lab.core.inject(Rule::next(refused()).call(Call::Get).times(3));
    let mut arya: Site = lab.core.client().objects().one().await.unwrap();
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    seconds(20).await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_while_the_core_is_away_ends_after_the_grace_period() {
    let lab = Lab::new();
    lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it runs", async || lab.log.count("sync Arya") == 1).await;
    lab.core.faults().go_away();
    seconds(60).await;
    let before = tokio::time::Instant::now();
    program.stop().await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 30);
    lab.core.faults().come_back();
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_takes_longer_than_the_deadline_begins_no_step() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let slow = Fault::Delay(Duration::from_secs(700));
    lab.core.inject(Rule::next(slow).call(Call::Set).field("backend_need_delete"));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(702).await;
    let failed = "2 Provisioning in progress // the step took longer than 600 s and was cancelled";
    assert_eq!(lab.status::<Site>(arya.id).await, failed);
    assert_eq!(lab.log.lines(), [] as [&str; 0]);
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stopping_with_a_claim_under_way_begins_no_step() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let slow = Fault::Delay(Duration::from_secs(10));
    lab.core.inject(Rule::next(slow).call(Call::Set).field("backend_need_delete"));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(5).await;
    let before = tokio::time::Instant::now();
    program.stop().await.unwrap();
    assert!(before.elapsed().as_secs() <= 10);
    assert_eq!(lab.log.lines(), [] as [&str; 0]);
    assert_eq!(lab.status::<Site>(arya.id).await, "0 Provisioning in progress");
}

#[tokio::test(start_paused = true)]
async fn results_wait_while_the_core_stores_others() {
    let lab = Lab::new();
    for number in 0..50 {
        lab.core.create(site(&format!("site {number}"))).await.unwrap();
    }
    lab.core.inject(Rule::next(Fault::Delay(Duration::from_secs(5))).call(Call::Set).times(20));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("all are OK", async || {
        let sites = lab.core.objects::<Site>().all().await.unwrap();
        sites.iter().all(|site| site.backend_status == "OK")
    })
    .await;
    assert_eq!(lab.log.lines().len(), 50);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_result_waits_until_the_core_can_store_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let bran = lab.core.create(site("Bran")).await.unwrap();
    lab.core.inject(Rule::next(Fault::Full).call(Call::Set).field("enacted").times(30));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("both are OK", async || {
        lab.status::<Site>(arya.id).await == "1 OK" && lab.status::<Site>(bran.id).await == "1 OK"
    })
    .await;
    seconds(600).await;
    assert_eq!(lab.log.count("sync Arya") + lab.log.count("sync Bran"), 2, "what was done is not done again");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_begins_that_cannot_be_claimed() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.core.inject(Rule::next(Fault::Full).call(Call::Set).field("backend_need_delete").times(30));
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(10).await;
    assert_eq!(lab.log.count("sync Arya"), 0);
    // Soon after the last refusal, not when a failure's delay is over.
    seconds(50).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    assert_eq!(lab.log.count("sync Arya"), 1);
    program.stop().await.unwrap();
}
