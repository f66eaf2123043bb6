//! The table of objects says how each one stands.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use xos_sync::models::{Service, ServiceInstance};
use xos_sync::prelude::*;
use xos_sync::{object_table, run_on};

struct Broken;

impl SyncStep for Broken {
    type Model = Service;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Service) -> StepResult {
        Err("Maybe not".into())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Service) -> StepResult {
        Ok(())
    }
}

struct Fine;

impl SyncStep for Fine {
    type Model = ServiceInstance;

    async fn sync_record(&self, _ctx: &Context, _o: &mut ServiceInstance) -> StepResult {
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &ServiceInstance) -> StepResult {
        Ok(())
    }
}

/// The line of the table that has this name.
fn line<'a>(table: &'a str, name: &str) -> &'a str {
    table.lines().find(|line| line.contains(name)).unwrap()
}

#[xos_sync::test]
async fn an_object_that_waits_for_a_failed_one_says_so() {
    let core = MockAccessor::new();
    let service = core.create(Service { name: "hello".into(), ..Default::default() }).await.unwrap();
    let owner = Link::of(&service);
    core.create(ServiceInstance { name: Some("waiting".into()), owner, ..Default::default() }).await.unwrap();
    let frozen = XosBase { no_sync: true, ..Default::default() };
    let frozen = ServiceInstance { base: frozen, name: Some("frozen".into()), owner, ..Default::default() };
    core.create(frozen).await.unwrap();

    let mut config = Config::in_memory();
    config.once = true;
    let steps = Synchronizer::new("hello").sync_step(Broken).sync_step(Fine);
    assert!(run_on(core.accessor(), config, steps, std::future::pending()).await.is_err());

    let steps = Synchronizer::new("hello").sync_step(Broken).sync_step(Fine).model::<Site>();
    let site = Site {
        name: "lonely".into(),
        login_base: "l".into(),
        abbreviated_name: "l".into(),
        ..Default::default()
    };
    core.create(site).await.unwrap();
    let table = object_table(core.accessor().as_ref(), &steps).await.unwrap();
    assert!(line(&table, "lonely").contains("(no step takes it)"), "{table}");
    assert!(line(&table, "hello").contains("Maybe not"), "{table}");
    assert!(line(&table, "waiting").contains("(waits for Service 1)"), "{table}");
    assert!(line(&table, "frozen").contains("(not to be synchronized)"), "{table}");
    assert!(!line(&table, "frozen").contains("waits"), "{table}");
}

struct Police;

impl ModelPolicy for Police {
    type Model = Service;

    async fn handle_create(&self, _ctx: &Context, _o: &mut Service) -> StepResult {
        Err("no address is free".into())
    }
}

#[xos_sync::test]
async fn an_object_whose_policy_failed_says_so() {
    let core = MockAccessor::new();
    core.create(Service { name: "hello".into(), ..Default::default() }).await.unwrap();
    let mut config = Config::in_memory();
    config.once = true;
    let alone = || Synchronizer::new("hello").policy(Police);
    assert!(run_on(core.accessor(), config.clone(), alone(), std::future::pending()).await.is_err());
    let table = object_table(core.accessor().as_ref(), &alone()).await.unwrap();
    let cells: Vec<&str> = line(&table, "hello").split_whitespace().collect();
    assert_eq!(cells[2..], ["hello", "2", "no", "address", "is", "free"], "{table}");
    let both = || alone().sync_step(Broken);
    assert!(run_on(core.accessor(), config, both(), std::future::pending()).await.is_err());
    let table = object_table(core.accessor().as_ref(), &both()).await.unwrap();
    assert!(line(&table, "hello").contains("Maybe not (policy: no address is free)"), "{table}");
}
