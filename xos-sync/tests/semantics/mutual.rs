//! Objects that change each other again and again are parked; those that come to an agreement are not.

use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Do, Lab, LabService, Police, seconds, service, site, until};

/// A step that writes something new into the service with this name each time.
fn site_writes_service(lab: &Lab, name: &'static str) -> Do<Site> {
    lab.step::<Site>().sync(move |ctx, _| async move {
        seconds(1).await;
        let mut other = ctx.objects::<LabService>().filter(Service::NAME.eq(name)).one().await?;
        other.colour = format!("{}!", other.colour);
        ctx.save_and_touch(&mut other).await?;
        Ok(())
    })
}

/// A step that writes something new into the site with this name each time.
fn service_writes_site(lab: &Lab, name: &'static str) -> Do<LabService> {
    lab.step::<LabService>().sync(move |ctx, _| async move {
        seconds(1).await;
        let mut other = ctx.objects::<Site>().filter(Site::NAME.eq(name)).one().await?;
        other.abbreviated_name.push('!');
        ctx.save_and_touch(&mut other).await?;
        Ok(())
    })
}

#[tokio::test(start_paused = true)]
async fn two_steps_that_write_each_others_object_are_both_parked_with_both_names() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let program = lab.start(
        Synchronizer::new("lab")
            .sync_step(site_writes_service(&lab, "hello"))
            .sync_step(service_writes_site(&lab, "Arya")),
    );
    seconds(120).await;
    let runs = lab.log.lines().len();
    assert!((10..=14).contains(&runs), "{runs} runs");
    for status in [lab.status::<Site>(arya.id).await, lab.status::<LabService>(hello.id).await] {
        let names = [format!("Site {} (Arya)", arya.id), format!("LabService {} (hello)", hello.id)];
        assert!(status.starts_with("2 ") && names.iter().all(|name| status.contains(name)), "{status}");
        assert!(status.contains("change each other again and again"), "{status}");
        let end = "parked until one of them is changed by somebody else, or for 5 min";
        assert!(status.ends_with(end), "{status}");
    }
    seconds(120).await;
    assert_eq!(lab.log.lines().len(), runs, "nothing runs meanwhile");
    // Somebody else changes one of them: both go on.
    hello = lab.core.get(hello.id).await.unwrap();
    hello.colour = "red".into();
    lab.core.save(&mut hello).await.unwrap();
    seconds(20).await;
    let after = lab.log.lines().len();
    assert!((runs + 2..=runs + 14).contains(&after), "{runs} and {after} runs");
    // And after the cap they are tried again.
    seconds(250).await;
    let parked = lab.log.lines().len();
    seconds(60).await;
    assert!(lab.log.lines().len() > parked);
    let all = lab.log.lines().len();
    assert!(all < runs + 50, "{all} runs in all");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_policy_and_the_step_of_one_object_are_a_pair_as_well() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let flip = |ctx: Context, mut o: Site| async move {
        o.abbreviated_name.push('!');
        ctx.save(&mut o).await?;
        Ok(())
    };
    let police: Police<Site> = lab.policy::<Site>().create(flip).update(flip);
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(lab.step::<Site>().sync(flip)));
    seconds(60).await;
    let runs = lab.log.lines().len();
    assert!((10..=14).contains(&runs), "{:?}", lab.log.lines());
    let text = format!("the policy and the step of Site {} (Arya) change it again and again", arya.id);
    for status in [lab.status::<Site>(arya.id).await, lab.policy_status::<Site>(arya.id).await] {
        assert!(status.starts_with("2 ") && status.contains(&text), "{status}");
    }
    seconds(120).await;
    assert_eq!(lab.log.lines().len(), runs);
    // Its deletion does not wait for that.
    lab.core.delete(&arya).await.unwrap();
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines()[runs..], ["handle_delete Arya", "delete Arya"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_one_and_the_step_of_another_too() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let write = |ctx: Context, _: Site| async move {
        // What a policy saves wakes the step of that object.
        let mut other = ctx.objects::<LabService>().filter(Service::NAME.eq("hello")).one().await?;
        other.colour = format!("{}!", other.colour);
        ctx.save(&mut other).await?;
        Ok(())
    };
    let police = lab.policy::<Site>().create(write).update(write);
    let step = lab.step::<LabService>().sync(|ctx, _| async move {
        // And what a step saves wakes the policy of that one.
        let mut other = ctx.objects::<Site>().filter(Site::NAME.eq("Arya")).one().await?;
        other.abbreviated_name.push('!');
        ctx.save(&mut other).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    seconds(60).await;
    assert!((10..=14).contains(&lab.log.lines().len()), "{:?}", lab.log.lines());
    let both = "change each other again and again";
    assert!(lab.policy_status::<Site>(arya.id).await.contains(both));
    assert!(lab.status::<LabService>(hello.id).await.contains(both));
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_that_touches_its_own_object_is_parked() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, mut o: Site| async move {
        ctx.save_and_touch(&mut o).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    seconds(60).await;
    assert!((10..=13).contains(&lab.log.lines().len()), "{:?}", lab.log.lines());
    let status = lab.status::<Site>(arya.id).await;
    let text = format!("the step of Site {} (Arya) changes it again and again", arya.id);
    assert!(status.contains(&text), "{status}");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn those_that_come_to_an_agreement_are_not_parked() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let hello = lab.core.create(service("hello")).await.unwrap();
    // Each appends until there are enough: eight starts that they cause each other.
    let of_site = lab.step::<Site>().sync(|ctx, _| async move {
        let mut other = ctx.objects::<LabService>().filter(Service::NAME.eq("hello")).one().await?;
        if other.colour.len() < 8 {
            other.colour = format!("{}!", other.colour);
            ctx.save_and_touch(&mut other).await?;
        }
        Ok(())
    });
    let of_service = lab.step::<LabService>().sync(|ctx, o: LabService| async move {
        let mut other = ctx.objects::<Site>().filter(Site::NAME.eq("Arya")).one().await?;
        other.site_url = Some(format!("http://{}", o.colour.len()));
        ctx.save(&mut other).await?;
        if o.colour.len() < 8 {
            ctx.save_and_touch(&mut other).await?;
        }
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").sync_step(of_site).sync_step(of_service));
    seconds(600).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    assert_eq!(lab.status::<LabService>(hello.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_save_that_changes_nothing_wakes_nobody() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let save = |ctx: Context, mut o: Site| async move {
        o.site_url = Some("http://winterfell".into());
        ctx.save(&mut o).await?;
        Ok(())
    };
    let police = lab.policy::<Site>().create(save).update(save);
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(lab.step::<Site>().sync(save)));
    seconds(600).await;
    assert_eq!(lab.log.lines(), ["handle_create Arya", "sync Arya"]);
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.changed_by_step, None, "the step saved what was there already");
    assert!(arya.changed_by_policy.is_some());
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_who_changes_an_object_often_parks_nothing() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<LabService>()).sync_step(
        lab.step::<Site>().sync(|ctx, o: Site| async move {
            let mut other = ctx.objects::<LabService>().filter(Service::NAME.eq("hello")).one().await?;
            other.colour = o.site_url.clone().unwrap_or_default();
            other.colour.push('.');
            ctx.save_and_touch(&mut other).await?;
            Ok(())
        }),
    ));
    for number in 0..30 {
        arya = lab.core.get(arya.id).await.unwrap();
        arya.site_url = Some(format!("http://{number}"));
        lab.core.save(&mut arya).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    assert_eq!(lab.status::<LabService>(hello.id).await, "1 OK");
    assert!(lab.log.count("sync hello") > 20);
    program.stop().await.unwrap();
}
