//! Instances of other services.

use std::sync::atomic::Ordering;

use xos_model_client::models::{ServiceInstance, ServiceInstanceLink};
use xos_model_client::{Caller, Link, Model, ModelClient};

use crate::lab::{
    GatewayService, GatewayServiceInstance, Real, client, gateway_service, instance, link, service,
};

async fn counts(client: &ModelClient) -> (usize, usize) {
    let instances = client.objects::<GatewayServiceInstance>().count().await.unwrap();
    (instances, client.objects::<ServiceInstanceLink>().count().await.unwrap())
}

async fn acquire(
    client: &ModelClient,
    service: &GatewayService,
    subscriber: &ServiceInstance,
) -> xos_model_client::Result<GatewayServiceInstance> {
    client
        .acquire_service_instance(service, subscriber, |new: &mut GatewayServiceInstance| new.s_tag = Some(7))
        .await
}

#[tokio::test]
async fn an_instance_is_made_once_with_its_owner_and_its_link() {
    let client = client().await;
    let owner = service(&client, "subscribers").await;
    let (first, gateways) =
        (gateway_service(&client, "other").await, gateway_service(&client, "gateways").await);
    let arya = instance(&client, "Arya", &owner).await;
    let made = acquire(&client, &gateways, &arya).await.unwrap();
    // The core would have taken the oldest service as owner.
    assert_eq!((made.owner, made.s_tag), (Link::to(gateways.id), Some(7)));
    let name = format!("GatewayServiceInstance for ServiceInstance {}", arya.id);
    assert_eq!(made.name.as_deref(), Some(name.as_str()));
    assert_eq!(counts(&client).await, (1, 1));
    let again = client
        .acquire_service_instance(&gateways, &arya, |_: &mut GatewayServiceInstance| panic!("there is one"))
        .await
        .unwrap();
    assert_eq!((again.id, counts(&client).await), (made.id, (1, 1)));
    // Another service, another subscriber: another instance.
    assert_ne!(acquire(&client, &first, &arya).await.unwrap().id, made.id);
    let sansa = instance(&client, "Sansa", &owner).await;
    assert_ne!(acquire(&client, &gateways, &sansa).await.unwrap().id, made.id);
    assert_eq!(counts(&client).await, (3, 3));
    let linked = gateways.validate_links(&client, &arya).await.unwrap();
    assert_eq!(linked.iter().map(xos_model_client::Record::id).collect::<Vec<_>>(), [made.id]);
    assert_eq!(linked[0].shape().model(), "GatewayServiceInstance");
}

#[tokio::test]
async fn a_crash_between_instance_and_link_is_repaired_by_the_next_call() {
    let client = client().await;
    let owner = service(&client, "subscribers").await;
    let gateways = gateway_service(&client, "gateways").await;
    let arya = instance(&client, "Arya", &owner).await;
    let real = Real::over(&client);
    real.dies_at.store(1, Ordering::SeqCst);
    let dying = ModelClient::new(real, Caller::Step);
    assert!(acquire(&dying, &gateways, &arya).await.unwrap_err().is_interruption());
    assert_eq!(counts(&client).await, (1, 0));
    let made = acquire(&client, &gateways, &arya).await.unwrap();
    assert_eq!((counts(&client).await, made.s_tag), ((1, 1), Some(7)));
    // One that is used is nobody else's, whatever its name is.
    let mut named = instance(&client, "Bran", &owner).await;
    for _ in 0..2 {
        let fill = |new: &mut GatewayServiceInstance| new.name.clone_from(&made.name);
        let other = client.acquire_service_instance(&gateways, &named, fill).await.unwrap();
        assert_ne!(other.id, made.id);
        named = instance(&client, "Rickon", &owner).await;
    }
    assert_eq!(counts(&client).await, (3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_many_times_at_once_gets_one() {
    let client = client().await;
    let owner = service(&client, "subscribers").await;
    let gateways = gateway_service(&client, "gateways").await;
    let arya = instance(&client, "Arya", &owner).await;
    let asked: Vec<_> = (0..16)
        .map(|_| {
            let (client, gateways, arya) = (client.clone(), gateways.clone(), arya.clone());
            tokio::spawn(async move { acquire(&client, &gateways, &arya).await.unwrap().id })
        })
        .collect();
    for answer in asked {
        answer.await.unwrap();
    }
    assert_eq!(counts(&client).await, (1, 1));
}

#[tokio::test]
async fn objects_that_do_not_exist_are_refused() {
    let client = client().await;
    let gateways = gateway_service(&client, "gateways").await;
    let error = acquire(&client, &gateways, &ServiceInstance::default()).await.unwrap_err();
    assert!(error.to_string().contains("was not created yet"), "{error}");
    assert_eq!(counts(&client).await, (0, 0));
    // A deleted one is no instance that is used.
    let owner = service(&client, "subscribers").await;
    let arya = instance(&client, "Arya", &owner).await;
    let made = acquire(&client, &gateways, &arya).await.unwrap();
    client.delete(&made).await.unwrap();
    let other = acquire(&client, &gateways, &arya).await.unwrap();
    assert_ne!(other.id(), made.id());
    let _ = link(&client, instance(&client, "Bran", &owner).await.id, arya.id).await;
    assert_eq!(acquire(&client, &gateways, &arya).await.unwrap().id(), other.id());
}
