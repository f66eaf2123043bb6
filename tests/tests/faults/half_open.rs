//! A network that swallows everything and says nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use xos_model_client::grpc::{CoreClient, LoginBy};
use xos_model_client::{Caller, ModelClient};
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

/// Forty calls at once in the middle of silence. They must not wait for each other's deadlines.
async fn forty_calls(lab: &Lab, client: &ModelClient, made: &[HelloWorldServiceInstance]) {
    lab.proxy.set(Mode::HalfOpen);
    let connections = lab.proxy.connections();
    let since = Instant::now();
    let all = join_all(made.iter().map(|one| client.get::<HelloWorldServiceInstance>(one.id))).await;
    println!("40 calls ended in {} ms, deadline {DEADLINE:?}", since.elapsed().as_millis());
    for outcome in all {
        assert_away(&outcome.unwrap_err());
    }
    // Each deadline that passes takes a new connection: one, and those of who looks whether the core is back.
    let more = lab.proxy.connections() - connections;
    assert!(more <= 3, "{more} connections: the calls went on, one after the other");
    let since = Instant::now();
    lab.proxy.set(Mode::Pass);
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    recovers("after 40 calls that hung", since, read).await;
}

#[tokio::test]
async fn many_calls_that_hang_do_not_hang_one_after_the_other() {
    let (lab, made) = Lab::with_greetings(40).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    forty_calls(&lab, &client, &made).await;
}

#[tokio::test]
async fn neither_do_calls_that_wait_for_a_session() {
    let (lab, made) = Lab::with_greetings(40).await;
    let mut options = lab.options_within(DEADLINE);
    options.login = LoginBy::Session;
    let core = CoreClient::new(options).unwrap();
    until("the core is there", async || core.why_away().is_none()).await;
    assert_eq!(lab.core.count("Login"), 0);
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    forty_calls(&lab, &client, &made).await;
    assert_eq!(lab.core.count("Login"), 1);
}

#[tokio::test]
async fn a_list_does_not_wait_for_its_own_long_deadline() {
    let (lab, _) = Lab::with_greetings(3).await;
    let mut options = lab.options_within(DEADLINE);
    options.list_deadline = Duration::from_secs(300);
    let client = lab.connect(options, Caller::Client).await;
    lab.proxy.set(Mode::HalfOpen);
    let since = Instant::now();
    let read = client.objects::<HelloWorldServiceInstance>().all();
    let outcome = tokio::time::timeout(Duration::from_secs(30), read).await;
    println!("a list into silence ended in {} ms, deadline {DEADLINE:?}", since.elapsed().as_millis());
    assert_away(&outcome.expect("it does not take 300 s").unwrap_err());
    let since = Instant::now();
    lab.proxy.set(Mode::Pass);
    recovers("after a list into silence", since, async || {
        client.objects::<HelloWorldServiceInstance>().all().await
    })
    .await;
}

#[tokio::test]
async fn a_list_that_takes_long_is_not_disturbed() {
    let (lab, made) = Lab::with_greetings(3).await;
    let mut options = lab.options_within(DEADLINE);
    options.list_deadline = Duration::from_secs(300);
    let client = lab.connect(options, Caller::Client).await;
    lab.core.answer_late("ListHelloWorldServiceInstance", DEADLINE * 4);
    let found = client.objects::<HelloWorldServiceInstance>().all().await.unwrap();
    assert_eq!(found.len(), made.len());
    assert_eq!(lab.core.count("ListHelloWorldServiceInstance"), 1);
    assert!(lab.core.count("NoOp") >= 2, "nobody asked whether the core is there");
}

#[tokio::test]
async fn connections_that_died_in_silence_are_not_used_again() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(DEADLINE), Caller::Client).await;
    for _ in 0..5 {
        lab.proxy.set(Mode::HalfOpen);
        assert_away(&client.get::<HelloWorldServiceInstance>(made[0].id).await.unwrap_err());
        lab.proxy.set(Mode::Pass);
        recovers("silence", Instant::now(), async || {
            client.get::<HelloWorldServiceInstance>(made[0].id).await
        })
        .await;
    }
    until("calls do not connect again", async || {
        let before = lab.proxy.connections();
        let read = client.get::<HelloWorldServiceInstance>(made[0].id).await;
        read.is_ok() && lab.proxy.connections() == before
    })
    .await;
    assert!(lab.proxy.connections() <= 25, "{} connections", lab.proxy.connections());
}
