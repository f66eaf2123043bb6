//! Events that their step does not process at once, or never.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Lab, seconds, until};

/// Two keys of different partitions.
const BAD: &str = "a";
const GOOD: &str = "b";

#[tokio::test(start_paused = true)]
async fn a_failing_event_is_tried_again_with_growing_delays_and_holds_up_only_its_partition() {
    let lab = Lab::new();
    let step = lab.on(&["t"]).plays(|ctx, event| async move {
        if event.json::<String>()? == "bad" && ctx.attempt() < 9 { Err("not yet".into()) } else { Ok(()) }
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
    program.publish("t", Some(BAD), &"bad").await;
    program.publish("t", Some(BAD), &"behind").await;
    program.publish("t", Some(GOOD), &"other").await;
    lab.says("on \"other\"", 1).await;
    assert_eq!(lab.log.count("on \"behind\""), 0);
    lab.says("on \"behind\"", 1).await;
    let delays = lab.log.seconds("on \"bad\"");
    assert_eq!(delays.len(), 8);
    for (delay, base) in delays.iter().zip([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]) {
        assert!(*delay >= base * 0.75 && *delay <= base * 1.25 + 0.1, "{delays:?}");
    }
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_the_event_and_the_step_goes_on() {
    let lab = Lab::new();
    let fails = lab.on(&["t"]).named("Fails").gives_up(GiveUp::dead_letter(3)).plays(|_, event| async move {
        if event.json::<u32>()? < 2 { Err("I cannot".into()) } else { Ok(()) }
    });
    let letters = lab.on(&["t.lab.Fails.dead"]).named("letter");
    let greedy = lab.on(&[]).pattern(".*").named("greedy");
    let service = Synchronizer::new("lab").event_step(fails).event_step(letters).event_step(greedy);
    let program = lab.start(service).await;
    for number in 0..3 {
        program.publish("t", Some(BAD), &number).await;
    }
    lab.says("Fails 2", 1).await;
    assert_eq!((lab.log.count("Fails 0"), lab.log.count("Fails 1")), (3, 3));
    until("two letters", async || letters_of(&lab).len() == 2).await;
    let letter: serde_json::Value = serde_json::from_str(&letters_of(&lab)[1]).unwrap();
    assert_eq!(letter["step"], "lab.Fails");
    assert_eq!(letter["error"], "I cannot");
    assert_eq!((&letter["attempts"], &letter["offset"]), (&3.into(), &1.into()));
    assert_eq!((&letter["topic"], &letter["key"], &letter["value"]), (&"t".into(), &BAD.into(), &"1".into()));
    assert_eq!(lab.log.lines().iter().filter(|line| line.starts_with("greedy")).count(), 3, "no letter");
    program.stop().await.unwrap();
}

fn letters_of(lab: &Lab) -> Vec<String> {
    lab.log.lines().iter().filter_map(|line| line.strip_prefix("letter ")).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_skipped_or_has_nothing_to_do_when_the_step_says_so() {
    let lab = Lab::new();
    let skips = lab.on(&["t"]).named("skips").gives_up(GiveUp::Skip { after: 2 });
    let skips = skips.plays(|_, event| async move { event.json::<u32>().map(drop).map_err(Into::into) });
    let innocuous = lab.on(&["t"]).named("innocuous");
    let innocuous = innocuous.plays(|_, event| async move {
        event.json::<u32>().map(drop).map_err(|error| StepError::innocuous(error.to_string()))
    });
    let program = lab.start(Synchronizer::new("lab").event_step(skips).event_step(innocuous)).await;
    program.publish("t", None, &"no number").await;
    program.publish("t", None, &1).await;
    lab.says("skips 1", 1).await;
    lab.says("innocuous 1", 1).await;
    assert_eq!(lab.log.count("skips \"no number\""), 2);
    assert_eq!(lab.log.count("innocuous \"no number\""), 1);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_deadline_are_failures() {
    let mut lab = Lab::new();
    lab.config.engine.step_deadline = Duration::from_secs(60);
    let letters = lab.on(&["t.lab.on.dead"]).named("letter");
    let step = lab.on(&["t"]).gives_up(GiveUp::dead_letter(1)).plays(|_, event| async move {
        match event.json::<u32>()? {
            0 => panic!("no zero"),
            1 => std::future::pending().await,
            _ => Ok(()),
        }
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step).event_step(letters)).await;
    for number in 0..3 {
        program.publish("t", None, &number).await;
    }
    lab.says("on 2", 1).await;
    until("two letters", async || letters_of(&lab).len() == 2).await;
    let letters = letters_of(&lab);
    assert!(letters[0].contains("the event step panicked: no zero"), "{letters:?}");
    assert!(letters[1].contains("the event step took longer than 60 s and was cancelled"), "{letters:?}");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deferred_event_is_never_given_up() {
    let lab = Lab::new();
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let step = lab.on(&["t"]).gives_up(GiveUp::Skip { after: 1 }).plays(move |ctx, _| {
        let tries = count.fetch_add(1, Ordering::SeqCst);
        assert_eq!(ctx.attempt(), 1, "a deferral is no failure");
        async move { if tries < 6 { Err(StepError::deferred("too early")) } else { Ok(()) } }
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
    program.publish("t", None, &"x").await;
    lab.says("on \"x\"", 7).await;
    let longest = lab.log.seconds("on \"x\"").into_iter().fold(0.0, f64::max);
    assert!((45.0..=60.1).contains(&longest), "the cap of deferrals: {longest}");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_core_that_is_away_interrupts_without_counting_a_failure() {
    let lab = Lab::new();
    let step = lab.on(&["t"]).gives_up(GiveUp::Skip { after: 1 }).plays(|ctx, _| async move {
        ctx.objects::<Site>().count().await?;
        ctx.publish("done", None, &"done").await
    });
    let done = lab.on(&["done"]).named("saw");
    let program = lab.start(Synchronizer::new("lab").event_step(step).event_step(done)).await;
    lab.core.faults().go_away();
    program.publish("t", None, &"x").await;
    lab.says("on \"x\"", 1).await;
    seconds(300).await;
    assert_eq!(lab.log.count("on \"x\""), 1, "it is not tried while the core is away");
    lab.core.faults().come_back();
    lab.says("saw \"done\"", 1).await;
    assert_eq!(lab.log.count("on \"x\""), 2);
    program.stop().await.unwrap();
}
