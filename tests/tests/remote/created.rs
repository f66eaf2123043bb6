//! A creation whose answer was lost: never made again, found where it can be.

use std::sync::Arc;
use std::time::Duration;

use xos_model_client::grpc::CoreClient;
use xos_model_client::{Caller, ModelClient};
use xos_sync::model_client::ErrorKind;
use xos_sync_tests::stand_in::StandIn;

use crate::support::{HelloWorldService, HelloWorldServiceInstance, Lab, greeting, service};

#[tokio::test]
async fn what_was_created_is_found_by_its_unique_name() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.cut_after("CreateHelloWorldService");
    let jon = client.create(service("Jon")).await.unwrap();
    assert_eq!(lab.core.client().get::<HelloWorldService>(jon.id).await.unwrap().hello_from, "Jon");
    assert_eq!(lab.core.count("CreateHelloWorldService"), 1);
    assert_eq!(lab.core.client().objects::<HelloWorldService>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn it_is_looked_for_until_the_core_answers() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.cut_after("CreateHelloWorldService");
    for _ in 0..3 {
        lab.core.fail_once("FilterHelloWorldService", tonic::Code::Unavailable, "Socket closed");
    }
    let jon = client.create(service("Jon")).await.unwrap();
    assert_eq!(jon.hello_from, "Jon");
    assert_eq!(lab.core.count("CreateHelloWorldService"), 1);
}

#[tokio::test]
async fn one_that_was_not_created_is_not_created_a_second_time() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.cut_before("CreateHelloWorldService");
    let error = client.create(service("Jon")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{error}");
    assert!(error.to_string().contains("there is none with name = Jon"), "{error}");
    assert!(error.is_interruption());
    assert_eq!(lab.core.count("CreateHelloWorldService"), 1);
    assert_eq!(client.objects::<HelloWorldService>().count().await.unwrap(), 0);
    // Whoever knows that there is none may create it now.
    client.create(service("Jon")).await.unwrap();
}

type Cut = fn(&StandIn, &str);

#[tokio::test]
async fn without_a_unique_key_nobody_knows() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    client.create(service("Jon")).await.unwrap();
    for (name, cut, there) in [
        ("Arya", StandIn::cut_after as Cut, "may be it or another one"),
        ("Bran", StandIn::cut_before, "there is none with name = Bran"),
    ] {
        lab.core.forget_calls();
        cut(&lab.core, "CreateHelloWorldServiceInstance");
        let error = client.create(greeting(name)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{error}");
        assert!(error.to_string().contains(there), "{error}");
        assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 1);
    }
    assert_eq!(client.objects::<HelloWorldServiceInstance>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn somebody_elses_object_with_the_same_unique_name_is_not_taken_for_it() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    let mut other = service("Jon");
    other.hello_from = "Another Jon".into();
    lab.core.client().create(other).await.unwrap();
    lab.core.cut_before("CreateHelloWorldService");
    let error = client.create(service("Jon")).await.unwrap_err();
    assert!(error.to_string().contains("may be it or another one"), "{error}");
    assert_eq!(lab.core.count("CreateHelloWorldService"), 1);
}

#[tokio::test]
async fn a_creation_that_never_reached_the_core_is_away_and_nothing_else() {
    let lab = Lab::new().await;
    let client = lab.connect_as(Caller::Client).await;
    lab.core.kill().await;
    let error = client.create(service("Jon")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Away { .. }), "{error}");
    lab.core.resume().await.unwrap();
    assert_eq!(lab.core.count("CreateHelloWorldService"), 0);
}

#[tokio::test]
async fn a_late_answer_to_a_creation_is_no_second_creation() {
    let lab = Lab::new().await;
    let mut options = lab.core_options();
    options.call_deadline = Duration::from_millis(300);
    let core = CoreClient::new(options).unwrap();
    core.ready().await.unwrap();
    let client = ModelClient::new(Arc::new(core), Caller::Client);
    lab.core.answer_late("CreateHelloWorldService", Duration::from_secs(2));
    let jon = client.create(service("Jon")).await.unwrap();
    assert!(jon.id.is_set());
    assert_eq!(lab.core.count("CreateHelloWorldService"), 1);
    assert_eq!(lab.core.client().objects::<HelloWorldService>().count().await.unwrap(), 1);
}
