//! Model policies: when they are called, what is stored, and how they share an object with its step.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Lab, LabService, Log, seconds, service, site, until};

const DONE: &str = "policed policy_status policy_code";

#[tokio::test(start_paused = true)]
async fn a_policy_is_called_once_for_a_new_object_and_once_for_each_change() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").policy(lab.policy::<Site>()));
    until("it is done", async || lab.policy_status::<Site>(arya.id).await == "1 done").await;
    seconds(3600).await;
    assert_eq!(lab.log.lines(), ["handle_create Arya"]);
    assert_eq!(lab.engine_writes(arya.id), ["backend_need_delete_policy", DONE]);
    let stored: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!((stored.policed, stored.backend_need_delete), (Some(stored.updated), false));
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    until("it is called", async || lab.log.count("handle_update Arya") == 1).await;
    seconds(3600).await;
    assert_eq!(lab.log.lines(), ["handle_create Arya", "handle_update Arya"]);
    assert_eq!(lab.engine_writes(arya.id)[2..], [DONE], "it is claimed once");
    program.stop().await.unwrap();
    // A restart finds nothing to do.
    let program = lab.start(Synchronizer::new("lab").policy(lab.policy::<Site>()));
    seconds(3600).await;
    assert_eq!(lab.log.lines().len(), 2);
    program.stop().await.unwrap();
}

/// A step that takes every service, as most do.
struct TakeAll(Log);

impl SyncStep for TakeAll {
    type Model = LabService;

    async fn sync_record(&self, _ctx: &Context, o: &mut LabService) -> StepResult {
        self.0.say(format!("sync {o}"));
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &LabService) -> StepResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_goes_before_the_step_and_both_are_claimed_by_one_write() {
    let mut lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let both =
        Synchronizer::new("lab").policy(lab.policy::<LabService>()).sync_step(TakeAll(lab.log.clone()));
    lab.once(both).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_create hello", "sync hello"]);
    let result = "enacted backend_status backend_register backend_code";
    let claims = "backend_need_delete backend_need_delete_policy";
    assert_eq!(lab.engine_writes(hello.id), [claims, DONE, result]);
}

#[tokio::test(start_paused = true)]
async fn what_a_step_may_refuse_it_claims_itself_when_its_turn_has_come() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let step = lab.step::<Site>().selects(|o| o.name == "Arya");
    lab.once(Synchronizer::new("lab").policy(lab.policy::<Site>()).sync_step(step)).await.unwrap();
    assert_eq!(lab.engine_writes(arya.id)[..3], ["backend_need_delete_policy", DONE, "backend_need_delete"]);
    assert_eq!(lab.engine_writes(sansa.id), ["backend_need_delete_policy", DONE], "no step takes it");
    lab.core.delete(&sansa).await.unwrap();
    let step = lab.step::<Site>().selects(|o| o.name == "Arya");
    lab.once(Synchronizer::new("lab").policy(lab.policy::<Site>()).sync_step(step)).await.unwrap();
    assert!(lab.core.get::<Site>(sansa.id).await.is_err(), "it is purged all the same");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_not_to_be_synced_is_policed_and_claimed_for_that_alone() {
    let mut lab = Lab::new();
    let frozen = Site { base: XosBase { no_sync: true, ..Default::default() }, ..site("Arya") };
    let arya = lab.core.create(frozen).await.unwrap();
    let free = Site { base: XosBase { no_policy: true, ..Default::default() }, ..site("Sansa") };
    let sansa = lab.core.create(free).await.unwrap();
    lab.once(Synchronizer::new("lab").policy(lab.policy::<Site>()).sync_step(lab.step::<Site>()))
        .await
        .unwrap();
    assert_eq!(lab.log.lines(), ["handle_create Arya", "sync Sansa"]);
    assert_eq!(lab.engine_writes(arya.id), ["backend_need_delete_policy", DONE]);
    assert_eq!(lab.engine_writes(sansa.id)[0], "backend_need_delete");
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_saves_wakes_the_step_and_what_a_step_saves_wakes_the_policy() {
    let lab = Lab::new();
    let mut hello = lab.core.create(service("hello")).await.unwrap();
    let police = lab.policy::<LabService>().update(|ctx, mut o: LabService| async move {
        // The second time there is nothing to change: nothing is saved.
        o.colour = "blue".into();
        ctx.save(&mut o).await?;
        Ok(())
    });
    let step = lab.step::<LabService>().sync(|ctx, mut o: LabService| async move {
        if o.colour == "blue" {
            o.service.description = Some("blue indeed".into());
            ctx.save(&mut o).await?;
        }
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    until("it is OK", async || lab.status::<LabService>(hello.id).await == "1 OK").await;
    lab.log.clear();
    hello.service.description = Some("red".into());
    lab.core.save(&mut hello).await.unwrap();
    seconds(3600).await;
    let expected = ["handle_update hello", "sync hello", "handle_update hello"];
    assert_eq!(lab.log.lines(), expected, "they converge");
    let hello: LabService = lab.core.get(hello.id).await.unwrap();
    assert_eq!((hello.colour.as_str(), hello.service.description.as_deref()), ("blue", Some("blue indeed")));
    assert_eq!(hello.service.base.policed, hello.service.base.changed_by_step);
    assert_eq!(hello.service.base.enacted, hello.service.base.changed_by_policy);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_made_while_a_policy_runs_is_not_lost() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let police = lab.policy::<Site>().create(|ctx, _| async move {
        ctx.until_superseded().await;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police));
    until("it runs", async || lab.log.count("handle_create Arya") == 1).await;
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    until("it is called again", async || lab.log.count("handle_update Arya") == 1).await;
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    until("it is stored", async || {
        lab.core.get::<Site>(arya.id).await.unwrap().policed == Some(arya.updated)
    })
    .await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_and_a_step_never_work_on_one_object_together_but_on_two() {
    let lab = Lab::new();
    for name in ["Arya", "Sansa"] {
        lab.core.create(site(name)).await.unwrap();
    }
    let at_work = Arc::new(Mutex::new(Vec::<String>::new()));
    let most = Arc::new(AtomicUsize::new(0));
    let work = move |name: String| {
        let (at_work, most) = (at_work.clone(), most.clone());
        async move {
            {
                let mut at_work = at_work.lock().unwrap();
                assert!(!at_work.contains(&name), "two at once on {name}");
                at_work.push(name.clone());
                most.fetch_max(at_work.len(), Ordering::SeqCst);
            }
            seconds(10).await;
            at_work.lock().unwrap().retain(|other| *other != name);
            Ok(())
        }
    };
    let most_work = work.clone();
    let police = lab.policy::<Site>().create({
        let work = work.clone();
        move |_, o: Site| work(o.name)
    });
    let step = lab.step::<Site>().sync(move |_, o: Site| most_work(o.name));
    let before = tokio::time::Instant::now();
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(step));
    until("all is done", async || {
        lab.core.objects::<Site>().all().await.unwrap().iter().all(|site| site.backend_status == "OK")
    })
    .await;
    assert_eq!(before.elapsed().as_secs(), 20, "two objects at once, each policy and then step");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_has_a_limit_of_its_own() {
    let lab = Lab::new();
    for number in 0..6 {
        lab.core.create(site(&format!("site{number}"))).await.unwrap();
    }
    let slow = || async {
        seconds(10).await;
        Ok(())
    };
    let police = lab.policy::<Site>().create(move |_, _| slow()).at_most(2);
    let program = lab.start(Synchronizer::new("lab").policy(police));
    seconds(15).await;
    assert_eq!(lab.log.lines().len(), 4);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_stored_for_people_and_tried_again_with_growing_delays() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let police = lab.policy::<Site>().create(|_, _| async {
        let inner = std::io::Error::other("no se\u{f1}or");
        Err(StepError::from(std::io::Error::other(format!("the pool is empty: {inner}"))))
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(lab.step::<Site>()));
    until("five attempts", async || lab.log.count("handle_create Arya") == 5).await;
    assert_eq!(lab.policy_status::<Site>(arya.id).await, "2 the pool is empty: no se\\u{f1}or");
    for (at, delay) in lab.log.delays("handle_create Arya").into_iter().enumerate() {
        let base = 5 << at;
        assert!((base..=base + base / 4 + 1).contains(&delay.as_secs()), "delay {at}: {delay:?}");
    }
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK", "it does not keep the step");
    let of_policy =
        |writes: Vec<String>| writes.into_iter().filter(|write| write.starts_with("policy")).count();
    assert_eq!(of_policy(lab.engine_writes(arya.id)), 1, "what is shown already is not written again");
    let stored: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(stored.policed, None);
    program.stop().await.unwrap();
    // The delays are kept in memory: a restart tries at once.
    lab.log.clear();
    let program = lab.start(Synchronizer::new("lab").policy(lab.policy::<Site>()));
    seconds(1).await;
    assert_eq!(lab.policy_status::<Site>(arya.id).await, "1 done");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_long_error_a_panic_and_a_deadline_are_shown() {
    let mut lab = Lab::new();
    let check = async |lab: &mut Lab, police: crate::support::Police<Site>, expected: &str| {
        let arya = lab.core.create(site("Arya")).await.unwrap();
        lab.once(Synchronizer::new("lab").policy(police)).await.unwrap_err();
        assert_eq!(lab.policy_status::<Site>(arya.id).await, expected);
        lab.core.delete(&arya).await.unwrap();
        lab.once(Synchronizer::new("lab").policy(lab.policy::<Site>())).await.unwrap();
    };
    let long = lab.policy::<Site>().create(|_, _| async { Err(StepError::failed("x".repeat(5000))) });
    check(&mut lab, long, &format!("2 {}", "x".repeat(1024))).await;
    let panics = lab.policy::<Site>().create(|_, _| async { panic!("oh no") });
    check(&mut lab, panics, "2 the policy panicked: oh no").await;
    let slow = lab.policy::<Site>().create(|_, _| std::future::pending());
    check(&mut lab, slow, "2 the policy took longer than 600 s and was cancelled").await;
    let later = lab.policy::<Site>().create(|_, _| async { Err(StepError::deferred("Maybe later")) });
    check(&mut lab, later, "2 Maybe later").await;
    let mind = lab.policy::<Site>().create(|_, _| async { Err(StepError::innocuous("Never mind")) });
    check(&mut lab, mind, "1 Never mind").await;
}

#[tokio::test(start_paused = true)]
async fn several_policies_run_in_the_builders_order_also_when_one_fails_and_the_result_is_written_once() {
    let mut lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let first = lab.policy::<LabService>().named("1: ").create(|ctx, mut o: LabService| async move {
        o.colour = "blue".into();
        ctx.save(&mut o).await?;
        Err("first".into())
    });
    let log = lab.log.clone();
    let second = lab.policy::<Service>().named("2: ").create(|_, _| async { Err("second".into()) });
    let third = lab.policy::<LabService>().named("3: ").create(move |_, o: LabService| {
        log.say(o.colour);
        async { Ok(()) }
    });
    let service = Synchronizer::new("lab").policy(first).policy(second).policy(third);
    lab.once(service).await.unwrap_err();
    let expected = ["1: handle_create hello", "2: handle_create hello", "3: handle_create hello", "blue"];
    assert_eq!(lab.log.lines(), expected);
    assert_eq!(lab.policy_status::<LabService>(hello.id).await, "2 first");
    lab.log.clear();
    let service = Synchronizer::new("lab")
        .policy(lab.policy::<LabService>().named("1: "))
        .policy(lab.policy::<Service>().named("2: "));
    lab.once(service).await.unwrap();
    assert_eq!(lab.log.lines(), ["1: handle_create hello", "2: handle_create hello"]);
    assert_eq!(
        lab.engine_writes(hello.id),
        ["backend_need_delete_policy", "policy_status policy_code", DONE]
    );
}

#[tokio::test(start_paused = true)]
async fn an_after_save_hook_sees_what_was_stored_and_its_error_is_tried_again_as_the_same() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let log = lab.log.clone();
    let failures = Arc::new(Mutex::new(vec!["hook 1"]));
    let service =
        Synchronizer::new("lab").policy(lab.policy::<Site>()).after_policy_save(move |_ctx, o: Site| {
            log.say(format!(
                "{} {}",
                o.policy_status.as_deref().unwrap_or_default(),
                o.policy_code.unwrap_or_default()
            ));
            let failure = failures.lock().unwrap().pop();
            async move { failure.map_or(Ok(()), |failure| Err(failure.into())) }
        });
    let program = lab.start(service);
    until("it failed", async || lab.policy_status::<Site>(arya.id).await == "2 hook 1").await;
    until("it is done", async || lab.policy_status::<Site>(arya.id).await == "1 done").await;
    seconds(3600).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_create Arya", "done 1"].repeat(2));
    let arya: Site = lab.core.get(arya.id).await.unwrap();
    assert_eq!(arya.policed, Some(arya.updated));
}

#[tokio::test(start_paused = true)]
async fn once_counts_objects_that_policies_look_at() {
    let mut lab = Lab::new();
    lab.core.create(site("good")).await.unwrap();
    lab.core.create(site("bad")).await.unwrap();
    let police = lab
        .policy::<Site>()
        .create(|_, o: Site| async move { if o.name == "bad" { Err("Maybe not".into()) } else { Ok(()) } });
    let end = lab.once(Synchronizer::new("lab").policy(police).sync_step(lab.step::<Site>())).await;
    assert_eq!(end.unwrap_err().to_string(), "1 of 2 objects are not OK; the verb list shows them");
}

#[tokio::test(start_paused = true)]
async fn a_policy_makes_what_a_step_of_another_model_syncs() {
    let mut lab = Lab::new();
    lab.core.load::<LabService>().await.unwrap();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let police = lab.policy::<Site>().create(|ctx, o: Site| async move {
        ctx.create(service(&format!("of {}", o.name))).await?;
        Ok(())
    });
    lab.once(Synchronizer::new("lab").policy(police).sync_step(lab.step::<LabService>())).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_create Arya", "sync of Arya"]);
    assert_eq!(lab.engine_writes(arya.id).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_core_that_is_away_interrupts_a_policy_without_counting_a_failure() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let police = lab.policy::<Site>().create(|ctx, o: Site| async move {
        assert_eq!(ctx.attempt(), 1);
        tokio::time::sleep(Duration::from_secs(10)).await;
        ctx.get::<Site>(o.base.id).await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").policy(police));
    until("it runs", async || lab.log.lines().len() == 1).await;
    lab.core.faults().go_away();
    seconds(300).await;
    lab.core.faults().come_back();
    until("it is done", async || lab.policy_status::<Site>(arya.id).await == "1 done").await;
    assert_eq!(lab.log.lines(), ["handle_create Arya"; 2]);
    assert_eq!(lab.engine_writes(arya.id).len(), 2, "no status was written in between");
    program.stop().await.unwrap();
}
