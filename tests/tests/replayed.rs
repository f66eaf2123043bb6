//! A client against the recorded bytes of a real core: what it reads, what it makes of errors, and what happens when
//! that core restarts, hangs, answers late or hangs up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_model_client::models::{Flavor, Site};
use xos_model_client::{
    Caller, Cleanup, Deleted, Error, Guard, LoadModels, ModelAccessor as _, ModelClient, Onboard, Onboarded,
    Op, Page, Query, QueryKind, Record, ServiceFiles, Target, Touch, Value, Write,
};
use xos_sync::model_client::{ErrorKind, Model, ObjectId};
use xos_sync::prelude::*;
use xos_sync_tests::hello::{HelloWorldService, HelloWorldServiceInstance, greeting_named, service_named};
use xos_sync_tests::replay::Replay;
use xos_sync_tests::{skipped, workspace};

const GREETING: &str = "HelloWorldServiceInstance";

/// A recording that answers, and a client of it. `None`, said loudly, when it is not there.
async fn replayed(name: &str) -> Option<(Replay, CoreClient)> {
    let replay = Replay::of_recording(name).unwrap()?;
    let core = connect(&replay, Duration::from_millis(500)).await;
    Some((replay, core))
}

async fn connect(replay: &Replay, deadline: Duration) -> CoreClient {
    let mut options = CoreOptions::new(replay.uri());
    options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal("letmein")));
    (options.call_deadline, options.list_deadline) = (deadline, deadline);
    let core = CoreClient::new(options).unwrap();
    core.ready().await.unwrap();
    core
}

fn as_client(core: &CoreClient) -> ModelClient {
    ModelClient::new(Arc::new(core.clone()), Caller::Client)
}

/// The lines of a recording for one method.
fn lines_of(name: &str, method: &str) -> Vec<Json> {
    let lines = std::fs::read_to_string(workspace().join("../shared/wire").join(name)).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    lines.filter(|line| line["method"].as_str().unwrap().ends_with(&format!("/{method}"))).collect()
}

fn bytes(line: &Json, key: &str) -> Vec<u8> {
    STANDARD.decode(line[key].as_str().unwrap_or_default()).unwrap()
}

/// How many messages there are in the first field of a list's answer, counted by hand.
fn items(mut answer: &[u8]) -> usize {
    let mut count = 0;
    while let [0x0a, rest @ ..] = answer {
        let end = rest.iter().position(|byte| byte & 0x80 == 0).unwrap();
        let length = rest[..=end].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        answer = &rest[end + 1 + length..];
        count += 1;
    }
    assert!(answer.is_empty(), "the answer is a list and nothing else");
    count
}

/// The field and the message of each fault.
fn faults(error: &Error) -> Vec<(String, String)> {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => {
            let mut faults: Vec<_> = faults
                .iter()
                .map(|fault| (fault.field.clone().unwrap_or_default(), fault.message.clone()))
                .collect();
            faults.sort();
            faults
        }
        _ => panic!("{error}"),
    }
}

fn fault(field: &str, message: &str) -> (String, String) {
    (field.to_owned(), message.to_owned())
}

/// Does this until it succeeds; says how long that took.
async fn recovers<T>(what: &str, mut try_it: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let since = Instant::now();
    loop {
        match try_it().await {
            Ok(answer) => {
                println!("{what}: recovered in {} ms", since.elapsed().as_millis());
                return answer;
            }
            Err(error) => assert!(error.is_interruption(), "{error}"),
        }
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: does not recover");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_schema_of_a_real_core_fits() {
    let Some((_replay, core)) = replayed("calls.jsonl").await else { return };
    let schema = core.schema();
    let names: Vec<&str> = schema.models().iter().map(|model| model.name().as_ref()).collect();
    assert!(names.len() > 30, "{} models", names.len());
    for (name, field) in [(GREETING, "hello_to"), ("HelloWorldService", "hello_from"), ("Site", "login_base")]
    {
        let model = schema.model(name).unwrap();
        assert!(model.field(field).is_some(), "{name}.{field}");
    }
    assert!(schema.model("NoSuchModel").is_none());
}

#[tokio::test]
async fn lists_and_objects_are_read() {
    let Some((replay, core)) = replayed("calls.jsonl").await else { return };
    let client = as_client(&core);
    let one: HelloWorldServiceInstance = client.get(ObjectId::new(22)).await.unwrap();
    assert_eq!((one.name.as_deref(), one.hello_to.as_str()), (Some("i1"), "Daenerys"));
    assert_eq!((one.owner.id(), one.leaf_model_name.as_str()), (ObjectId::new(6), GREETING));
    let svc: HelloWorldService = client.get(ObjectId::new(5)).await.unwrap();
    assert_eq!((svc.name.as_str(), svc.hello_from.as_str()), ("svc1", "Jhon Snow"));
    let base: Service = client.get(ObjectId::new(5)).await.unwrap();
    assert_eq!(base.name, "svc1");
    let error = client.get::<HelloWorldServiceInstance>(ObjectId::new(99_999)).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");

    // The lists, as often as they were recorded.
    for line in lines_of("calls.jsonl", &format!("List{GREETING}")) {
        let read = client.objects::<HelloWorldServiceInstance>().all().await;
        if line["code"] == "OK" {
            let read = read.unwrap();
            assert_eq!(read.len(), items(&bytes(&line, "response_b64")), "{}", line["name"]);
            assert!(read.iter().all(|one| one.leaf_model_name == GREETING && one.owner.id().is_set()));
        } else {
            let error = read.unwrap_err();
            assert!(!error.is_interruption(), "{error}");
            assert!(error.to_string().contains("one by one"), "{error}");
        }
    }
    let error = client.get::<HelloWorldServiceInstance>(ObjectId::new(31)).await.unwrap_err();
    assert!(error.to_string().contains("has the character u'\\xf3'"), "{error}");
    assert_eq!(replay.count("GetHelloWorldServiceInstance"), 3);
}

#[tokio::test]
async fn filters_are_asked_byte_for_byte_as_they_were_recorded() {
    let Some((replay, core)) = replayed("calls.jsonl").await else { return };
    let client = as_client(&core);
    let objects = || client.objects::<HelloWorldServiceInstance>();
    let name = || HelloWorldServiceInstance::NAME;
    let by_name = [
        ("filter.name.EQUAL.sValue", name().eq("i2")),
        ("filter.name.GREATER_THAN.sValue", name().gt("i2")),
        ("filter.name.LESS_THAN.sValue", name().lt("i2")),
        ("filter.name.GREATER_THAN_OR_EQUAL.sValue", name().ge("i2")),
        ("filter.name.LESS_THAN_OR_EQUAL.sValue", name().le("i2")),
        ("filter.name.IEXACT.sValue", name().iexact("i2")),
        ("filter.name.CONTAINS.sValue", name().contains("i2")),
        ("filter.name.ICONTAINS.sValue", name().icontains("i2")),
        ("filter.name.REGEX.sValue", name().regex("i2")),
        ("filter.name.IREGEX.sValue", name().iregex("i2")),
        ("filter.name.EQUAL.invert", name().eq("i2").not()),
        ("filter.bad_regex", name().regex("(")),
    ];
    let lines = lines_of("calls.jsonl", &format!("Filter{GREETING}"));
    let line =
        |name: &str| lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("{name}"));
    for (recorded, condition) in by_name {
        let line = line(recorded);
        let read = objects().filter(condition).all().await;
        assert_eq!(&replay.calls().last().unwrap().request[..], bytes(line, "request_b64"), "{recorded}");
        match (line["code"].as_str(), read) {
            (Some("OK"), Ok(read)) => {
                assert_eq!(read.len(), items(&bytes(line, "response_b64")), "{recorded}");
            }
            (Some("UNKNOWN"), Err(error)) => {
                assert!(matches!(error.kind(), ErrorKind::Query { .. }), "{recorded}: {error}");
            }
            (said, read) => panic!("{recorded}: {said:?}, {read:?}"),
        }
    }
    for (recorded, kind) in
        [("filter.DIRTY", QueryKind::DirtyObjects), ("filter.DELETED", QueryKind::DeletedObjects)]
    {
        let line = line(recorded);
        let query = Query::live(HelloWorldServiceInstance::shape().clone()).of_kind(kind);
        let found = core.find(&query, Page::default()).await.unwrap();
        assert_eq!(&replay.calls().last().unwrap().request[..], bytes(line, "request_b64"), "{recorded}");
        assert_eq!(found.records.len(), items(&bytes(line, "response_b64")), "{recorded}");
    }
}

#[tokio::test]
async fn what_is_refused_lands_in_its_class() {
    let Some((_replay, core)) = replayed("calls.jsonl").await else { return };
    let client = as_client(&core);
    let made = client.create(service_named("svc1", "Jhon Snow")).await.unwrap();
    assert_eq!((made.id, made.backend_code), (ObjectId::new(5), 0));
    let twice = client.create(service_named("svc1", "dup")).await.unwrap_err();
    assert_eq!(faults(&twice), [fault("name", "Service_decl with this Name already exists.")]);
    let blank = client.create(greeting_named("noreq", "")).await.unwrap_err();
    assert_eq!(faults(&blank), [fault("hello_to", "This field cannot be blank.")]);
    let long = client.create(greeting_named(&"x".repeat(201), "x")).await.unwrap_err();
    let at_most = "Ensure this value has at most 200 characters (it has 201).";
    assert_eq!(faults(&long), [fault("name", at_most)]);
    let empty = client.create(Flavor::default()).await.unwrap_err();
    let blank = "This field cannot be blank.";
    assert_eq!(faults(&empty), [fault("flavor", blank), fault("name", blank)]);

    let mut one: HelloWorldServiceInstance = client.get(ObjectId::new(22)).await.unwrap();
    one.hello_to = "Rhaegar".into();
    client.save(&mut one).await.unwrap();
    assert_eq!(one.hello_to, "Rhaegar");
    one.backend_code = 2;
    let denied = client.save(&mut one).await.unwrap_err();
    assert!(matches!(denied.kind(), ErrorKind::Denied { .. }), "{denied}");

    let shape = HelloWorldServiceInstance::shape();
    let name = shape.position("name").unwrap() as u16;
    let write = Write {
        shape: shape.clone(),
        target: Target::Object(ObjectId::new(99_999)),
        op: Op::Set { fields: vec![(name, Value::Text("x".into()))], touch: Touch::AsTheRulesSay },
        by: Caller::Client,
        guard: Guard::None,
    };
    let missing = core.write(vec![write]).await.remove(0).unwrap_err();
    assert!(missing.is_not_found(), "{missing}");

    // The first answer is the list, then come all refusals of credentials.
    let sites: Vec<Site> = client.objects().all().await.unwrap();
    assert_eq!(sites.len(), 1);
    assert_eq!(sites[0].login_base, "mysite");
    let refused = client.objects::<Site>().all().await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Unauthenticated { .. }), "{refused}");
    assert!(refused.to_string().contains("admin@opencord.org") && !refused.to_string().contains("letmein"));
}

#[tokio::test]
async fn a_deletion_is_looked_at() {
    let Some((replay, core)) = replayed("calls.jsonl").await else { return };
    let client = as_client(&core);
    let mut one = greeting_named("i3", "Jon");
    one.id = ObjectId::new(24);
    assert_eq!(client.delete(&one).await.unwrap(), Deleted::Yes);
    // Deleted already, then reaped.
    let again = client.delete(&one).await;
    assert!(!matches!(again, Ok(Deleted::Yes)), "{again:?}");
    assert_eq!(replay.count("DeleteHelloWorldServiceInstance"), 2);
}

/// How a load of the program's own models ends.
async fn load(core: &CoreClient, core_version: Option<&str>) -> Result<Onboarded, Error> {
    let load = LoadModels {
        name: "hello-world".into(),
        version: "1.0.0".into(),
        models: vec![HelloWorldService::def().clone(), HelloWorldServiceInstance::def().clone()],
        core_version: core_version.map(str::to_owned),
        files: ServiceFiles::default(),
    };
    core.onboard(&Onboard::Load(load)).await
}

#[tokio::test]
async fn loads_end_as_the_core_said() {
    let Some((_replay, core)) = replayed("calls.jsonl").await else { return };
    for line in lines_of("calls.jsonl", "LoadModels") {
        let name = line["name"].as_str().unwrap();
        let outcome = load(&core, None).await;
        match line["code"].as_str().unwrap() {
            "OK" => assert!(matches!(outcome, Ok(Onboarded::NothingChanged)), "{name}: {outcome:?}"),
            "UNAUTHENTICATED" => {
                let error = outcome.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Unauthenticated { .. }), "{name}: {error}");
            }
            _ => {
                let error = outcome.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Onboarding { .. }), "{name}: {error}");
                let words =
                    line["details"].as_str().unwrap().trim_start_matches("Exception calling application: ");
                assert!(error.to_string().contains(words), "{name}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn unloads_end_as_the_core_said() {
    let Some((_replay, core)) = replayed("load-calls.jsonl").await else { return };
    let client = as_client(&core);
    let unload = |cleanup| {
        let what = Onboard::Unload { name: "hello-world".into(), cleanup };
        let core = core.clone();
        async move { core.onboard(&what).await }
    };
    let live = unload(Cleanup::RequireClean).await.unwrap_err();
    assert!(live.to_string().contains("live objects"), "{live}");
    assert!(matches!(unload(Cleanup::AutomaticallyClean).await, Ok(Onboarded::TryAgain { .. })));
    let deleting = unload(Cleanup::RequireClean).await.unwrap_err();
    assert!(deleting.to_string().contains("being deleted"), "{deleting}");
    assert!(matches!(unload(Cleanup::AutomaticallyClean).await, Ok(Onboarded::TryAgain { .. })));

    // While the models are away, and when they are back.
    for line in lines_of("load-calls.jsonl", "ListHelloWorldService") {
        let read = client.objects::<HelloWorldService>().all().await;
        if line["code"] == "OK" {
            assert_eq!(read.unwrap().len(), items(&bytes(&line, "response_b64")), "{}", line["name"]);
        } else {
            let error = read.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NoSuchModel { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn a_real_core_that_restarts_is_found_again() {
    // Its `NoOp` answers are those of a core that goes away and comes back: UNAVAILABLE, until it is there.
    let Some((replay, core)) = replayed("load-calls.jsonl").await else { return };
    let client = as_client(&core);
    assert_eq!(client.objects::<HelloWorldService>().all().await.unwrap().len(), 1);
    let before = replay.count("NoOp");
    for round in 0..3 {
        replay.kill().await;
        let gone = client.objects::<HelloWorldService>().all().await.unwrap_err();
        assert!(gone.is_interruption(), "{gone}");
        replay.resume().unwrap();
        recovers(&format!("restart {round}"), async || client.objects::<Service>().all().await).await;
    }
    let unavailable =
        lines_of("load-calls.jsonl", "NoOp").into_iter().skip(1).take(14).filter(|line| line["code"] != "OK");
    assert_eq!(unavailable.count(), 12, "of the first two restarts that were recorded");
    let asked = replay.count("NoOp") - before;
    assert!(asked >= 12, "it was asked {asked} times whether it is there");
}

/// All that the Python synchronizer read in one session.
async fn reads_the_session(core: &CoreClient) -> Vec<Vec<Record>> {
    let mut all = Vec::new();
    for _ in 0..35 {
        for shape in [HelloWorldServiceInstance::shape(), HelloWorldService::shape()] {
            for kind in [QueryKind::DirtyObjects, QueryKind::DeletedObjects] {
                let query = Query::live(shape.clone()).of_kind(kind);
                all.push(core.find(&query, Page::default()).await.unwrap().records);
            }
        }
    }
    all
}

#[tokio::test]
async fn a_session_is_read_as_it_was_recorded() {
    let Some((_replay, core)) = replayed("synchronizer-session.jsonl").await else { return };
    let read = reads_the_session(&core).await;
    let mut expected = 0;
    for model in [GREETING, "HelloWorldService"] {
        for line in lines_of("synchronizer-session.jsonl", &format!("Filter{model}")) {
            expected += items(&bytes(&line, "response_b64"));
        }
    }
    let found: usize = read.iter().map(Vec::len).sum();
    assert!(found > 0);
    assert_eq!(found, expected);
    for record in read.iter().flatten() {
        assert!(record.id().is_set());
        assert!(record.get("backend_status").is_some_and(|status| status.as_text().is_some()));
    }
}

#[tokio::test]
async fn hanging_late_and_cut_answers_are_survived() {
    let Some((replay, core)) = replayed("synchronizer-session.jsonl").await else { return };
    let query = Query::live(HelloWorldServiceInstance::shape().clone()).of_kind(QueryKind::DirtyObjects);
    let read = async || core.find(&query, Page::default()).await;
    let method = "FilterHelloWorldServiceInstance";
    read().await.unwrap();

    replay.hang(method);
    let error = read().await.unwrap_err();
    assert!(error.is_interruption(), "{error}");
    replay.heal(method);
    recovers("hung", read).await;

    replay.answer_late(method, Duration::from_secs(3));
    let error = read().await.unwrap_err();
    assert!(error.is_interruption(), "{error}");
    replay.heal(method);
    recovers("late", read).await;

    // A read is made again by itself.
    replay.cut_after(method);
    let before = replay.count(method);
    recovers("cut", read).await;
    assert!(replay.count(method) >= before + 2);

    replay.kill().await;
    assert!(read().await.unwrap_err().is_interruption());
    replay.resume().unwrap();
    recovers("restarted", read).await;
    // The service of the session is read like every object, late or not.
    let jon: HelloWorldService = as_client(&core).get(ObjectId::new(2)).await.unwrap();
    assert!(!jon.hello_from.is_empty());
}

#[tokio::test]
async fn a_creation_that_was_cut_is_not_made_again() {
    let Some((replay, core)) = replayed("calls.jsonl").await else { return };
    let client = as_client(&core);
    for make in ["cut", "late"] {
        match make {
            "cut" => replay.cut_after("CreateHelloWorldServiceInstance"),
            _ => replay.answer_late("CreateHelloWorldServiceInstance", Duration::from_secs(2)),
        }
        let before = replay.count("CreateHelloWorldServiceInstance");
        let error = client.create(greeting_named("i1", "Daenerys")).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::OutcomeUnknown { .. }), "{make}: {error}");
        assert_eq!(replay.count("CreateHelloWorldServiceInstance"), before + 1, "{make}");
        replay.heal("CreateHelloWorldServiceInstance");
        recovers(make, async || client.objects::<HelloWorldService>().all().await).await;
    }
}

#[test]
fn what_is_not_there_to_be_replayed_is_said() {
    if !workspace().join("../shared/wire/calls.jsonl").is_file() {
        skipped("the client was not tested against the recordings of ../shared/wire");
    }
}
