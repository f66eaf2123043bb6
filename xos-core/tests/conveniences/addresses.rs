//! Addresses of pools.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use xos_model_client::models::AddressPool;
use xos_model_client::{Caller, ModelClient};

use crate::lab::{Real, client, pool};

async fn lists(client: &ModelClient, pool: &AddressPool) -> (String, String) {
    let pool: AddressPool = client.get(pool.id).await.unwrap();
    (pool.addresses.unwrap_or_default(), pool.inuse.unwrap_or_default())
}

fn both(free: &str, in_use: &str) -> (String, String) {
    (free.to_owned(), in_use.to_owned())
}

#[tokio::test]
async fn an_address_is_taken_and_given_back() {
    let client = client().await;
    let pool = pool(&client, "10.0.0.2 10.0.0.3").await;
    assert_eq!(client.acquire_address(&pool).await.unwrap().as_deref(), Some("10.0.0.2"));
    assert_eq!(client.acquire_address(pool.id).await.unwrap().as_deref(), Some("10.0.0.3"));
    assert_eq!(lists(&client, &pool).await, both("", "10.0.0.3 10.0.0.2"));
    assert_eq!(client.acquire_address(&pool).await.unwrap(), None);
    client.release_address(&pool, "10.0.0.2").await.unwrap();
    client.release_address(&pool, "10.0.0.2").await.unwrap();
    assert_eq!(lists(&client, &pool).await, both("10.0.0.2", "10.0.0.3"));
    assert_eq!(client.acquire_address(&pool).await.unwrap().as_deref(), Some("10.0.0.2"));
}

#[tokio::test]
async fn a_network_is_a_pool_of_its_hosts() {
    let client = client().await;
    let pool = pool(&client, "10.0.0.8/29").await;
    assert_eq!(client.acquire_address(&pool).await.unwrap().as_deref(), Some("10.0.0.10"));
}

#[tokio::test]
async fn what_is_no_address_or_no_pool_is_refused() {
    let client = client().await;
    assert!(client.acquire_address(77).await.unwrap_err().is_not_found());
    let pool = pool(&client, "10.0.0.2").await;
    for wrong in ["", "  ", "10.0.0.2 10.0.0.3"] {
        let error = client.release_address(&pool, wrong).await.unwrap_err();
        assert!(error.to_string().contains("expected one address"), "{error}");
    }
    client.delete(&pool).await.unwrap();
    assert!(client.acquire_address(&pool).await.unwrap_err().is_not_found());
}

/// 64 takers at once: 64 different addresses, and none is lost.
async fn crowd(client: ModelClient) {
    let all: Vec<String> = (2..66).map(|host| format!("10.0.0.{host}")).collect();
    let pool = pool(&client, &all.join(" ")).await;
    let takers = (0..64).map(|_| {
        let (client, id) = (client.clone(), pool.id);
        tokio::spawn(async move { client.acquire_address(id).await.unwrap().unwrap() })
    });
    let mut taken = BTreeSet::new();
    for taker in takers.collect::<Vec<_>>() {
        assert!(taken.insert(taker.await.unwrap()), "two takers got one address");
    }
    assert_eq!(taken, all.iter().cloned().collect());
    let (free, in_use) = lists(&client, &pool).await;
    assert_eq!((free.as_str(), in_use.split(' ').count()), ("", 64));
    let givers = taken.into_iter().map(|address| {
        let (client, id) = (client.clone(), pool.id);
        tokio::spawn(async move { client.release_address(id, &address).await.unwrap() })
    });
    for giver in givers.collect::<Vec<_>>() {
        giver.await.unwrap();
    }
    let (free, in_use) = lists(&client, &pool).await;
    assert_eq!((free.split(' ').count(), in_use.as_str()), (64, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_takers_get_an_address_each() {
    crowd(client().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_takers_get_an_address_each_of_a_core_without_guards() {
    let real = Real::over(&client().await);
    crowd(ModelClient::new(real, Caller::Step)).await;
}

/// Takers of several processes, which know nothing of each other's turns: the guard keeps them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_that_was_changed_meanwhile_is_read_again() {
    let client = client().await;
    let pool = pool(&client, "10.0.0.2 10.0.0.3 10.0.0.4").await;
    let changer = {
        let client = client.clone();
        let id = pool.id;
        tokio::spawn(async move {
            for round in 0..50 {
                let mut pool: AddressPool = client.get(id).await.unwrap();
                pool.gateway_mac = format!("mac {round}");
                client.save(&mut pool).await.unwrap();
            }
        })
    };
    for _ in 0..20 {
        let address = client.acquire_address(&pool).await.unwrap().unwrap();
        client.release_address(&pool, &address).await.unwrap();
    }
    changer.await.unwrap();
    let (free, in_use) = lists(&client, &pool).await;
    assert_eq!((free.split(' ').count(), in_use.as_str()), (3, ""));
}

#[tokio::test]
async fn without_guards_an_address_that_was_written_over_is_taken_again() {
    let client = client().await;
    let pool = pool(&client, "10.0.0.2 10.0.0.3 10.0.0.9").await;
    let real = Real::over(&client);
    real.intrusions.store(2, Ordering::SeqCst);
    let there = ModelClient::new(real.clone(), Caller::Step);
    assert_eq!(there.acquire_address(&pool).await.unwrap().as_deref(), Some("10.0.0.2"));
    assert_eq!(real.writes.load(Ordering::SeqCst), 3, "twice in vain");
    assert_eq!(lists(&client, &pool).await, both("10.0.0.3", "10.0.0.2 10.0.0.9"));
}
