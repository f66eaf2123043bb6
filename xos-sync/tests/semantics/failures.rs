//! What a failure stores, and when it is tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Do, Lab, Log, seconds, site, until};

/// A step that fails each time with the next of these, and then succeeds.
fn failing(log: &Log, errors: Vec<fn() -> StepError>) -> Do<Site> {
    let next = Arc::new(AtomicUsize::new(0));
    let errors = Arc::new(errors);
    Do::new(log).sync(move |_, _| {
        let error = errors.get(next.fetch_add(1, Ordering::SeqCst)).copied();
        async move { error.map_or(Ok(()), |error| Err(error())) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_failure_stores_its_code() {
    let check = async |error: fn() -> StepError, expected: &str| {
        let mut lab = Lab::new();
        let arya = lab.core.create(site("Arya")).await.unwrap();
        let end = lab.once(Synchronizer::new("lab").sync_step(failing(&lab.log, vec![error; 9]))).await;
        assert!(end.is_err(), "{expected}");
        assert_eq!(lab.status::<Site>(arya.id).await, expected);
        let arya: Site = lab.core.get(arya.id).await.unwrap();
        assert_eq!(arya.enacted, None);
    };
    check(|| "Maybe not".into(), "2 Provisioning in progress // Maybe not").await;
    check(|| StepError::failed("Maybe not"), "2 Provisioning in progress // Maybe not").await;
    check(|| StepError::deferred("Maybe later"), "2 Provisioning in progress // Maybe later").await;
    check(|| StepError::innocuous("Never mind"), "1 Provisioning in progress // Never mind").await;
}

#[tokio::test(start_paused = true)]
async fn a_status_is_the_last_two_distinct_messages_joined() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let errors: Vec<fn() -> StepError> =
        vec![|| "one".into(), || "two".into(), || "two".into(), || "three".into()];
    let program = lab.start(Synchronizer::new("lab").sync_step(failing(&lab.log, errors)));
    for expected in ["2 Provisioning in progress // one", "2 one // two", "2 two // three", "1 OK"] {
        until(expected, async || lab.status::<Site>(arya.id).await == expected).await;
    }
    program.stop().await.unwrap();
    assert_eq!(lab.log.count("sync Arya"), 5);
}

#[tokio::test(start_paused = true)]
async fn a_status_is_ascii_and_cut() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let long = || StepError::failed("x".repeat(5000));
    let errors: Vec<fn() -> StepError> = vec![|| "se\u{f1}or".into(), long];
    let program = lab.start(Synchronizer::new("lab").sync_step(failing(&lab.log, errors)));
    let expected = "2 Provisioning in progress // se\\u{f1}or";
    until(expected, async || lab.status::<Site>(arya.id).await == expected).await;
    let expected = format!("2 {}", "x".repeat(1024));
    until(&expected, async || lab.status::<Site>(arya.id).await == expected).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_with_growing_delays_up_to_a_cap() {
    let check = async |error: fn() -> StepError, first: u64, cap: u64| {
        let lab = Lab::new();
        lab.core.create(site("Arya")).await.unwrap();
        let program = lab.start(Synchronizer::new("lab").sync_step(failing(&lab.log, vec![error; 99])));
        until("ten attempts", async || lab.log.count("sync Arya") == 10).await;
        program.stop().await.unwrap();
        for (at, delay) in lab.log.delays("sync Arya").into_iter().enumerate() {
            let delay = delay.as_secs_f64();
            let base = (first << at).min(cap) as f64;
            // A quarter of jitter; the longest is a quarter shorter at most, so that the cap is one.
            let (least, most) = (base.min(cap as f64 * 0.75), (base * 1.25).min(cap as f64));
            assert!((least - 0.1..=most + 0.1).contains(&delay), "delay {at}: {delay} of {least}..{most}");
        }
    };
    check(|| "Maybe not".into(), 5, 300).await;
    check(|| StepError::deferred("Maybe later"), 5, 60).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_may_say_when_it_is_tried_again() {
    let lab = Lab::new();
    lab.core.create(site("Arya")).await.unwrap();
    let errors: Vec<fn() -> StepError> =
        vec![|| StepError::failed("Maybe not").retry_after(Duration::from_secs(777)); 2];
    let program = lab.start(Synchronizer::new("lab").sync_step(failing(&lab.log, errors)));
    until("three attempts", async || lab.log.count("sync Arya") == 3).await;
    program.stop().await.unwrap();
    assert_eq!(lab.log.delay_seconds("sync Arya"), [777, 777]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_stores_only_the_register_and_only_while_the_delay_grows() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let errors: Vec<fn() -> StepError> = vec![|| StepError::deferred("Maybe later"); 9];
    let program = lab.start(Synchronizer::new("lab").sync_step(failing(&lab.log, errors)));
    until("nine attempts", async || lab.log.count("sync Arya") == 9).await;
    // 5, 10, 20, 40 and 60 seconds: the fifth delay is the longest.
    let mut expected = vec!["backend_need_delete", "backend_status backend_register backend_code"];
    expected.extend(["backend_register"; 4]);
    assert_eq!(lab.engine_writes(arya.id), expected);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_honoured_after_a_restart() {
    let lab = Lab::new();
    lab.core.create(site("Arya")).await.unwrap();
    let never = || Synchronizer::new("lab").sync_step(failing(&lab.log, vec![|| "Maybe not".into(); 9]));
    let program = lab.start(never());
    until("three attempts", async || lab.log.count("sync Arya") == 3).await;
    program.stop().await.unwrap();
    lab.log.clear();
    // The third delay is 20 s or more. The world's clock did not see the virtual time of the first two.
    let program = lab.start(never());
    seconds(10).await;
    assert_eq!(lab.log.count("sync Arya"), 0);
    until("the fourth attempt", async || lab.log.count("sync Arya") == 1).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_version_is_tried_at_once() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let step = || {
        lab.step::<Site>().sync(|ctx, o: Site| async move {
            if o.site_url.is_none() { Err(format!("attempt {}", ctx.attempt()).into()) } else { Ok(()) }
        })
    };
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    until("four attempts", async || lab.log.count("sync Arya") == 4).await;
    program.stop().await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(step()));
    seconds(1).await;
    assert_eq!(lab.log.count("sync Arya"), 4);
    arya.site_url = Some("http://winterfell".into());
    lab.core.save(&mut arya).await.unwrap();
    seconds(1).await;
    assert_eq!(lab.log.count("sync Arya"), 5);
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_deletion_keeps_the_object_and_is_tried_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let step = lab
        .step::<Site>()
        .delete(|ctx, _| async move { if ctx.attempt() < 3 { Err("still there".into()) } else { Ok(()) } });
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    until("it is synced", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    lab.core.delete(&arya).await.unwrap();
    until("it failed", async || lab.log.count("delete Arya") == 2).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "2 OK // still there");
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    assert_eq!(lab.log.count("delete Arya"), 3);
    program.stop().await.unwrap();
}
