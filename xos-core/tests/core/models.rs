//! Rules that only some models of the core have.

use xos_core::EmbeddedCore;
use xos_model_client::{Caller, ObjectId, Query, QueryKind, Result, Value};

use crate::common::*;

async fn site(core: &EmbeddedCore) -> ObjectId {
    let fields =
        [("name", Value::from("mysite")), ("login_base", "my".into()), ("abbreviated_name", "my".into())];
    create(core, "Site", &fields).await.unwrap().id()
}

async fn slice(core: &EmbeddedCore, site: ObjectId, name: &str) -> Result<ObjectId> {
    Ok(create(core, "Slice", &[("name", name.into()), ("site", site.into())]).await?.id())
}

async fn network(core: &EmbeddedCore, name: &str, owner: ObjectId, more: &[(&str, Value)]) -> ObjectId {
    let template = create(core, "NetworkTemplate", &[("name", name.into())]).await.unwrap().id();
    let mut fields = vec![("name", name.into()), ("template", template.into()), ("owner", owner.into())];
    fields.extend_from_slice(more);
    create(core, "Network", &fields).await.unwrap().id()
}

#[tokio::test]
async fn a_slice_name_has_no_spaces() {
    let core = memory();
    let site = site(&core).await;
    slice(&core, site, "mysite_one").await.unwrap();
    let error = slice(&core, site, "my slice").await.unwrap_err();
    assert_eq!(fault_of(&error, "name"), "Slice name contains spaces");
}

#[tokio::test]
async fn a_slice_network_private_only_is_none_and_others_are_choices() {
    let core = memory();
    let site = site(&core).await;
    let id = slice(&core, site, "one").await.unwrap();
    let to = |network: &str| [("network", Value::from(network))];
    set(&core, "Slice", id, &to("host"), Caller::Client).await.unwrap();
    let written = set(&core, "Slice", id, &to("Private Only"), Caller::Client).await.unwrap();
    assert!(written.record.unwrap().get("network").unwrap().is_null());
    let error = set(&core, "Slice", id, &to("tunnel"), Caller::Client).await.unwrap_err();
    assert!(fault_of(&error, "network").contains("is one of"), "{error}");
}

#[tokio::test]
async fn a_slice_may_use_networks_that_permit_it() {
    let core = memory();
    let site = site(&core).await;
    let (owner, other) =
        (slice(&core, site, "owner").await.unwrap(), slice(&core, site, "other").await.unwrap());
    let private = network(&core, "private", owner, &[("permit_all_slices", false.into())]).await;
    let open = network(&core, "open", owner, &[("permit_all_slices", true.into())]).await;
    let listed = network(
        &core,
        "listed",
        owner,
        &[("permit_all_slices", false.into()), ("permitted_slices", Value::Links(vec![other]))],
    )
    .await;
    let join = |network: ObjectId, slice: ObjectId| {
        let core = core.clone();
        async move { create(&core, "NetworkSlice", &[("network", network.into()), ("slice", slice.into())]).await }
    };
    join(private, owner).await.unwrap();
    join(open, other).await.unwrap();
    join(listed, other).await.unwrap();
    let error = join(private, other).await.unwrap_err();
    assert!(fault_of(&error, "slice").contains("is not allowed to connect to networks"), "{error}");
    // The core's own unique_with: once is enough.
    let error = join(open, other).await.unwrap_err();
    assert!(error.to_string().contains("unique together"), "{error}");
}

#[tokio::test]
async fn the_network_of_an_address_pool_becomes_its_addresses() {
    let core = memory();
    let fields = |addresses: &str| {
        [
            ("name", Value::from("pool")),
            ("gateway_ip", "10.0.0.1".into()),
            ("gateway_mac", "m".into()),
            ("addresses", addresses.into()),
        ]
    };
    let record = create(&core, "AddressPool", &fields("10.0.0.0/29")).await.unwrap();
    assert_eq!(text(&record, "addresses"), "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6");
    assert_eq!(text(&record, "cidr"), "10.0.0.0/29");
    let set = |addresses: &str| {
        let (core, id, value) = (core.clone(), record.id(), Value::from(addresses));
        async move { set(&core, "AddressPool", id, &[("addresses", value)], Caller::Client).await }
    };
    let written = set("10.1.0.0/30").await.unwrap().record.unwrap();
    assert_eq!(
        (text(&written, "addresses"), text(&written, "cidr")),
        ("10.1.0.2".to_owned(), "10.0.0.0/29".to_owned())
    );
    let written = set("10.2.0.1 10.2.0.2").await.unwrap().record.unwrap();
    assert_eq!(text(&written, "addresses"), "10.2.0.1 10.2.0.2");
    assert!(fault_of(&set("10.0.0/29").await.unwrap_err(), "addresses").contains("such as"));
}

struct Linked {
    core: EmbeddedCore,
    provider: ObjectId,
    subscriber: ObjectId,
    service: ObjectId,
}

async fn linked() -> Linked {
    let core = memory();
    let service = a_service(&core, "hello").await;
    let provider = an_instance(&core, "provider", &service).await.id;
    let subscriber = an_instance(&core, "subscriber", &service).await.id;
    Linked { core, provider, subscriber, service: service.id }
}

#[tokio::test]
async fn a_service_instance_link_has_at_most_one_subscriber() {
    let Linked { core, provider, subscriber, service } = linked().await;
    let fields = [
        ("provider_service_instance", provider.into()),
        ("subscriber_service_instance", subscriber.into()),
        ("subscriber_service", service.into()),
    ];
    let error = create(&core, "ServiceInstanceLink", &fields).await.unwrap_err();
    assert!(
        error.to_string().contains(
            "Only one of subscriber_service, subscriber_service_instance, subscriber_network should be set"
        ),
        "{error}"
    );
    create(&core, "ServiceInstanceLink", &fields[..1]).await.unwrap();
}

#[tokio::test]
async fn an_identical_live_service_instance_link_is_refused() {
    let Linked { core, provider, subscriber, service } = linked().await;
    let fields =
        [("provider_service_instance", provider.into()), ("subscriber_service_instance", subscriber.into())];
    let first = create(&core, "ServiceInstanceLink", &fields).await.unwrap().id();
    let error = create(&core, "ServiceInstanceLink", &fields).await.unwrap_err();
    assert!(
        error.to_string().contains("A ServiceInstanceLink with attributes 'provider_service_instance="),
        "{error}"
    );
    assert!(error.to_string().contains("already exists"), "{error}");
    create(&core, "ServiceInstanceLink", &[fields[0].clone(), ("subscriber_service", service.into())])
        .await
        .unwrap();
    set(&core, "ServiceInstanceLink", first, &fields, Caller::Client).await.unwrap();
    set(&core, "ServiceInstanceLink", first, &[("backend_need_delete", true.into())], Caller::Engine)
        .await
        .unwrap();
    delete(&core, "ServiceInstanceLink", first).await.unwrap();
    create(&core, "ServiceInstanceLink", &fields).await.unwrap();
}

#[tokio::test]
async fn deleting_a_service_instance_link_tells_its_provider() {
    let Linked { core, provider, subscriber, .. } = linked().await;
    let link = |core: EmbeddedCore| async move {
        let fields = [
            ("provider_service_instance", provider.into()),
            ("subscriber_service_instance", subscriber.into()),
        ];
        create(&core, "ServiceInstanceLink", &fields).await.unwrap().id()
    };
    let count = |core: EmbeddedCore| async move {
        get(&core, "ServiceInstance", provider).await.unwrap().get("link_deleted_count").cloned()
    };
    let updated = get(&core, "ServiceInstance", provider).await.unwrap().get("updated").unwrap().clone();
    set(&core, "ServiceInstance", provider, &[("policed", updated)], Caller::Engine).await.unwrap();
    let id = link(core.clone()).await;
    delete(&core, "ServiceInstanceLink", id).await.unwrap();
    assert_eq!(count(core.clone()).await, Some(Value::Int(1)));
    let dirty = Query::live(shape(&core, "ServiceInstance")).of_kind(QueryKind::DirtyPolicies);
    assert!(ids(&core, dirty).await.contains(&provider.get()));
    // A link that goes along with its subscriber does not count.
    link(core.clone()).await;
    delete(&core, "ServiceInstance", subscriber).await.unwrap();
    assert_eq!(count(core.clone()).await, Some(Value::Int(1)));
}

#[tokio::test]
async fn users_have_identities_of_their_own() {
    let core = memory();
    let site = site(&core).await;
    let fields = [
        ("email", Value::from("a@b.c")),
        ("firstname", "A".into()),
        ("lastname", "B".into()),
        ("site", site.into()),
    ];
    let user = create(&core, "User", &fields).await.unwrap();
    assert_eq!(text(&user, "username"), "Something");
    let dirty = Query::live(shape(&core, "User")).of_kind(QueryKind::DirtyObjects);
    assert_eq!(ids(&core, dirty).await, [user.id().get()]);
    // The deletion of the site reaches objects of both roots.
    let slice =
        create(&core, "Slice", &[("name", "s".into()), ("site", site.into()), ("creator", user.id().into())])
            .await
            .unwrap();
    delete(&core, "User", user.id()).await.unwrap();
    assert!(get(&core, "Slice", slice.id()).await.is_none() && get(&core, "User", user.id()).await.is_none());
    assert!(get(&core, "Site", site).await.is_some());
}
