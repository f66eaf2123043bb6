//! Shutdown, and `--once`.

use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::{Lab, site, until};

#[tokio::test(start_paused = true)]
async fn a_synchronizer_with_event_steps_only_runs_until_it_is_told_to_stop() {
    let lab = Lab::new();
    let program = lab.start_alone(Synchronizer::new("lab").event_step(lab.on(&["t"])));
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert!(!program.task.is_finished());
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_at_work_may_end_and_nothing_new_is_begun() {
    let check = async |works: u64, ends: usize| {
        let mut lab = Lab::new();
        lab.config.engine.grace_period = Duration::from_secs(30);
        let log = lab.log.clone();
        let step = lab.on(&["t"]).plays(move |_, _| {
            let log = log.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(works)).await;
                log.say("end");
                Ok(())
            }
        });
        let program = lab.start(Synchronizer::new("lab").event_step(step)).await;
        program.publish("t", None, &works).await;
        program.publish("t", None, &"next").await;
        lab.says(&format!("on {works}"), 1).await;
        let start = tokio::time::Instant::now();
        program.stop().await.unwrap();
        assert_eq!(lab.log.count("end"), ends);
        assert!(start.elapsed() <= Duration::from_secs(31));
        assert_eq!(lab.log.count("on \"next\""), 0);
    };
    check(20, 1).await;
    check(90, 0).await;
}

/// Publishes an event for each site, once.
struct Announce;

impl SyncStep for Announce {
    type Model = Site;

    async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
        ctx.publish("sites", o.name.as_str(), &o.name).await
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn once_ends_when_every_event_is_processed_and_what_follows_from_it() {
    let mut lab = Lab::new();
    lab.config.once = true;
    lab.core.create(site("one")).await.unwrap();
    let step = lab.on(&["sites"]).plays(|ctx, event| async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        if event.json::<String>()? == "one" {
            let two = Site {
                name: "two".into(),
                login_base: "t".into(),
                abbreviated_name: "t".into(),
                ..Default::default()
            };
            ctx.create(two).await?;
        }
        Ok(())
    });
    let service = Synchronizer::new("lab").sync_step(Announce).event_step(step);
    run_on(lab.core.accessor(), lab.config.clone(), service, std::future::pending()).await.unwrap();
    assert_eq!(lab.log.lines(), ["on \"one\"", "on \"two\""]);
}

#[tokio::test(start_paused = true)]
async fn once_says_what_was_not_processed() {
    let mut lab = Lab::new();
    lab.config.once = true;
    lab.core.create(site("one")).await.unwrap();
    let step = lab.on(&["sites"]).plays(|_, _| async { Err("I cannot".into()) });
    let service = Synchronizer::new("lab").sync_step(Announce).event_step(step);
    let end = run_on(lab.core.accessor(), lab.config.clone(), service, std::future::pending()).await;
    let error = end.unwrap_err().to_string();
    assert!(error.contains("1 events were not processed"), "{error}");
    until("it was tried once", async || lab.log.count("on \"one\"") == 1).await;
}
