//! Many callers at once: what they share, and what they must not.

use std::time::Duration;

use futures_util::future::join_all;
use xos_model_client::Caller;
use xos_sync::model_client::ObjectId;

use crate::support::{HelloWorldServiceInstance, Lab, greeting, loaded, service, until};

/// A core that needs a while for each call.
async fn slow() -> (Lab, HelloWorldServiceInstance) {
    let mut options = loaded();
    options.latency = Duration::from_millis(5);
    let lab = Lab::on(options).await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let arya = lab.core.client().create(greeting("Arya")).await.unwrap();
    (lab, arya)
}

#[tokio::test]
async fn a_hundred_who_want_the_same_object_ask_a_few_times() {
    let (lab, arya) = slow().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.forget_calls();
    let all = join_all((0..100).map(|_| client.get::<HelloWorldServiceInstance>(arya.id))).await;
    assert!(all.iter().all(|it| it.as_ref().unwrap().hello_to == "Arya"));
    let calls = lab.core.count("GetHelloWorldServiceInstance");
    assert!(calls <= 8, "{calls} calls");
}

#[tokio::test]
async fn nobody_reads_what_was_there_before_his_own_write() {
    let (lab, arya) = slow().await;
    let client = lab.connect_as(Caller::Client).await;
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (client, id) = (client.clone(), arya.id);
            tokio::spawn(async move {
                loop {
                    let _ = client.get::<HelloWorldServiceInstance>(id).await;
                }
            })
        })
        .collect();
    let mut mine: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
    for number in 0..30 {
        mine.hello_to = number.to_string();
        client.save(&mut mine).await.unwrap();
        let read: HelloWorldServiceInstance = client.get(arya.id).await.unwrap();
        assert_eq!(read.hello_to, number.to_string());
    }
    readers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_allowed() {
    let (lab, arya) = slow().await;
    for _ in 0..100 {
        lab.core.client().create(greeting("Somebody")).await.unwrap();
    }
    let client = lab.connect_as(Caller::Step).await;
    lab.core.forget_calls();
    let first = arya.id.get();
    let calls = (0..200).map(|number| {
        let client = client.clone();
        async move {
            let id = ObjectId::new(first + number % 100);
            if number < 100 {
                client.get::<HelloWorldServiceInstance>(id).await.map(|_| ())
            } else {
                let mut mine: HelloWorldServiceInstance = client.get(id).await?;
                mine.hello_to = number.to_string();
                client.save(&mut mine).await
            }
        }
    });
    for outcome in join_all(calls).await {
        outcome.unwrap();
    }
    let most = lab.core.most_in_flight();
    assert!((2..=4).contains(&most), "{most} at once");
}

#[tokio::test]
async fn a_client_whose_steps_are_dropped_leaves_no_call_behind() {
    let (lab, arya) = slow().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.hang("GetHelloWorldServiceInstance");
    for _ in 0..8 {
        let get = client.get::<HelloWorldServiceInstance>(arya.id);
        assert!(tokio::time::timeout(Duration::from_millis(20), get).await.is_err());
    }
    lab.core.heal("GetHelloWorldServiceInstance");
    // Four places only: they are free again.
    until("an object can be read", async || client.get::<HelloWorldServiceInstance>(arya.id).await.is_ok())
        .await;
}
