//! A network that swallows everything and says nothing.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use xos_model_client::Caller;
use xos_sync_tests::proxy::Mode;

use crate::support::{HelloWorldServiceInstance, Lab, assert_away, greeting, recovers, until};

const DEADLINE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_connection_that_died_in_silence_costs_one_deadline() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    for round in 0..3 {
        // It loses the next request, and all later ones of its connection; new connections are fine.
        lab.proxy.set(Mode::HalfOpen);
        let since = Instant::now();
        let reading = {
            let (client, id) = (client.clone(), made[0].id);
            tokio::spawn(async move { client.get::<HelloWorldServiceInstance>(id).await })
        };
        tokio::time::sleep(Duration::from_millis(50)).await;
        lab.proxy.set(Mode::Pass);
        if let Err(error) = reading.await.unwrap() {
            assert_away(&error);
        }
        let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
        recovers(&format!("silent death {round}, deadline {DEADLINE:?}, since it died"), since, read).await;
    }
}

#[tokio::test]
async fn a_network_that_is_silent_for_a_while_is_used_again() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    for silent in [300, 1000, 2500, 6000] {
        lab.proxy.set(Mode::HalfOpen);
        let heals = Instant::now() + Duration::from_millis(silent);
        while Instant::now() < heals {
            let left = heals.saturating_duration_since(Instant::now());
            let created = tokio::time::timeout(left, client.create(greeting("swallowed"))).await;
            if let Ok(outcome) = created {
                assert_away(&outcome.unwrap_err());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let since = Instant::now();
        lab.proxy.set(Mode::Pass);
        let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
        recovers(&format!("silent for {silent} ms, deadline {DEADLINE:?}, since it speaks"), since, read)
            .await;
    }
    assert_eq!(lab.count("swallowed").await, 0);
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0);
}

#[tokio::test]
async fn many_calls_that_hang_do_not_hang_one_after_the_other() {
    let (lab, made) = Lab::with_greetings(40).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    lab.proxy.set(Mode::HalfOpen);
    let since = Instant::now();
    let all = join_all(made.iter().map(|one| client.get::<HelloWorldServiceInstance>(one.id))).await;
    println!("40 calls ended in {} ms, deadline {DEADLINE:?}", since.elapsed().as_millis());
    for outcome in all {
        assert_away(&outcome.unwrap_err());
    }
    let since = Instant::now();
    lab.proxy.set(Mode::Pass);
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    recovers("after 40 calls that hung", since, read).await;
}

#[tokio::test]
async fn connections_that_died_in_silence_are_closed() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    for _ in 0..5 {
        lab.proxy.set(Mode::HalfOpen);
        let _ = client.get::<HelloWorldServiceInstance>(made[0].id).await;
        lab.proxy.set(Mode::Pass);
        recovers("", Instant::now(), async || client.get::<HelloWorldServiceInstance>(made[0].id).await)
            .await;
    }
    // The proxy tells neither side that the other one is gone: only the client's own count is of use.
    let before = lab.proxy.connections();
    until("calls do not connect again", async || {
        let before = lab.proxy.connections();
        client.get::<HelloWorldServiceInstance>(made[0].id).await.unwrap();
        lab.proxy.connections() == before
    })
    .await;
    assert!(before <= 30, "{before} connections");
}
