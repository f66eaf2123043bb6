//! Who is given which event, and when.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::prelude::*;

use crate::support::{Lab, seconds, site, until};

#[tokio::test(start_paused = true)]
async fn every_step_sees_every_event_of_its_topics_in_the_order_of_each_key() {
    let lab = Lab::new();
    let service = Synchronizer::new("lab")
        .event_step(lab.on(&["pods"]).named("one"))
        .event_step(lab.on(&["pods", "onus"]).named("other"))
        .event_step(lab.on(&[]).pattern("onu").named("by_pattern"));
    let program = lab.start(service).await;
    for number in 0..300 {
        let key = format!("key{}", number % 7);
        program.publish("pods", Some(&key), &(&key, number)).await;
    }
    program.publish("onus", None, &"late").await;
    until("all came", async || lab.log.lines().len() > 300 + 301 + 1).await;
    let lines = lab.log.lines();
    for step in ["one", "other"] {
        let mut last: HashMap<String, u32> = HashMap::new();
        let mut count = 0;
        for line in &lines {
            let Some(text) = line.strip_prefix(step) else { continue };
            let Ok((key, number)) = serde_json::from_str::<(String, u32)>(text) else { continue };
            assert!(last.insert(key, number).is_none_or(|before| before < number), "{line}");
            count += 1;
        }
        assert_eq!(count, 300, "{step}");
    }
    assert_eq!(lab.log.count("by_pattern \"late\""), 1);
    assert_eq!(lab.log.count("other \"late\""), 1);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn at_most_as_many_as_the_step_says_are_worked_on_at_once() {
    let lab = Lab::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (n, m) = (now.clone(), most.clone());
    let step = lab.on(&["pods"]).at_once(3).plays(move |_, _| {
        let (now, most) = (n.clone(), m.clone());
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
    for number in 0..40 {
        program.publish("pods", Some(&number.to_string()), &number).await;
    }
    until("all came", async || lab.log.lines().len() > 40).await;
    assert_eq!(most.load(Ordering::SeqCst), 3);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_save_wakes_the_sync_step_only_when_it_touches() {
    let lab = Lab::new();
    let step = lab.on(&["touch", "save"]).plays(|ctx, event| async move {
        let mut site = ctx.objects::<Site>().filter(Site::NAME.eq("mouth")).one().await?;
        site.abbreviated_name = event.json()?;
        if &*event.topic == "touch" {
            ctx.save_and_touch(&mut site).await?;
        } else {
            ctx.save(&mut site).await?;
        }
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
    program.publish("save", None, &"a").await;
    lab.says("on \"a\"", 1).await;
    seconds(400).await;
    assert_eq!(lab.log.count("sync mouth"), 1, "neither dirty for steps nor touched");
    program.publish("touch", None, &"b").await;
    lab.says("sync mouth", 2).await;
    assert_eq!(lab.core.objects::<Site>().one().await.unwrap().abbreviated_name, "b");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_step_may_publish_to_the_topic_it_consumes() {
    let lab = Lab::new();
    let step = lab.on(&["count"]).plays(|ctx, event| async move {
        let number: u32 = event.json()?;
        if number < 50 { ctx.publish("count", None, &(number + 1)).await } else { Ok(()) }
    });
    let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
    program.publish("count", None, &0).await;
    lab.says("on 50", 1).await;
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_events_than_a_lane_holds_all_come_in_order() {
    let lab = Lab::new();
    let program = lab.start(Synchronizer::new("lab").event_step(lab.on(&["many"]).plays(|_, _| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    })));
    let program = program.await;
    for number in 0..5000 {
        program.publish("many", Some("one"), &number).await;
    }
    lab.says("on 4999", 1).await;
    let lines: Vec<String> = lab.log.lines().split_off(1);
    assert!(lines.iter().enumerate().all(|(at, line)| *line == format!("on {at}")));
    program.stop().await.unwrap();
}

/// What is done at once is processed where it was read, what waits by the task of its partition: the order of a key is the
/// same, and nobody waits for the other keys.
#[tokio::test(start_paused = true)]
async fn events_that_wait_and_events_that_do_not_stay_in_order() {
    let lab = Lab::new();
    let program =
        lab.start(Synchronizer::new("lab").event_step(lab.on(&["many"]).plays(|ctx, event| async move {
            let number: usize = event.json()?;
            match number % 400 {
                0 => tokio::time::sleep(Duration::from_secs(1)).await,
                100 => tokio::task::yield_now().await,
                200 if ctx.attempt() == 1 => return Err(StepError::failed("not at once")),
                _ => {}
            }
            Ok(())
        })));
    let program = program.await;
    let keys = ["one", "two", "three", "four", "five"];
    for number in 0..4000 {
        program.publish("many", Some(keys[number % keys.len()]), &number).await;
    }
    lab.says("on 3995", 1).await;
    lab.says("on 3999", 1).await;
    program.stop().await.unwrap();
    let mut numbers: Vec<usize> =
        lab.log.lines().iter().filter_map(|line| line.strip_prefix("on ")?.parse().ok()).collect();
    // One that failed was tried again.
    numbers.dedup();
    for key in 0..keys.len() {
        let of_key: Vec<usize> =
            numbers.iter().copied().filter(|number| number % keys.len() == key).collect();
        let mut tried = of_key.clone();
        tried.dedup();
        assert_eq!(tried, (key..4000).step_by(keys.len()).collect::<Vec<_>>(), "{}", keys[key]);
    }
    let at = |number: usize| numbers.iter().position(|one| *one == number).unwrap();
    assert!(at(9) < at(5), "nobody waits for the other keys");
}

#[tokio::test]
async fn a_unit_test_needs_no_bus() {
    let core = MockAccessor::new();
    core.create(site("Winterfell")).await.unwrap();
    let lab = Lab::new();
    let step = lab.on(&["in"]).plays(|ctx, event| async move {
        let name: String = event.json()?;
        let site = ctx.objects::<Site>().filter(Site::NAME.eq(name)).one().await?;
        ctx.publish("out", site.name.as_str(), &site.login_base).await
    });
    let event = Event::new("in", "key", &"Winterfell").unwrap();
    step.process_event(&core.pull_context(), &event).await.unwrap();
    let published = core.published();
    assert_eq!(published.len(), 1);
    assert_eq!((&*published[0].topic, published[0].key_text().unwrap().as_ref()), ("out", "Winterfell"));
    assert_eq!(published[0].json::<String>().unwrap(), "Winterfell");
    let error = core.context().publish("", None, &1).await.unwrap_err();
    assert!(error.to_string().contains("it has no topic"), "{error}");
}
