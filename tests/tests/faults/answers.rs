//! Answers that are cut off or late: the core has done what it was asked for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use xos_model_client::{Caller, Deleted, Error, ModelClient};
use xos_sync::model_client::ErrorKind;
use xos_sync_tests::proxy::Mode;

use crate::support::{
    HelloWorldService, HelloWorldServiceInstance, Lab, assert_away, greeting, recovers, service, until,
};

/// Where answers are cut: before the first byte, within the head of a frame, within headers, within a message.
const PLACES: [u64; 8] = [0, 1, 8, 20, 60, 150, 1_000, 4_000];

#[tokio::test]
async fn a_list_that_is_cut_in_the_middle_is_read_again() {
    let (lab, made) = Lab::with_greetings(50).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for bytes in PLACES {
        let since = Instant::now();
        lab.proxy.cut_after(bytes);
        let all = recovers(&format!("list cut at byte {bytes}"), since, async || {
            client.objects::<HelloWorldServiceInstance>().all().await
        })
        .await;
        let names: Vec<&str> = all.iter().map(|one| one.hello_to.as_str()).collect();
        let expected: Vec<&str> = made.iter().map(|one| one.hello_to.as_str()).collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn what_a_client_changes_is_changed_once() {
    let (lab, made) = Lab::with_greetings(PLACES.len()).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for (bytes, one) in PLACES.into_iter().zip(&made) {
        let mut mine = recovers("before", Instant::now(), async || {
            client.get::<HelloWorldServiceInstance>(one.id).await
        })
        .await;
        lab.core.forget_calls();
        mine.hello_to = format!("at {bytes}");
        lab.proxy.cut_after(bytes);
        let since = Instant::now();
        let saved = client.save(&mut mine).await;
        let sent = lab.core.count("UpdateHelloWorldServiceInstance");
        match &saved {
            Ok(()) => assert_eq!(sent, 1),
            Err(error) => {
                may_be(error, sent);
                assert!(sent <= 1, "sent {sent} times");
            }
        }
        let read = async || client.get::<HelloWorldServiceInstance>(one.id).await;
        let read = recovers(&format!("change cut at byte {bytes}"), since, read).await;
        let changed = read.hello_to == format!("at {bytes}");
        assert_eq!(changed, sent == 1);
        assert!(changed || saved.is_err());
        assert_eq!(lab.core.count("UpdateHelloWorldServiceInstance"), sent, "not sent later either");
    }
}

#[tokio::test]
async fn what_a_synchronizer_changes_may_be_changed_twice() {
    let (lab, made) = Lab::with_greetings(PLACES.len()).await;
    let client = lab.connect(lab.options(), Caller::Engine).await;
    for (bytes, one) in PLACES.into_iter().zip(&made) {
        let mut mine = recovers("before", Instant::now(), async || {
            client.get::<HelloWorldServiceInstance>(one.id).await
        })
        .await;
        lab.core.forget_calls();
        lab.proxy.cut_after(bytes);
        mine.backend_handle = Some(format!("at {bytes}"));
        recovers("saved", Instant::now(), async || client.save(&mut mine).await).await;
        let sent = lab.core.count("UpdateHelloWorldServiceInstance");
        assert!((1..=3).contains(&sent), "sent {sent} times");
        let stored: HelloWorldServiceInstance = lab.store.get(one.id).await.unwrap();
        assert_eq!(stored.backend_handle, Some(format!("at {bytes}")));
    }
}

#[tokio::test]
async fn what_is_created_is_there_once() {
    let lab = Lab::new().await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for bytes in PLACES {
        recovers("before", Instant::now(), async || client.objects::<HelloWorldService>().all().await).await;
        // With a key that only one object can have.
        let name = format!("service {bytes}");
        let before = lab.core.count("CreateHelloWorldService");
        lab.proxy.cut_after(bytes);
        let since = Instant::now();
        match client.create(service(&name)).await {
            Ok(made) => assert_eq!(made.hello_from, name),
            Err(error) => may_be(&error, lab.core.count("CreateHelloWorldService") - before),
        }
        let all = recovers(&format!("service cut at byte {bytes}"), since, async || {
            client.objects::<HelloWorldService>().all().await
        })
        .await;
        let sent = lab.core.count("CreateHelloWorldService") - before;
        assert!(sent <= 1, "{name}: sent {sent} times");
        assert_eq!(all.iter().filter(|one| one.hello_from == name).count(), sent);
        // Without one.
        recovers("before", Instant::now(), async || client.objects::<HelloWorldService>().all().await).await;
        let name = format!("greeting {bytes}");
        lab.proxy.cut_after(bytes);
        match client.create(greeting(&name)).await {
            Ok(made) => assert_eq!(made.hello_to, name),
            Err(error) => may_be(&error, lab.creations().get(&name).copied().unwrap_or_default()),
        }
        assert_eq!(lab.count(&name).await, lab.creations().get(&name).copied().unwrap_or_default());
        assert!(lab.count(&name).await <= 1);
    }
}

/// The network is good again, and the client has noticed what was wrong with it.
async fn speaks_again(lab: &Lab) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    lab.proxy.set(Mode::Pass);
}

/// A creation that did not reach the core is away; one that did is unknown.
fn may_be(error: &Error, sent: usize) {
    match error.kind() {
        ErrorKind::OutcomeUnknown { .. } => {}
        _ => assert_eq!((error.is_interruption(), sent), (true, 0), "{error}"),
    }
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_no_second_write() {
    let (lab, made) = Lab::with_greetings(1).await;
    let client = lab.connect(lab.options_within(Duration::from_millis(500)), Caller::Client).await;
    let mut mine: HelloWorldServiceInstance = client.get(made[0].id).await.unwrap();

    lab.proxy.set(Mode::HoldAnswers);
    mine.hello_to = "Sansa".into();
    let error = client.save(&mut mine).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{error}");
    assert_eq!(lab.count("Sansa").await, 1, "the change took effect");
    speaks_again(&lab).await;
    let since = Instant::now();
    let read = async || client.get::<HelloWorldServiceInstance>(made[0].id).await;
    assert_eq!(recovers("after a held change", since, read).await.hello_to, "Sansa");
    assert_eq!(lab.core.count("UpdateHelloWorldServiceInstance"), 1);

    lab.proxy.set(Mode::HoldAnswers);
    let error = client.create(greeting("Bran")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{error}");
    assert_eq!(lab.count("Bran").await, 1, "the creation took effect");
    speaks_again(&lab).await;
    let since = Instant::now();
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    let all = recovers("after a held creation", since, read).await;
    assert_eq!(all.iter().filter(|one| one.hello_to == "Bran").count(), 1);
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 1);

    lab.proxy.set(Mode::HoldAnswers);
    assert_away(&client.delete(&mine).await.unwrap_err());
    speaks_again(&lab).await;
    let since = Instant::now();
    let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
    let all = recovers("after a held deletion", since, read).await;
    assert_eq!(all.iter().map(|one| one.hello_to.as_str()).collect::<Vec<_>>(), ["Bran"]);
}

/// "Away" promises that nothing happened. A deletion that is made again because its answer was lost, and then cannot
/// be sent, may have happened.
#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_not_said_to_have_done_nothing() {
    let (lab, made) = Lab::with_greetings(5).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for (round, one) in made.iter().enumerate() {
        lab.proxy.set(Mode::HoldAnswers);
        let deleting = {
            let (client, one) = (client.clone(), one.clone());
            tokio::spawn(async move { client.delete(&one).await })
        };
        until("it is deleted", async || {
            let there = lab.store.get::<HelloWorldServiceInstance>(one.id).await;
            there.map_or(true, |there| there.deleted)
        })
        .await;
        lab.proxy.set(Mode::Refuse);
        lab.proxy.cut();
        let error = deleting.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{error}");
        lab.proxy.set(Mode::Pass);
        let read = async || client.objects::<HelloWorldServiceInstance>().all().await;
        let left = recovers(&format!("deletion {round}"), Instant::now(), read).await;
        assert!(left.iter().all(|it| it.id != one.id));
    }
}

#[tokio::test]
async fn a_deletion_that_was_made_again_is_no_failure() {
    let (lab, made) = Lab::with_greetings(2).await;
    let client = lab.connect(lab.options(), Caller::Client).await;
    for (one, is_synced) in made.iter().zip([false, true]) {
        let mut one = one.clone();
        if is_synced {
            // Such an object stays until its synchronizer has seen to it; others are gone at once.
            let engine = ModelClient::new(Arc::new(lab.core.store().clone()), Caller::Engine);
            one = engine.get(one.id).await.unwrap();
            one.backend_need_delete = true;
            engine.save(&mut one).await.unwrap();
        }
        lab.core.cut_after("DeleteHelloWorldServiceInstance");
        let deleted = recovers("deletion", Instant::now(), async || client.delete(&one).await).await;
        assert_eq!(deleted, Deleted::Yes);
    }
}
