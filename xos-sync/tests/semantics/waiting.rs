//! `ctx.wait_for`: an object is parked until something has become of another one, visibly and without polling.

use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::testing::{Call, Fault, Rule};

use crate::support::{Lab, LabInstance, LabService, instance, seconds, service, site, until};

/// How often a test has seen the core being asked for objects by id.
fn gets(lab: &Lab) -> usize {
    lab.core.journal().entries().iter().filter(|entry| entry.call == Call::Get).count()
}

/// A step on instances that waits until their service is ready.
fn waits_for_owner(lab: &Lab) -> crate::support::Do<LabInstance> {
    lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        assert_eq!(ctx.attempt(), 1, "no failure is counted");
        let owner: LabService = ctx.wait_for(ready(&o.owner).leaf::<LabService>()).await?;
        assert_eq!(owner.backend_status, "OK");
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn it_shows_what_it_waits_for_once_and_is_woken_when_that_has_come() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    // Nobody synchronizes services here, at first.
    let program = lab.start(Synchronizer::new("lab").sync_step(waits_for_owner(&lab)));
    let waits = format!("0 waits for LabService {} (hello) to be ready", hello.id);
    until("it waits", async || lab.status::<LabInstance>(greeting.id).await == waits).await;
    let (asked, ran) = (gets(&lab), lab.log.lines().len());
    seconds(59).await;
    assert_eq!((gets(&lab), lab.log.lines().len()), (asked, ran), "nobody looks while nothing changes");
    seconds(3600).await;
    let writes = lab.engine_writes(greeting.id);
    assert_eq!(writes, ["backend_need_delete", "backend_status backend_code"], "written once: {writes:?}");
    program.stop().await.unwrap();

    lab.log.clear();
    let program = lab.start(Synchronizer::new("lab").sync_step(waits_for_owner(&lab)));
    until("it waits again", async || lab.log.count("sync greeting") == 1).await;
    seconds(5).await;
    let mut hello: LabService = lab.core.get(hello.id).await.unwrap();
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(5).await;
    assert_eq!(lab.log.count("sync greeting"), 1, "a change that does not bring it wakes nobody");
    // Another program synchronizes the service.
    let mut other = Lab::new();
    other.core = lab.core.clone();
    other.once(Synchronizer::new("other").sync_step(other.step::<LabService>())).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.log.count("sync greeting"), 2);
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_its_own_policy() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let failures = std::sync::Mutex::new(2);
    let police = lab.policy::<Site>().create(move |_, _| {
        let mut left = failures.lock().unwrap();
        *left -= i32::from(*left >= 0);
        let fails = *left >= 0;
        async move { if fails { Err("not yet".into()) } else { Ok(()) } }
    });
    let step = lab.step::<Site>().sync(|ctx, o: Site| async move {
        let o = ctx.wait_for(policed(&o)).await?;
        assert_eq!(o.policy_status.as_deref(), Some("done"));
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    let waits = format!("0 waits for the policy of Site {} (Arya)", arya.id);
    until("it waits", async || lab.status::<Site>(arya.id).await == waits).await;
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    let expected =
        ["handle_create Arya", "sync Arya", "handle_create Arya", "handle_create Arya", "sync Arya"];
    assert_eq!(
        lab.log.lines(),
        expected,
        "it is woken when the policy has succeeded, not when it failed again"
    );
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn policy_and_step_of_one_object_wait_for_different_things() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let police = lab.policy::<LabInstance>().create(|ctx, o: LabInstance| async move {
        let wait = xos_sync::until(&o.owner, "is blue", |owner: &LabService| owner.colour == "blue");
        ctx.wait_for(wait.at_most(Duration::from_secs(3600))).await?;
        Ok(())
    });
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        ctx.wait_for(policed(&o).at_most(Duration::from_secs(3600))).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    seconds(600).await;
    assert_eq!(lab.log.lines(), ["handle_create greeting", "sync greeting"], "each ran once");
    let waits = format!("0 waits until LabService {} (hello) is blue", hello.id);
    assert_eq!(lab.policy_status::<LabInstance>(greeting.id).await, waits);
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    assert_eq!(lab.policy_status::<LabInstance>(greeting.id).await, "1 done");
    assert_eq!(lab.log.lines().len(), 4);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_limit_looks_again_and_a_change_of_its_own_too() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let mut greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        ctx.wait_for(ready(&o.owner).at_most(Duration::from_secs(100))).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("three runs", async || lab.log.count("sync greeting") == 3).await;
    assert_eq!(lab.log.delay_seconds("sync greeting"), [100, 100]);
    greeting.subscriber = "Sansa".into();
    lab.core.save(&mut greeting).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.log.count("sync greeting"), 4);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_vanishes_wakes_who_waits_for_it() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let id = arya.id;
    let step = lab.step::<LabService>().sync(move |ctx, _| async move {
        ctx.wait_for(ready(&Link::<Site>::to(id)).at_most(Duration::from_secs(36000))).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it waits", async || lab.status::<LabService>(hello.id).await.starts_with("0 waits for Site"))
        .await;
    lab.core.delete(&arya).await.unwrap();
    until("it fails", async || lab.status::<LabService>(hello.id).await.starts_with("2 ")).await;
    let gone = format!("2 there is no Site with id {id}");
    assert_eq!(lab.status::<LabService>(hello.id).await, gone, "it waits for nothing any more");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_that_wait_for_each_other_are_told_of_and_the_limit_ends_it() {
    let warnings = crate::support::Warnings::default();
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let (arya_id, hello_id) = (arya.id, hello.id);
    let of_site = lab.step::<Site>().sync(move |ctx, _| async move {
        ctx.wait_for(ready(&Link::<LabService>::to(hello_id))).await?;
        Ok(())
    });
    let of_service = lab.step::<LabService>().sync(move |ctx, _| async move {
        ctx.wait_for(ready(&Link::<Site>::to(arya_id))).await?;
        Ok(())
    });
    let _here = warnings.listen();
    let program = lab.start(Synchronizer::new("lab").sync_step(of_site).sync_step(of_service));
    until("both run again", async || lab.log.count("sync Arya") == 2 && lab.log.count("sync hello") == 2)
        .await;
    assert_eq!(
        (lab.log.delay_seconds("sync Arya"), lab.log.delay_seconds("sync hello")),
        (vec![60], vec![60])
    );
    program.stop().await.unwrap();
    let lines = warnings.all().join("\n");
    let (site, hello) = (format!("Site {arya_id}"), format!("LabService {hello_id}"));
    let circle = [format!("{site} -> {hello} -> {site}"), format!("{hello} -> {site} -> {hello}")];
    assert!(
        lines.contains("wait for each other") && circle.iter().any(|text| lines.contains(text)),
        "{lines}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_before_is_replaced_by_what_is_waited_for_and_counts_on() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let what = std::sync::Arc::new(std::sync::Mutex::new(0));
    let id = hello.id;
    let step = lab.step::<Site>().sync(move |ctx, _| {
        let mut what = what.lock().unwrap();
        *what += 1;
        let waits = *what == 2;
        async move {
            if waits {
                ctx.wait_for(ready(&Link::<LabService>::to(id))).await?;
            }
            Err("Maybe not".into())
        }
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it failed", async || lab.status::<Site>(arya.id).await.ends_with("Maybe not")).await;
    until("it waits", async || lab.status::<Site>(arya.id).await.starts_with("0 waits for LabService")).await;
    until("it failed again", async || lab.status::<Site>(arya.id).await.ends_with("Maybe not")).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_waits_shows_it_and_its_success_clears_it() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let id = hello.id;
    let step = lab.step::<Site>().every(Duration::from_secs(60)).sync(move |ctx, _| async move {
        let link = Link::<LabService>::to(id);
        ctx.wait_for(xos_sync::until(&link, "is red", |o: &LabService| o.colour == "red")).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    until("it waits", async || lab.status::<Site>(arya.id).await.starts_with("0 waits until")).await;
    let stored: Site = lab.core.get(arya.id).await.unwrap();
    assert!(stored.enacted.is_none_or(|enacted| !enacted.is_set()), "also for another process");
    hello.colour = "red".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_changes_while_the_core_cannot_be_read_is_not_missed() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        let wait = xos_sync::until(&o.owner, "is blue", |owner: &LabService| owner.colour == "blue");
        ctx.wait_for(wait.at_most(Duration::from_secs(36000))).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it waits", async || lab.status::<LabInstance>(greeting.id).await.starts_with("0 waits")).await;
    seconds(5).await;
    lab.core.inject(Rule::next(Fault::Refused("not today".into())).call(Call::Get).times(3));
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(10).await;
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_comes_between_the_look_and_the_wait_is_not_missed() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let step = lab.step::<LabInstance>().sync(|ctx, o: LabInstance| async move {
        let wait = xos_sync::until(&o.owner, "is blue", |owner: &LabService| owner.colour == "blue");
        let looked = ctx.wait_for(wait.at_most(Duration::from_secs(36000))).await;
        // It takes its time to say so.
        seconds(20).await;
        looked?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it runs", async || lab.log.lines().len() == 1).await;
    seconds(5).await;
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(60).await;
    assert_eq!(lab.status::<LabInstance>(greeting.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_does_not_wait_and_a_delete_policy_may() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let id = hello.id;
    let wait = move || {
        let link = Link::<LabService>::to(id);
        xos_sync::until(&link, "is blue", |o: &LabService| o.colour == "blue")
            .at_most(Duration::from_secs(36000))
    };
    let police = lab.policy::<Site>().delete(move |ctx, _| async move {
        ctx.wait_for(wait()).await?;
        Ok(())
    });
    let step = lab.step::<Site>().sync(move |ctx, _| async move {
        ctx.wait_for(wait()).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    until("it waits", async || lab.status::<Site>(arya.id).await.starts_with("0 waits")).await;
    lab.core.delete(&arya).await.unwrap();
    until("its deletion waits", async || lab.policy_status::<Site>(arya.id).await.starts_with("0 waits"))
        .await;
    seconds(600).await;
    assert_eq!(lab.log.lines(), ["handle_create Arya", "sync Arya", "handle_delete Arya"]);
    hello.colour = "blue".into();
    lab.core.save(&mut hello).await.unwrap();
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines()[3..], ["handle_delete Arya", "delete Arya"]);
    program.stop().await.unwrap();
}
