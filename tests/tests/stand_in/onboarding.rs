//! Models that come and go, and the core that goes away each time.

use std::time::Duration;

use bytes::Bytes;
use prost_reflect::Value;
use tonic::{Code, Status};
use xos_sync_tests::stand_in::{Options, StandIn};

use super::client::{Pair, RawClient, id, text, told};
use super::models::models;

const LOAD: &str = "/xos.dynamicload/LoadModels";
const UNLOAD: &str = "/xos.dynamicload/UnloadModels";
const XPROTO: &str =
    "message HelloWorldService (Service) {}\nmessage HelloWorldServiceInstance (ServiceInstance) {}\n";

/// A core that knows hello-world, but has not loaded it. It goes away when the test says so.
async fn unloaded() -> Pair {
    Pair::of(StandIn::start(patient().knowing(models().map(Clone::clone).into())).await.unwrap())
}

/// A core that stays long after a load, so that what it says meanwhile can be looked at.
pub(crate) fn patient() -> Options {
    let long = Duration::from_secs(3600);
    Options { shutdown_delay: long, reap_every: long, ..Options::default() }
}

async fn load(pair: &Pair, version: &str, xproto: &str, core_version: &str) -> Result<Option<i32>, Status> {
    let file = |kind: &str, name: &str, contents: &str| {
        let mut file = pair.core.descriptors().new_message(kind).unwrap();
        file.set_field_by_name("filename", text(name));
        file.set_field_by_name("contents", text(contents));
        Value::List(vec![Value::Message(file)])
    };
    let request = [
        ("name", text("hello-world")),
        ("version", text(version)),
        ("core_version", text(core_version)),
        ("xprotos", file("Xproto", "hello-world.xproto", xproto)),
        ("convenience_methods", file("APIConvenienceFile", "hello.py", "pass")),
    ];
    let answer = pair.client.call(LOAD, &[], pair.message("LoadModelsRequest", &request)).await?;
    Ok(status(pair, &answer))
}

/// The status of a reply; `None` when it says nothing, which is success.
fn status(pair: &Pair, reply: &Bytes) -> Option<i32> {
    pair.fields("LoadModelsReply", reply).get("status").and_then(Value::as_enum_number)
}

async fn unload(pair: &Pair, name: &str, cleanup: i32) -> Result<Option<i32>, Status> {
    let request = [("name", text(name)), ("cleanup_behavior", Value::EnumNumber(cleanup))];
    let answer = pair.client.call(UNLOAD, &[], pair.message("UnloadModelsRequest", &request)).await?;
    Ok(status(pair, &answer))
}

/// The state of a service, and whether the core is well.
async fn state(pair: &Pair, service: &str) -> Option<String> {
    let answer = pair.client.call("/xos.dynamicload/GetLoadStatus", &[], Bytes::new()).await.unwrap();
    let reply = pair.fields("LoadStatusReply", &answer);
    assert!(!reply.contains_key("model_status"), "{reply:?}");
    let services = reply["services"].as_list().unwrap().to_vec();
    let field = |message: &Value, name: &str| {
        let message = message.as_message().unwrap();
        message.get_field_by_name(name).unwrap().as_str().unwrap().to_owned()
    };
    services.iter().find(|it| field(it, "name") == service).map(|it| field(it, "state"))
}

/// The core goes away, as it would by itself some time after a load, and comes back.
pub(crate) async fn restarted(pair: &mut Pair) {
    pair.core.restart().await.unwrap();
    pair.connect_anew();
}

#[tokio::test]
async fn a_load_is_a_success_long_before_the_models_are_served() {
    let mut pair = unloaded().await;
    let list = |pair: &Pair| {
        let client = pair.client.clone();
        async move { client.call("/xos.xos/ListHelloWorldService", &[], Bytes::new()).await }
    };
    assert_eq!(list(&pair).await.unwrap_err().code(), Code::Unimplemented);
    assert_eq!(load(&pair, "1.0.0", XPROTO, ">=4.0.0").await.unwrap(), None);
    assert_eq!(load(&pair, "1.0.0", XPROTO, ">=4.0.0").await.unwrap(), Some(1), "nothing changed, it says");
    assert_eq!(told(&list(&pair).await.unwrap_err()), "Unimplemented Method not found!");
    assert_eq!(state(&pair, "hello-world").await.as_deref(), Some("load"));
    restarted(&mut pair).await;
    let client = pair.client.clone();
    client.call("/xos.xos/ListHelloWorldService", &[], Bytes::new()).await.unwrap();
    assert_eq!(state(&pair, "hello-world").await.as_deref(), Some("present"));
    assert_eq!(load(&pair, "1.0.0", XPROTO, "").await.unwrap(), Some(1));
    let files = client.call("/xos.dynamicload/GetConvenienceMethods", &[], Bytes::new()).await.unwrap();
    assert_eq!(
        pair.fields("ListConvenienceMethodsReply", &files)["convenience_methods"].as_list().unwrap().len(),
        1
    );
    assert_eq!(load(&pair, "1.0.1", XPROTO, "").await.unwrap(), None, "another version restarts it");
    restarted(&mut pair).await;
}

#[tokio::test]
async fn a_load_for_another_core_or_with_bad_files_is_refused() {
    let pair = unloaded().await;
    let other = load(&pair, "1.0.0", XPROTO, ">=5.0.0").await.unwrap_err();
    assert_eq!(other.code(), Code::InvalidArgument);
    let problem = "Service hello-world is requesting core version >=5.0.0 but actual version is 4.0.4";
    assert_eq!(other.message(), problem);
    let other = load(&pair, "1.0.0", XPROTO, ">=5.0.0~<6.0.0").await.unwrap_err();
    assert!(other.message().contains("between >=5.0.0 and <6.0.0 but actual"));
    assert_eq!(load(&pair, "1.0.0", XPROTO, "4.0").await.unwrap_err().code(), Code::Unknown);
    assert_eq!(state(&pair, "hello-world").await, None);
}

#[tokio::test]
async fn an_error_of_syntax_is_never_answered_and_breaks_the_core() {
    let pair = unloaded().await;
    tokio::select! {
        answer = load(&pair, "1.0.0", "message Broken {", "") => panic!("answered: {answer:?}"),
        () = async {
            while pair.core.count("LoadModels") == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    pair.client.bytes("/xos.utility/NoOp", &[], Bytes::new()).await.unwrap();
    // Whatever restarts it next.
    pair.core.restart().await.unwrap();
    assert!(!pair.core.is_up());
    pair.core.resume().await.unwrap();
    assert!(!pair.core.is_up(), "not while the file is there");
    pair.core.repair();
    pair.core.resume().await.unwrap();
    let client = RawClient::to(&pair.core.uri());
    client.bytes("/xos.utility/NoOp", &[], Bytes::new()).await.unwrap();
}

#[tokio::test]
async fn models_are_unloaded_when_their_objects_are_gone() {
    let mut pair = Pair::of(StandIn::start(patient().with_models(models())).await.unwrap());
    let object = pair.instance().await;
    let service = id(&pair.list("HelloWorldService").await.unwrap()[0]);
    for (model, id) in [("HelloWorldService", service), ("HelloWorldServiceInstance", object)] {
        let flag = [("id", Value::I32(id)), ("backend_need_delete", Value::Bool(true))];
        pair.update(model, &[("caller_kind", "synchronizer")], &flag).await.unwrap();
    }
    let told_by = |outcome: Result<Option<i32>, Status>| told(&outcome.unwrap_err());
    assert_eq!(told_by(unload(&pair, "hello-world", 0).await), "AlreadyExists ERROR_LIVE_MODELS");
    assert_eq!(unload(&pair, "hello-world", 1).await.unwrap(), Some(201), "try again");
    assert_eq!(unload(&pair, "hello-world", 1).await.unwrap(), Some(201));
    assert_eq!(told_by(unload(&pair, "hello-world", 0).await), "AlreadyExists ERROR_DELETION_IN_PROGRESS");
    for (model, id) in [("HelloWorldService", service), ("HelloWorldServiceInstance", object)] {
        let flag = [("id", Value::I32(id)), ("backend_need_reap", Value::Bool(true))];
        let metadata = [("caller_kind", "synchronizer"), ("update_fields", "backend_need_reap")];
        pair.update(model, &metadata, &flag).await.unwrap();
    }
    pair.core.reap().await.unwrap();
    assert_eq!(unload(&pair, "hello-world", 0).await.unwrap(), None);
    assert_eq!(state(&pair, "hello-world").await.as_deref(), Some("unload"));
    restarted(&mut pair).await;
    let gone = pair.client.call("/xos.xos/ListHelloWorldService", &[], Bytes::new()).await.unwrap_err();
    assert_eq!(told(&gone), "Unimplemented Method not found!");
    assert_eq!(unload(&pair, "hello-world", 1).await.unwrap(), Some(1), "nothing changed");
    assert_eq!(load(&pair, "1.0.0", XPROTO, "").await.unwrap(), None, "it can be loaded again");
    restarted(&mut pair).await;
    assert_eq!(state(&pair, "hello-world").await.as_deref(), Some("present"));
}

#[tokio::test]
async fn unloading_what_was_never_loaded_restarts_the_core_and_purging_asks_nobody() {
    let mut pair = Pair::of(StandIn::start(patient().with_models(models())).await.unwrap());
    pair.instance().await;
    assert_eq!(unload(&pair, "never-loaded", 0).await.unwrap(), None);
    restarted(&mut pair).await;
    assert_eq!(state(&pair, "never-loaded").await.as_deref(), Some("unload"));
    assert_eq!(unload(&pair, "hello-world", 2).await.unwrap(), None);
    restarted(&mut pair).await;
    let gone = pair.client.call("/xos.xos/ListHelloWorldService", &[], Bytes::new()).await.unwrap_err();
    assert_eq!(gone.code(), Code::Unimplemented);
}

#[tokio::test]
async fn everybody_loses_the_connection_when_somebody_loads() {
    let pair =
        Pair::of(StandIn::start(Options::fast().knowing(models().map(Clone::clone).into())).await.unwrap());
    pair.core.hang("GetVersion");
    let bystander = RawClient::to(&pair.core.uri());
    let hanging =
        tokio::spawn(async move { bystander.bytes("/xos.utility/GetVersion", &[], Bytes::new()).await });
    while pair.core.count("GetVersion") == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(load(&pair, "1.0.0", XPROTO, "").await.unwrap(), None);
    assert!(hanging.await.unwrap().is_err());
    while pair.core.restarts() == 0 {
        tokio::task::yield_now().await;
    }
    let back = RawClient::to(&pair.core.uri());
    back.call("/xos.xos/ListHelloWorldService", &[], Bytes::new()).await.unwrap();
}
