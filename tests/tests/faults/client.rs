//! A connection that is cut, refused or slow, and what a client makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use xos_model_client::grpc::CoreClient;
use xos_model_client::{Caller, Change, Cursor, ModelClient};
use xos_sync_tests::proxy::Mode;

use crate::support::{
    HelloWorldService, HelloWorldServiceInstance, Lab, assert_away, greeting, recovers, until,
};

#[tokio::test]
async fn a_cut_of_an_idle_connection_is_mended() {
    let (lab, made) = Lab::with_greetings(3).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for round in 0..5 {
        let since = Instant::now();
        lab.proxy.cut();
        let read = async || client.get::<HelloWorldServiceInstance>(made[1].id).await;
        let read = recovers(&format!("idle cut {round}"), since, read).await;
        assert_eq!(read.hello_to, "number 1");
    }
    until("the connections that were cut are closed", async || lab.proxy.open() == 1).await;
}

#[tokio::test]
async fn a_cut_of_an_idle_connection_is_mended_with_tls() {
    let (lab, made) = Lab::with_greetings(3).await;
    lab.proxy.lead_to(lab.core.secure_address());
    let (_folder, ca_file) = lab.ca_file();
    let mut options = lab.options();
    options.endpoint = format!("https://{}", lab.proxy.address());
    options.server_name = Some("xos-core".to_owned());
    options.ca_file = Some(ca_file);
    let client = lab.connect(options, Caller::Client).await;
    for round in 0..5 {
        let since = Instant::now();
        lab.proxy.cut();
        let read = async || client.get::<HelloWorldServiceInstance>(made[1].id).await;
        let read = recovers(&format!("idle cut with TLS {round}"), since, read).await;
        assert_eq!(read.hello_to, "number 1");
    }
    // In the middle of the handshake, and of an answer.
    for bytes in [0, 1, 100, 1000, 3000, 5000] {
        let since = Instant::now();
        lab.proxy.cut();
        lab.proxy.cut_after(bytes);
        let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
        let read = recovers(&format!("cut with TLS at byte {bytes}"), since, read).await;
        assert_eq!(read.len(), 3);
    }
    let mut mine: HelloWorldServiceInstance = client.get(made[0].id).await.unwrap();
    mine.hello_to = "Arya".into();
    client.save(&mut mine).await.unwrap();
    assert_eq!(lab.count("Arya").await, 1);
}

#[tokio::test]
async fn a_request_that_is_cut_in_the_middle_does_nothing_or_once() {
    let (lab, _) = Lab::with_greetings(0).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for round in 0..5 {
        let name = format!("cut {round}");
        let mut big = greeting(&name);
        big.service_specific_attribute = Some("x".repeat(1_000_000));
        lab.proxy.set(Mode::Delay(Duration::from_millis(5)));
        let before = lab.proxy.requested();
        let creating = {
            let client = client.clone();
            tokio::spawn(async move { client.create(big).await })
        };
        until("the request is under way", async || lab.proxy.requested() > before + 100_000).await;
        let since = Instant::now();
        lab.proxy.cut();
        lab.proxy.set(Mode::Pass);
        let error = creating.await.unwrap().unwrap_err();
        assert_away(&error);
        let there =
            recovers(&name, since, async || client.objects::<HelloWorldServiceInstance>().all().await).await;
        assert!(there.is_empty());
    }
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0, "the core got no whole request");
}

#[tokio::test]
async fn who_refuses_for_a_while_is_found_again() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for away in [100, 1000, 3000] {
        lab.proxy.set(Mode::Refuse);
        lab.proxy.cut();
        until("it is away", async || client.get::<HelloWorldServiceInstance>(made[0].id).await.is_err())
            .await;
        let mut failed = 0;
        let back = Instant::now() + Duration::from_millis(away);
        while Instant::now() < back {
            match client.create(greeting("too early")).await {
                Ok(_) => panic!("there is no connection"),
                Err(error) => assert_away(&error),
            }
            failed += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let since = Instant::now();
        lab.proxy.set(Mode::Pass);
        let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
        recovers(&format!("refused for {away} ms, {failed} calls"), since, read).await;
    }
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0);
}

#[tokio::test]
async fn a_slow_network_is_only_slow() {
    let (lab, made) = Lab::with_greetings(20).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    lab.proxy.set(Mode::Delay(Duration::from_millis(20)));
    for one in &made[..5] {
        let mut mine: HelloWorldServiceInstance = client.get(one.id).await.unwrap();
        mine.hello_to = format!("{} again", one.hello_to);
        client.save(&mut mine).await.unwrap();
    }
    let all: Vec<HelloWorldServiceInstance> = client.objects().all().await.unwrap();
    assert_eq!(all.len(), 20);
    assert_eq!(all[4].hello_to, "number 4 again");
    client.create(greeting("Arya")).await.unwrap();
    client.delete(&made[19]).await.unwrap();
    assert_eq!(lab.proxy.connections(), 1);
    assert_eq!(lab.core.count("UpdateHelloWorldServiceInstance"), 5);
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 1);
}

#[tokio::test]
async fn a_core_that_says_it_is_unavailable_is_not_asked_for_its_schema_for_ever() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for _ in 0..2 {
        lab.core.fail_once("GetHelloWorldServiceInstance", tonic::Code::Unavailable, "Socket closed");
    }
    let since = Instant::now();
    let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
    recovers("said to be unavailable", since, read).await;
    // Whoever looked at the core once more does not have to look again: an answer of each call is enough to see that.
    let before = lab.core.count("GetSchema");
    for _ in 0..100 {
        recovers_quietly(&client, &made[0]).await;
    }
    let more = lab.core.count("GetSchema") - before;
    assert!(more <= 2, "the schema was read {more} times more");
}

async fn recovers_quietly(client: &ModelClient, one: &HelloWorldServiceInstance) {
    until("it can be read", async || client.get::<HelloWorldServiceInstance>(one.id).await.is_ok()).await;
}

/// Who found out by a call that the core was away waits to be told that it is back, even when the feed had nothing to
/// say meanwhile.
#[tokio::test]
async fn a_feed_that_nobody_read_meanwhile_tells_that_the_core_is_back() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    let accessor = client.accessor();
    let mut feed = accessor.feed(accessor.cursor().await.unwrap(), &[]);
    assert!(feed.next().now_or_never().is_none(), "there is nothing to tell");
    lab.proxy.set(Mode::Refuse);
    lab.proxy.cut();
    until("it is away", async || client.get::<HelloWorldServiceInstance>(made[0].id).await.is_err()).await;
    lab.proxy.set(Mode::Pass);
    until("it is back", async || client.get::<HelloWorldServiceInstance>(made[0].id).await.is_ok()).await;
    assert!(matches!(feed.next().now_or_never(), Some(Some(Change::Up))));
    assert!(feed.next().now_or_never().is_none(), "once");
}

#[tokio::test]
async fn nothing_of_a_client_is_left_when_it_is_dropped() {
    let (lab, made) = Lab::with_greetings(1).await;
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for mode in [Mode::Pass, Mode::Refuse, Mode::HalfOpen, Mode::HoldAnswers] {
        let core = CoreClient::new(lab.options()).unwrap();
        core.ready().await.unwrap();
        let client = ModelClient::new(Arc::new(core), Caller::Client);
        let feed = client.accessor().feed(Cursor(0), &[]);
        lab.proxy.set(mode);
        let hanging = client.get::<HelloWorldServiceInstance>(made[0].id);
        let _ = tokio::time::timeout(Duration::from_millis(100), hanging).await;
        drop(client);
        lab.proxy.set(Mode::Pass);
        until("its connections are closed", async || {
            // The proxy keeps what lost something until both sides are gone.
            lab.proxy.cut();
            lab.proxy.open() == 0
        })
        .await;
        until("its tasks are gone", async || {
            tokio::runtime::Handle::current().metrics().num_alive_tasks() <= before
        })
        .await;
        let connections = lab.proxy.connections();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(lab.proxy.connections(), connections, "{mode:?}: nobody connects any more");
        drop(feed);
    }
    let jon: HelloWorldService = lab.store.objects().one().await.unwrap();
    assert_eq!(jon.hello_from, "Jon");
}
