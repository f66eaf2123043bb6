//! DESIGN's page, and the unit test of its step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the page's main is not run here")]

include!("../../xos-sync/examples/page.rs");

#[xos_sync::test]
async fn arya_is_greeted() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    core.create(HelloWorldService {
        service: Service { name: "HelloWorld".into(), ..Default::default() },
        hello_from: "Jon Snow".into(),
    })
    .await?;
    let mut arya =
        core.create(HelloWorldServiceInstance { hello_to: "Arya".into(), ..Default::default() }).await?;
    SyncGreeting.sync_record(&core.context(), &mut arya).await?;
    Ok(())
}

#[xos_sync::test]
async fn tyrion_is_deferred() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    let hello = Service { name: "HelloWorld".into(), ..Default::default() };
    core.create(HelloWorldService { service: hello, hello_from: "Jon Snow".into() }).await?;
    let tyrion = HelloWorldServiceInstance { hello_to: "Tyrion Lannister".into(), ..Default::default() };
    let mut tyrion = core.create(tyrion).await?;
    let error = SyncGreeting.sync_record(&core.context(), &mut tyrion).await.unwrap_err();
    assert_eq!(error.to_string(), "Maybe later");
    Ok(())
}
