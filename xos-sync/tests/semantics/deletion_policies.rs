//! Deletion with policies: `handle_delete` is never forgotten and comes before `delete_record`, whatever dies when.

use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::testing::{Call, Fault, Outcome, Rule};

use crate::support::{Lab, Log, seconds, site, until};

/// What there is for sites.
#[derive(Clone, Copy, Debug)]
struct Parts {
    step: bool,
    policy: bool,
    /// The step takes every site, so that the policy's claim and the step's are one write.
    takes_all: bool,
}

/// A step that takes every site.
struct TakeAll(Log);

impl SyncStep for TakeAll {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
        self.0.say(format!("sync {o}"));
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
        self.0.say(format!("delete {o}"));
        Ok(())
    }
}

fn parts(lab: &Lab, parts: Parts) -> Synchronizer {
    let mut service = Synchronizer::new("lab");
    if parts.policy {
        service = service.policy(lab.policy::<Site>());
    }
    if parts.takes_all {
        service = service.sync_step(TakeAll(lab.log.clone()));
    } else if parts.step {
        service = service.sync_step(lab.step::<Site>());
    }
    service
}

const BOTH: Parts = Parts { step: true, policy: true, takes_all: false };
const SHARED: Parts = Parts { takes_all: true, ..BOTH };
const POLICY: Parts = Parts { step: false, ..BOTH };
const STEP: Parts = Parts { policy: false, ..BOTH };

#[tokio::test(start_paused = true)]
async fn handle_delete_comes_before_delete_record_and_then_it_is_purged() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(parts(&lab, BOTH)).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.core.journal().clear();
    lab.once(parts(&lab, BOTH)).await.unwrap();
    let expected = ["handle_create Arya", "sync Arya", "handle_delete Arya", "delete Arya"];
    assert_eq!(lab.log.lines(), expected);
    assert!(lab.core.get::<Site>(arya.id).await.is_err(), "purged");
    let done = "policed policy_status policy_code backend_need_delete_policy";
    assert_eq!(lab.engine_writes(arya.id), [done, "backend_need_reap"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_step_handle_delete_lets_the_object_go_with_one_write() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(parts(&lab, POLICY)).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.core.journal().clear();
    lab.once(parts(&lab, POLICY)).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_create Arya", "handle_delete Arya"]);
    assert!(lab.core.get::<Site>(arya.id).await.is_err(), "purged");
    assert_eq!(lab.engine_writes(arya.id), ["backend_need_reap"]);
}

#[tokio::test(start_paused = true)]
async fn handle_delete_is_tried_until_it_succeeds_and_the_object_stays_so_long() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let fail = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(3));
    let police = lab.policy::<Site>().delete(move |ctx, _| {
        let left = fail.load(std::sync::atomic::Ordering::SeqCst);
        fail.store(left.saturating_sub(1), std::sync::atomic::Ordering::SeqCst);
        async move {
            assert_eq!(usize::from(ctx.attempt()), 4 - left);
            if left > 0 { Err("still in use".into()) } else { Ok(()) }
        }
    });
    let program = lab.start(Synchronizer::new("lab").policy(police).sync_step(lab.step::<Site>()));
    until("it is OK", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    lab.core.delete(&arya).await.unwrap();
    until("it failed", async || lab.policy_status::<Site>(arya.id).await == "2 still in use").await;
    assert_eq!(lab.log.count("delete Arya"), 0);
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    let expected = [vec!["handle_delete Arya"; 4], vec!["delete Arya"]].concat();
    assert_eq!(lab.log.lines()[2..], expected);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_object_deleted_before_any_claim_still_gets_handle_delete_if_it_is_there() {
    let mut lab = Lab::new();
    // It may not be purged, because somebody else says so.
    let held = XosBase { backend_need_delete_policy: true, ..Default::default() };
    let arya = lab.core.create(Site { base: held, ..site("Arya") }).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.once(parts(&lab, BOTH)).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_delete Arya"], "it was never claimed by a step, so it is gone then");
    assert!(lab.core.get::<Site>(arya.id).await.is_err(), "purged");
}

#[tokio::test(start_paused = true)]
async fn what_a_step_of_another_program_has_claimed_is_that_ones_to_reap() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(parts(&lab, STEP)).await.unwrap();
    lab.once(parts(&lab, POLICY)).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.log.clear();
    lab.once(parts(&lab, POLICY)).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_delete Arya"]);
    let stored: Site = lab.core.get(arya.id).await.unwrap();
    assert!(!stored.backend_need_reap && stored.backend_need_delete);
    lab.once(parts(&lab, POLICY)).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_delete Arya"], "once");
    lab.once(parts(&lab, BOTH)).await.unwrap();
    assert_eq!(lab.log.lines(), ["handle_delete Arya", "delete Arya"]);
    assert!(lab.core.get::<Site>(arya.id).await.is_err(), "purged");
}

#[tokio::test(start_paused = true)]
async fn a_policy_at_work_while_its_object_is_deleted_does_not_pass_for_the_delete_policy() {
    for at in [Duration::from_secs(5), Duration::from_secs(12)] {
        let lab = Lab::new();
        let arya = lab.core.create(site("Arya")).await.unwrap();
        // Deleted while it runs, and while its success is being stored.
        let police = lab.policy::<Site>().create(|_, _| async {
            seconds(10).await;
            Ok(())
        });
        lab.core.inject(Rule::next(Fault::Delay(Duration::from_secs(5))).call(Call::Set).field("policed"));
        let program = lab.start(Synchronizer::new("lab").policy(police));
        until("it runs", async || lab.log.lines().len() == 1).await;
        tokio::time::sleep(at).await;
        lab.core.delete(&arya).await.unwrap();
        until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
        assert_eq!(lab.log.lines(), ["handle_create Arya", "handle_delete Arya"], "{at:?}");
        program.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_when_the_process_dies_right_after_that() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let police = lab.policy::<Site>().create(|_, _| async {
        seconds(10).await;
        Ok(())
    });
    lab.core.inject(Rule::next(Fault::Delay(Duration::from_secs(5))).call(Call::Set).field("policed"));
    let slow = Rule::next(Fault::Delay(Duration::from_secs(5))).call(Call::Get).times(9);
    let program = lab.start(Synchronizer::new("lab").policy(police));
    until("it runs", async || lab.log.lines().len() == 1).await;
    lab.core.inject(slow);
    seconds(12).await;
    lab.core.delete(&arya).await.unwrap();
    seconds(4).await;
    program.kill().await;
    lab.core.faults().mend();
    let stored: Site = lab.core.get(arya.id).await.unwrap();
    assert!(stored.deleted && stored.policed.is_some(), "what the policy had seen was stored: {stored:?}");
    lab.log.clear();
    let program = lab.start(parts(&lab, POLICY));
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.lines(), ["handle_delete Arya"]);
    program.stop().await.unwrap();
}

/// When the program dies: as it makes its n-th write, before or after that took effect.
#[derive(Clone, Copy, Debug)]
struct Death {
    write: usize,
    took_effect: bool,
}

/// Runs a program that dies like this, or when it has come to rest.
async fn run_and_die(lab: &Lab, what: Parts, death: Death) {
    lab.core.journal().clear();
    let fault =
        if death.took_effect { Fault::AnswerLost } else { Fault::Delay(Duration::from_secs(100_000)) };
    lab.core.inject(Rule::next(fault).call(Call::Set).after(death.write));
    let program = lab.start(parts(lab, what));
    // A lost answer is asked for again after a second: it dies before.
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if lab.core.journal().writes().iter().any(|write| write.outcome != Outcome::Ok) {
            break;
        }
    }
    program.kill().await;
    lab.core.faults().mend();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_never_forgotten_wherever_the_program_dies() {
    for what in [BOTH, SHARED, POLICY] {
        for took_effect in [false, true] {
            // While it is made and while it is deleted, at each write.
            for made in 0..4 {
                for removed in 0..3 {
                    let lab = Lab::new();
                    let arya = lab.core.create(site("Arya")).await.unwrap();
                    run_and_die(&lab, what, Death { write: made, took_effect }).await;
                    let was_made = lab.log.lines();
                    lab.core.delete(&arya).await.unwrap();
                    run_and_die(&lab, what, Death { write: removed, took_effect }).await;
                    let mut lab = lab;
                    lab.once(parts(&lab, what)).await.unwrap();
                    let all = lab.log.lines();
                    let case = format!("{what:?}, dies at {made} and {removed}, {took_effect}: {all:?}");
                    assert!(lab.core.get::<Site>(arya.id).await.is_err(), "purged: {case}");
                    let undone = |what: &str, how: &str| {
                        !was_made.iter().any(|line| line == what) || all.iter().any(|line| line == how)
                    };
                    assert!(undone("handle_create Arya", "handle_delete Arya"), "{case}");
                    assert!(undone("sync Arya", "delete Arya"), "{case}");
                    let at = |what: &str| all.iter().position(|line| line == what);
                    if let (Some(policy), Some(step)) = (at("handle_delete Arya"), at("delete Arya")) {
                        assert!(policy < step, "{case}");
                    }
                }
            }
        }
    }
}
