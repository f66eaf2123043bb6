//! Unit tests of both steps: no server, no files.

use xos_sync::testing::{Backend, Call, Fault, Rule};

use super::*;

fn service() -> HelloWorldService {
    let service = Service { name: "HelloWorld".into(), ..Default::default() };
    HelloWorldService { service, hello_from: "Jon Snow".into() }
}

fn greeting(hello_to: &str) -> HelloWorldServiceInstance {
    HelloWorldServiceInstance { hello_to: hello_to.into(), ..Default::default() }
}

#[xos_sync::test]
async fn arya_is_greeted() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    core.create(service()).await?;
    let mut arya = core.create(greeting("Arya")).await?;
    SyncHelloWorldServiceInstance.sync_record(&core.context(), &mut arya).await?;
    Ok(())
}

#[xos_sync::test]
async fn tyrion_is_greeted_later() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    core.create(service()).await?;
    let mut tyrion = core.create(greeting("Tyrion Lannister")).await?;
    let error = SyncHelloWorldServiceInstance.sync_record(&core.context(), &mut tyrion).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.kind()),
        ("Maybe later", &xos_sync::StepErrorKind::Deferred)
    );
    Ok(())
}

#[xos_sync::test]
async fn joffrey_is_not_greeted() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    core.create(service()).await?;
    let mut joffrey = core.create(greeting("Joffrey Baratheon")).await?;
    let error = SyncHelloWorldServiceInstance.sync_record(&core.context(), &mut joffrey).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), ("Maybe not", &xos_sync::StepErrorKind::Failed));
    Ok(())
}

#[xos_sync::test]
async fn a_core_that_is_away_interrupts_a_greeting() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    core.create(service()).await?;
    let mut arya = core.create(greeting("Arya")).await?;
    core.inject(Rule::next(Fault::Away).call(Call::Get));
    let error = SyncHelloWorldServiceInstance.sync_record(&core.context(), &mut arya).await.unwrap_err();
    assert_eq!(error.kind(), &xos_sync::StepErrorKind::Interrupted);
    Ok(())
}

#[xos_sync::test]
async fn a_service_says_that_it_was_updated_and_deleted() -> xos_sync::Result<()> {
    let core = MockAccessor::new();
    let mut service = core.create(service()).await?;
    SyncHelloWorldService.sync_record(&core.context(), &mut service).await?;
    SyncHelloWorldService.delete_record(&core.context(), &service).await?;
    assert!(core.journal().writes().len() == 1, "the step itself wrote nothing");
    Ok(())
}

/// Random troubles from seeds, and then the death of the program at each point.
#[xos_sync::simulation(seeds = 50)]
fn whatever_goes_wrong_everybody_is_greeted(_backend: Backend) -> Synchronizer {
    hello_world()
}
