//! Tags of any object.

use xos_model_client::models::{Service, Site, Tag};
use xos_model_client::{ErrorKind, Link};

use crate::lab::{GatewayService, client, gateway_service, service};

#[tokio::test]
async fn a_tag_is_set_and_read() {
    let client = client().await;
    let owner = service(&client, "a").await;
    let gateways = gateway_service(&client, "gateways").await;
    assert_eq!(client.tag(&owner, "rack").await.unwrap(), None);
    let tag = client.set_tag(&owner, &gateways, "rack", "7").await.unwrap();
    assert_eq!((tag.content_type.as_str(), tag.object_id), ("core.service_decl", owner.id.get() as u32));
    assert_eq!(client.set_tag(&owner, &gateways, "rack", "8").await.unwrap().id, tag.id);
    assert_eq!(client.tag(&owner, "rack").await.unwrap().as_deref(), Some("8"));
    assert_eq!(client.tags_of(&owner).await.unwrap().len(), 1);
    // The same id of another model is another object.
    let site =
        Site { name: "s".into(), login_base: "s".into(), abbreviated_name: "s".into(), ..Default::default() };
    let site = client.create(site).await.unwrap();
    let foreign = Tag {
        service: Link::of(&owner),
        name: "rack".into(),
        value: "9".into(),
        content_type: "core.site".into(),
        object_id: owner.id.get() as u32,
        ..Default::default()
    };
    client.create(foreign).await.unwrap();
    assert_eq!(client.tag(&owner, "rack").await.unwrap().as_deref(), Some("8"));
    client.set_tag(&site, &owner, "rack", "1").await.unwrap();
    assert_eq!(client.tag(&site, "rack").await.unwrap().as_deref(), Some("1"));
    assert!(client.set_tag(&Site::default(), &owner, "rack", "1").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_tag_leads_to_its_object() {
    let client = client().await;
    let gateways = gateway_service(&client, "gateways").await;
    let mut tag = client.set_tag(&gateways, &gateways, "rack", "7").await.unwrap();
    assert_eq!(tag.content_type, "gateway.gatewayservice");
    let found: GatewayService = tag.content_object(&client).await.unwrap();
    assert_eq!(found.id, gateways.id);
    let base: Service = tag.content_object(&client).await.unwrap();
    assert_eq!(base.name, "gateways");
    // Seen as its base, it has the same tags.
    assert_eq!(client.tag(&base, "rack").await.unwrap().as_deref(), Some("7"));
    let error = tag.content_object::<Site>(&client).await.unwrap_err();
    assert!(error.to_string().contains("is not that of a Site"), "{error}");
    tag.object_id = 77;
    assert!(tag.content_object::<GatewayService>(&client).await.unwrap_err().is_not_found());
    tag.content_type = "gone.thing".into();
    let error = tag.content_object::<GatewayService>(&client).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ContentType { expected: None, .. }), "{error}");
}
