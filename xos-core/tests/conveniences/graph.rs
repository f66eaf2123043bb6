//! Services and instances, and who is beside them; networks and slices.

use xos_model_client::models::{
    Network, NetworkParameter, NetworkParameterType, NetworkSlice, NetworkTemplate, Port, ServiceAttribute,
    ServiceDependency, ServiceInstance, ServiceInstanceAttribute, Site, Slice, User,
};
use xos_model_client::{ErrorKind, Link, ModelClient, Value};

use crate::lab::{GatewayServiceInstance, client, gateway_service, instance, link, service};

#[tokio::test]
async fn services_know_whom_they_need_and_who_needs_them() {
    let client = client().await;
    let [a, b] = [service(&client, "a").await, service(&client, "b").await];
    let gateways = gateway_service(&client, "gateways").await;
    for provider in [a.id, gateways.id] {
        let dependency = ServiceDependency {
            provider_service: Link::to(provider),
            subscriber_service: Link::of(&b),
            ..Default::default()
        };
        client.create(dependency).await.unwrap();
    }
    let names = |services: Vec<_>| services.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(b.provider_services(&client).await.unwrap()), ["a", "gateways"]);
    assert_eq!(names(gateways.subscriber_services(&client).await.unwrap()), ["b"]);
    assert!(a.provider_services(&client).await.unwrap().is_empty());
    assert_eq!(gateways.service_instance_model_name(), "GatewayServiceInstance");
    client.delete(&a).await.unwrap();
    assert_eq!(names(b.provider_services(&client).await.unwrap()), ["gateways"]);
}

#[tokio::test]
async fn attributes_are_a_map() {
    let client = client().await;
    let owner = service(&client, "a").await;
    let arya = instance(&client, "Arya", &owner).await;
    for (name, value) in [("rack", "7"), ("row", "b")] {
        let (name, value) = (name.to_owned(), value.to_owned());
        let attribute = ServiceAttribute {
            name: name.clone(),
            value: value.clone(),
            service: Link::of(&owner),
            ..Default::default()
        };
        client.create(attribute).await.unwrap();
        let attribute =
            ServiceInstanceAttribute { name, value, service_instance: Link::of(&arya), ..Default::default() };
        client.create(attribute).await.unwrap();
    }
    let expected = [("rack".to_owned(), "7".to_owned()), ("row".to_owned(), "b".to_owned())];
    assert_eq!(owner.service_attributes(&client).await.unwrap().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(arya.instance_attributes(&client).await.unwrap().into_iter().collect::<Vec<_>>(), expected);
}

async fn gateway(client: &ModelClient, name: &str, s_tag: Option<i32>) -> GatewayServiceInstance {
    let service_instance = ServiceInstance { name: Some(name.into()), ..Default::default() };
    client.create(GatewayServiceInstance { service_instance, s_tag }).await.unwrap()
}

#[tokio::test]
async fn neighbours_are_what_they_are() {
    let client = client().await;
    gateway_service(&client, "gateways").await;
    let owner = service(&client, "a").await;
    let middle = instance(&client, "middle", &owner).await;
    let (west, east) = (gateway(&client, "west", Some(7)).await, gateway(&client, "east", None).await);
    let plain = instance(&client, "plain", &owner).await;
    link(&client, middle.id, plain.id).await;
    link(&client, middle.id, west.id).await;
    link(&client, east.id, middle.id).await;
    let shown = |records: Vec<xos_model_client::Record>| {
        records.iter().map(|record| format!("{} {}", record.shape().model(), record.id())).collect::<Vec<_>>()
    };
    let west_of = shown(middle.westbound_service_instances(&client).await.unwrap());
    let expected = [format!("ServiceInstance {}", plain.id), format!("GatewayServiceInstance {}", west.id)];
    assert_eq!(west_of, expected);
    let east_of = shown(middle.eastbound_service_instances(&client).await.unwrap());
    assert_eq!(east_of, [format!("GatewayServiceInstance {}", east.id)]);
    let typed = middle.westbound::<GatewayServiceInstance>(&client).await.unwrap();
    assert_eq!(typed.iter().map(|gateway| gateway.s_tag).collect::<Vec<_>>(), [Some(7)]);
    assert_eq!(middle.westbound::<ServiceInstance>(&client).await.unwrap().len(), 2);
    assert_eq!(middle.eastbound::<GatewayServiceInstance>(&client).await.unwrap().len(), 1);
    client.delete(&west).await.unwrap();
    assert!(middle.westbound::<GatewayServiceInstance>(&client).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_property_is_found_to_the_west() {
    let client = client().await;
    gateway_service(&client, "gateways").await;
    let owner = service(&client, "a").await;
    let [near, far, end] = [
        instance(&client, "near", &owner).await,
        instance(&client, "far", &owner).await,
        instance(&client, "end", &owner).await,
    ];
    let (tagged, empty) = (gateway(&client, "tagged", Some(7)).await, gateway(&client, "empty", None).await);
    // end <- near <- far <- tagged
    link(&client, end.id, near.id).await;
    link(&client, near.id, far.id).await;
    link(&client, far.id, tagged.id).await;
    assert_eq!(end.westbound_property(&client, "s_tag").await.unwrap(), Value::Int(7));
    // The first that has the field ends the search, also when it is empty there.
    link(&client, near.id, empty.id).await;
    assert_eq!(end.westbound_property(&client, "s_tag").await.unwrap(), Value::Null);
    assert_eq!(tagged.own_or_westbound_property(&client, "s_tag").await.unwrap(), Value::Int(7));
    assert_eq!(end.own_or_westbound_property(&client, "s_tag").await.unwrap(), Value::Null);
    let error = tagged.westbound_property(&client, "s_tag").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoNeighbour { id, .. } if *id == tagged.id));
    let expected = format!("ServiceInstance with id {} has no westbound service instances", tagged.id);
    assert!(error.to_string().starts_with(&expected), "{error}");
    // A circle has no end, the search has.
    link(&client, tagged.id, end.id).await;
    let error = end.westbound_property(&client, "colour").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoNeighbour { .. }), "{error}");
}

#[tokio::test]
async fn networks_and_slices_know_each_other() {
    let client = client().await;
    let site = Site {
        name: "My Site".into(),
        login_base: "mysite".into(),
        abbreviated_name: "my".into(),
        ..Default::default()
    };
    let site = client.create(site).await.unwrap();
    let user =
        User { email: "a@b.c".into(), firstname: "A".into(), lastname: "B".into(), ..Default::default() };
    let user = User { site: Link::of(&site), password: "long enough 1".into(), ..user };
    let user = client.create(user).await.unwrap();
    let slice = Slice {
        name: "demo1".into(),
        site: Link::of(&site),
        creator: Some(Link::of(&user)),
        ..Default::default()
    };
    let slice = client.create(slice).await.unwrap();
    assert_eq!(slice.slicename(&client).await.unwrap(), "mysite_demo1");
    let template =
        client.create(NetworkTemplate { name: "private".into(), ..Default::default() }).await.unwrap();
    let network = Network {
        name: "net".into(),
        template: Link::of(&template),
        owner: Link::of(&slice),
        ..Default::default()
    };
    let network = client.create(network).await.unwrap();
    let both = NetworkSlice { network: Link::of(&network), slice: Link::of(&slice), ..Default::default() };
    client.create(both).await.unwrap();
    assert_eq!(
        slice.networks(&client).await.unwrap().iter().map(|network| network.id).collect::<Vec<_>>(),
        [network.id]
    );
    assert_eq!(
        network.slices(&client).await.unwrap().iter().map(|slice| slice.id).collect::<Vec<_>>(),
        [slice.id]
    );

    let port = client.create(Port { network: Link::of(&network), ..Default::default() }).await.unwrap();
    for (name, content_type) in
        [("s_tag", "core.port_decl"), ("c_tag", "core.port"), ("other", "core.network_decl")]
    {
        let kind =
            client.create(NetworkParameterType { name: name.into(), ..Default::default() }).await.unwrap();
        let parameter = NetworkParameter {
            parameter: Link::of(&kind),
            value: format!("value of {name}"),
            content_type: content_type.into(),
            object_id: port.id.get() as u32,
            ..Default::default()
        };
        client.create(parameter).await.unwrap();
    }
    let parameters = port.parameters(&client).await.unwrap();
    assert_eq!(parameters.keys().collect::<Vec<_>>(), ["c_tag", "s_tag"]);
    assert_eq!(parameters["s_tag"], "value of s_tag");
}
