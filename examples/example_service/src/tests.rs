//! Unit tests of the policy and the steps: no server, no Ansible.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use xos_sync::prelude::*;
use xos_sync::testing::Backend;

use crate::models::{EVENTS, ExampleService, ExampleServiceInstance, PageLost, WebServer};
use crate::place::{Place, Ssh};
use crate::policy::GiveWebServer;
use crate::web_server::{Servers, SyncWebServer};
use crate::write_again::WriteAgain;
use crate::write_page::WritePage;

async fn with_instance() -> xos_sync::Result<(MockAccessor, ExampleServiceInstance)> {
    let core = MockAccessor::new();
    core.load::<WebServer>().await?;
    core.create(ExampleService { service: Service { name: "exampleservice".into(), ..Default::default() } })
        .await?;
    let instance = ExampleServiceInstance { tenant_message: "hello".into(), ..Default::default() };
    let instance = core.create(instance).await?;
    Ok((core, instance))
}

#[xos_sync::test]
async fn an_instance_gets_one_web_server_however_often_its_policy_runs() -> xos_sync::Result<()> {
    let (core, mut instance) = with_instance().await?;
    let ctx = core.policy_context();
    // As if the process had died before the link was stored.
    let mut forgotten = instance.clone();
    GiveWebServer.handle_create(&ctx, &mut instance).await?;
    GiveWebServer.handle_create(&ctx, &mut forgotten).await?;
    GiveWebServer.handle_update(&ctx, &mut instance).await?;
    assert_eq!(core.objects::<WebServer>().count().await?, 1);
    assert_eq!(core.get::<ExampleServiceInstance>(instance.id).await?.web_server, instance.web_server);
    Ok(())
}

#[xos_sync::test]
async fn its_web_server_goes_with_it() -> xos_sync::Result<()> {
    let (core, mut instance) = with_instance().await?;
    let ctx = core.policy_context();
    GiveWebServer.handle_create(&ctx, &mut instance).await?;
    GiveWebServer.handle_delete(&ctx, &instance).await?;
    assert_eq!(core.objects::<WebServer>().count().await?, 0);
    GiveWebServer.handle_delete(&ctx, &instance).await?;
    Ok(())
}

#[xos_sync::test]
async fn a_page_waits_for_its_web_server() -> xos_sync::Result<()> {
    let (core, mut instance) = with_instance().await?;
    let servers = Servers::new().map_err(xos_sync::Error::other)?;
    let step = WritePage(Place::Here(servers.clone()));
    let waits = step.extra_attributes(&core.context(), &instance).await.unwrap_err();
    assert!(waits.to_string().starts_with("waits for the policy of ExampleServiceInstance"), "{waits}");
    GiveWebServer.handle_create(&core.policy_context(), &mut instance).await?;
    let waits = step.extra_attributes(&core.context(), &instance).await.unwrap_err();
    assert!(waits.to_string().starts_with("waits for WebServer"), "{waits}");
    Ok(())
}

#[xos_sync::test]
async fn a_lost_page_makes_its_server_and_its_instance_due_again() -> xos_sync::Result<()> {
    let (core, mut instance) = with_instance().await?;
    GiveWebServer.handle_create(&core.policy_context(), &mut instance).await?;
    let server = instance.web_server.unwrap();
    let before = core.get::<ExampleServiceInstance>(instance.id).await?;
    let event = Event::new(EVENTS, "web-server-1", &PageLost { web_server: server.id().get() }).unwrap();
    WriteAgain.process_event(&core.context(), &event).await?;
    assert_eq!(core.get::<WebServer>(server.id()).await?.losses, 1);
    assert!(core.get::<ExampleServiceInstance>(instance.id).await?.updated > before.updated);
    Ok(())
}

#[xos_sync::test]
async fn an_event_that_is_none_of_ours_is_refused() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    let event = Event::new(EVENTS, None, &"hello").unwrap();
    let error = WriteAgain.process_event(&core.context(), &event).await.unwrap_err();
    assert!(error.to_string().contains("expected JSON of a PageLost"), "{error}");
    Ok(())
}

#[xos_sync::test]
async fn a_web_server_says_where_it_is() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    let mut server = core.create(WebServer { name: "web".into(), ..Default::default() }).await?;
    let step = SyncWebServer(Place::Here(Servers::new().map_err(xos_sync::Error::other)?));
    step.sync_record(&core.context(), &mut server).await?;
    let url = core.get::<WebServer>(server.id).await?.url.unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    step.sync_record(&core.context(), &mut server).await?;
    assert_eq!(core.get::<WebServer>(server.id).await?.url.unwrap(), url, "it goes on where it is");
    step.delete_record(&core.context(), &server).await?;
    Ok(())
}

/// Random troubles from seeds, and then the death of the program at each point. What the playbook writes is in the
/// simulated backend; pages are not read back, because nobody serves them there.
#[xos_sync::simulation(seeds = 50)]
fn whatever_goes_wrong_each_instance_has_its_page(_backend: Backend) -> Synchronizer {
    let place = Place::Host("web.example".to_owned(), Ssh::default());
    Synchronizer::new("exampleservice")
        .model::<ExampleService>()
        .policy(GiveWebServer)
        .sync_step(SyncWebServer(place.clone()))
        .ansible_step(WritePage(place))
}
