//! Calls that nobody waits for any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use xos_model_client::grpc::CoreClient;
use xos_model_client::{Caller, ModelClient};
use xos_sync_tests::proxy::Mode;

use crate::support::{HelloWorldService, HelloWorldServiceInstance, Lab, recovers, until};

/// Reads and writes that are dropped at any moment take no place away from others, and leave nothing behind.
#[tokio::test]
async fn calls_that_are_dropped_at_any_moment_leave_nothing_behind() {
    let (lab, made) = Lab::with_greetings(8).await;
    let client = lab.connect(lab.options(), Caller::Engine).await;
    lab.proxy.set(Mode::Delay(Duration::from_millis(1)));
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for round in 0..300_u64 {
        let calls: Vec<_> = made
            .iter()
            .cloned()
            .map(|mut one| {
                let client = client.clone();
                tokio::spawn(async move {
                    if round % 3 == 0 {
                        one.backend_handle = Some(format!("round {round}"));
                        let _ = client.save(&mut one).await;
                    } else {
                        // All want the same, and share it.
                        let _ = client.objects::<HelloWorldServiceInstance>().all().await;
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(round * 37 % 5_000)).await;
        for call in &calls {
            call.abort();
        }
        for call in calls {
            let _ = call.await;
        }
    }
    lab.proxy.set(Mode::Pass);
    until("nothing is left", async || tokio::runtime::Handle::current().metrics().num_alive_tasks() <= tasks)
        .await;
    // The HTTP/2 library gives a connection up after a thousand answers that nobody wanted: another one is made.
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    recovers("after dropped calls", Instant::now(), read).await;
    // All four places are free: so many calls can be under way, and all end.
    let all =
        futures_util::future::join_all((0..40).map(|_| client.objects::<HelloWorldServiceInstance>().all()));
    for read in all.await {
        assert_eq!(read.unwrap().len(), 8);
    }
}

/// A core that can be reached, and is gone as soon as it is there, is not reached for as fast as possible.
#[tokio::test]
async fn a_core_that_hangs_up_each_time_is_not_asked_all_the_time() {
    let lab = Lab::new().await;
    let core = CoreClient::new(lab.options()).unwrap();
    core.ready().await.unwrap();
    let before = lab.proxy.connections();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        if core.why_away().is_none() {
            lab.proxy.cut();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let connections = lab.proxy.connections() - before;
    println!("{connections} connections in 3 s");
    assert!(connections <= 30, "{connections} connections in 3 s");
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    recovers("hung up each time", Instant::now(), async || client.objects::<HelloWorldService>().all().await)
        .await;
}

/// The schema is read before the core counts as there. That must not take longer than any list may.
#[tokio::test]
async fn a_schema_that_never_comes_is_asked_for_again() {
    let (lab, _) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(Duration::from_millis(500)), Caller::Client).await;
    let before = lab.core.count("GetSchema");
    lab.core.hang("GetSchema");
    lab.proxy.cut();
    until("the schema is asked for", async || lab.core.count("GetSchema") > before).await;
    lab.core.heal("GetSchema");
    recovers("schema that never came", Instant::now(), async || {
        client.objects::<HelloWorldService>().all().await
    })
    .await;
}
