//! Objects are created, read, changed and deleted, and everybody who listens is told.

use crate::common::{
    a_service, an_instance, changes, client, client_as, folder, memory, memory_with, open_core,
};
use xos_core::{EmbeddedCore, Options, Threads};
use xos_model_client::models::{Service, ServiceInstance};
use xos_model_client::{Caller, Change, Cursor, Deleted, ModelAccessor};

#[tokio::test]
async fn an_object_lives_and_dies() {
    let folder = folder();
    let inline = Options { threads: Threads::Inline, ..Options::default() };
    let own = Options { threads: Threads::Own, ..Options::default() };
    for core in [
        memory(),
        memory_with(own.clone()),
        open_core(folder.path().join("one.db"), own).unwrap(),
        open_core(folder.path().join("two.db"), inline).unwrap(),
    ] {
        life(&core).await;
        core.close();
        assert!(client(&core).get::<Service>(1).await.unwrap_err().is_interruption());
    }
}

async fn life(core: &EmbeddedCore) {
    let mut feed = core.feed(Cursor(0), &[]);
    assert!(changes(&mut feed).await.0.is_empty());
    let service = a_service(core, "hello").await;
    let mut instance = an_instance(core, "world", &service).await;
    let (told, _) = changes(&mut feed).await;
    assert_eq!(told.len(), 2, "{told:?}");

    let step = client_as(core, Caller::Step);
    instance.backend_status = "OK".into();
    step.save(&mut instance).await.unwrap();
    let found =
        step.objects::<ServiceInstance>().filter(ServiceInstance::NAME.eq("world")).one().await.unwrap();
    assert_eq!(found.backend_status, "OK");
    assert_eq!(step.objects::<Service>().count().await.unwrap(), 1);

    assert_eq!(client(core).delete(&service).await.unwrap(), Deleted::Yes);
    assert_eq!(step.objects::<ServiceInstance>().count().await.unwrap(), 0);
    assert!(client(core).get::<ServiceInstance>(instance.id).await.unwrap_err().is_not_found());
    let (told, _) = changes(&mut feed).await;
    let gone = told.iter().filter(|change| matches!(change, Change::Purged { .. })).count();
    assert_eq!(gone, 2, "{told:?}");
}

#[tokio::test]
async fn a_file_keeps_what_was_written() {
    let folder = folder();
    let path = folder.path().join("core.db");
    let core = open_core(&path, Options::default()).unwrap();
    let service = a_service(&core, "hello").await;
    drop(core);
    let core = open_core(&path, Options::default()).unwrap();
    assert_eq!(client(&core).get::<Service>(service.id).await.unwrap(), service);
    let next = a_service(&core, "world").await;
    assert!(next.id > service.id);
}
