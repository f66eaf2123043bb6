//! From onboarding to the last deletion.

use xos_model_client::ModelAccessor as _;

use crate::support::{HelloWorldService, HelloWorldServiceInstance, Lab, greeting, options, service, until};

#[tokio::test]
async fn models_are_loaded_objects_are_synced_changed_and_deleted() {
    let lab = Lab::on(options()).await;
    let program = lab.start();
    until("the models are served", async || {
        lab.core.store().schema().model("HelloWorldServiceInstance").is_some()
    })
    .await;
    let client = lab.core.client();
    let jon = client.create(service("Jon Snow")).await.unwrap();
    let mut arya = client.create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    arya.hello_to = "Sansa".into();
    client.save(&mut arya).await.unwrap();
    until("the change is synced", async || lab.log.count("Jon Snow greets Sansa") == 1).await;
    client.delete(&jon).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "gone").await;
    lab.until_status::<HelloWorldService>(jon.id, "gone").await;
    assert_eq!(lab.log.count("delete Sansa"), 1);
    assert_eq!(lab.log.count("delete service Jon Snow"), 1);
    program.stop().await.unwrap();
}
