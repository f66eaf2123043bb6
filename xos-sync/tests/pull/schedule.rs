//! When pull steps run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::{Lab, seconds, until};

fn is_about(delay: f64, expected: f64) -> bool {
    delay >= expected * 0.9 && delay <= expected * 1.1 + 0.1
}

#[tokio::test(start_paused = true)]
async fn each_step_has_its_own_schedule_and_delays_nobody() {
    let lab = Lab::new();
    let at_work = Arc::new(AtomicUsize::new(0));
    let work = at_work.clone();
    let slow = lab.pull("slow").every(10).plays(move |_| {
        let at_work = work.clone();
        async move {
            assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "never two runs of one step");
            seconds(60).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    });
    let service = Synchronizer::new("lab")
        .pull_step(lab.pull("quick"))
        .pull_step(slow)
        .pull_step(lab.pull("fails").plays(|_| async { Err("no backend".into()) }))
        .pull_step(lab.pull("panics").plays(|_| async { panic!("no luck") }));
    let program = lab.start(service);
    seconds(1000).await;
    let quick = lab.log.seconds("quick");
    assert!(quick.len() > 180 && quick.iter().all(|delay| is_about(*delay, 5.0)), "{quick:?}");
    assert!(quick.iter().any(|delay| *delay < 4.9) && quick.iter().any(|delay| *delay > 5.1), "{quick:?}");
    let slow = lab.log.seconds("slow");
    assert!(slow.len() >= 13 && slow.iter().all(|delay| *delay >= 69.0 && *delay <= 71.1), "{slow:?}");
    for name in ["fails", "panics"] {
        let delays = lab.log.seconds(name);
        for (delay, base) in delays.iter().zip([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0]) {
            assert!(*delay >= base * 0.75 && *delay <= base * 1.25 + 0.1, "{name}: {delays:?}");
        }
        assert!(delays.len() >= 6, "{name}: {delays:?}");
    }
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn it_is_not_begun_while_the_core_is_away_and_interrupted_when_it_goes() {
    let lab = Lab::new();
    let step = lab.pull("pull").plays(|ctx| async move {
        assert_eq!(ctx.attempt(), 1, "an interruption is no failure");
        seconds(2).await;
        ctx.objects::<Site>().count().await?;
        Ok(())
    });
    let program = lab.start(Synchronizer::new("lab").pull_step(step));
    until("it runs", async || lab.log.count("pull") == 2).await;
    lab.core.faults().go_away();
    seconds(300).await;
    assert_eq!(lab.log.count("pull"), 2);
    lab.core.faults().come_back();
    seconds(3).await;
    assert_eq!(lab.log.count("pull"), 3, "at once when it is back");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_has_the_grace_period_to_end() {
    let check = async |works: u64, ends: usize| {
        let mut lab = Lab::new();
        lab.config.engine.grace_period = Duration::from_secs(30);
        let log = lab.log.clone();
        let step = lab.pull("pull").plays(move |_| {
            let log = log.clone();
            async move {
                seconds(works).await;
                log.say("end");
                Ok(())
            }
        });
        let program = lab.start(Synchronizer::new("lab").pull_step(step));
        until("it runs", async || lab.log.count("pull") == 1).await;
        let start = tokio::time::Instant::now();
        program.stop().await.unwrap();
        assert!(start.elapsed() <= Duration::from_secs(31));
        assert_eq!((lab.log.count("end"), lab.log.count("pull")), (ends, 1));
    };
    check(20, 1).await;
    check(90, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_a_failure() {
    let mut lab = Lab::new();
    lab.config.engine.step_deadline = Duration::from_secs(60);
    let step = lab.pull("pull").plays(|_| std::future::pending());
    let program = lab.start(Synchronizer::new("lab").pull_step(step));
    seconds(150).await;
    let delays = lab.log.seconds("pull");
    assert!(delays.len() == 2 && delays[0] >= 65.0 && delays[1] >= 70.0, "{delays:?}");
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn with_once_each_runs_once_and_a_failure_is_said() {
    let mut lab = Lab::new();
    lab.config.once = true;
    let once = async |step| {
        let service = Synchronizer::new("lab").pull_step(step);
        run_on(lab.core.accessor(), lab.config.clone(), service, std::future::pending()).await
    };
    once(lab.pull("good")).await.unwrap();
    let error = once(lab.pull("bad").plays(|_| async { Err("no backend".into()) })).await.unwrap_err();
    assert_eq!(error.to_string(), "pull steps failed: bad; the log says why");
    assert_eq!(lab.log.lines(), ["good", "bad"]);
}
