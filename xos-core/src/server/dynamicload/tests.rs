#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use tonic::Code;
use xos_model_client::{
    LoadModels, ModelAccessor as _, ModelDef, Onboard, ServiceFile, ServiceFiles, Value, xproto,
};

use super::messages::{
    File, ListConvenienceMethodsReply, LoadModelsReply, LoadModelsRequest, LoadStatusReply, Status,
    UnloadModelsRequest,
};
use crate::server::World;
use crate::server::testing::{HELLO, call, create, over, raw, set, stranger, world};
use crate::{EmbeddedCore, Options};

fn file(name: &str, contents: &str) -> File {
    File::of(ServiceFile { name: name.to_owned(), contents: contents.to_owned() })
}

fn hello() -> LoadModelsRequest {
    LoadModelsRequest {
        name: "hello-world".to_owned(),
        version: "1.0.0".to_owned(),
        xprotos: vec![file("hello-world.xproto", HELLO)],
        core_version: ">=4.0.0".to_owned(),
        ..Default::default()
    }
}

async fn load(world: &World, request: &LoadModelsRequest) -> Result<Status, tonic::Status> {
    let reply: LoadModelsReply = call(world, "/xos.dynamicload/LoadModels", request).await?;
    Ok(Status::try_from(reply.status).unwrap())
}

async fn unload(world: &World, name: &str, cleanup: i32) -> Result<Status, tonic::Status> {
    let request =
        UnloadModelsRequest { name: name.to_owned(), cleanup_behavior: cleanup, ..Default::default() };
    let reply: LoadModelsReply = call(world, "/xos.dynamicload/UnloadModels", &request).await?;
    Ok(Status::try_from(reply.status).unwrap())
}

async fn load_status(world: &World) -> LoadStatusReply {
    call(world, "/xos.dynamicload/GetLoadStatus", &()).await.unwrap()
}

async fn states(world: &World) -> Vec<String> {
    let told = load_status(world).await.services.into_iter();
    told.map(|service| format!("{} {} {}", service.name, service.version, service.state)).collect()
}

async fn xproto_of(world: &World) -> String {
    world.files.xproto().await.unwrap()
}

/// The code and text of a load that is refused; nothing of it is kept.
async fn refused(world: &World, request: &LoadModelsRequest) -> (Code, String) {
    let before = (states(world).await, world.core.catalog().generation);
    let status = load(world, request).await.unwrap_err();
    assert_eq!((states(world).await, world.core.catalog().generation), before);
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn models_are_served_when_the_answer_is_there_and_the_same_again_changes_nothing() {
    let world = world();
    assert_eq!(load(&world, &hello()).await.unwrap(), Status::Success);
    let schema = world.core.schema();
    assert_eq!(schema.model("HelloWorldService").unwrap().field("hello_from").unwrap().wire_number, 201);
    assert_eq!(load(&world, &hello()).await.unwrap(), Status::NothingChanged);
    assert_eq!(states(&world).await, ["hello-world 1.0.0 present", "core 4.0.4 present"]);
    assert_eq!(load_status(&world).await.model_status, 0);
    let newer = LoadModelsRequest { version: "1.0.1".to_owned(), ..hello() };
    assert_eq!(load(&world, &newer).await.unwrap(), Status::Success);
    assert_eq!(load(&world, &newer).await.unwrap(), Status::NothingChanged);
    assert_eq!(states(&world).await[0], "hello-world 1.0.1 present");
}

#[tokio::test]
async fn other_files_than_xproto_and_declarations_are_kept_without_being_told_as_a_change() {
    let world = world();
    load(&world, &hello()).await.unwrap();
    let with = LoadModelsRequest { convenience_methods: vec![file("a.py", "class :")], ..hello() };
    assert_eq!(load(&world, &with).await.unwrap(), Status::NothingChanged);
    let kept: ListConvenienceMethodsReply =
        call(&world, "/xos.dynamicload/GetConvenienceMethods", &()).await.unwrap();
    assert_eq!(kept.convenience_methods, [file("a.py", "class :")]);
    // Declarations count, as in the core.
    let with = LoadModelsRequest { decls: vec![file("models.py", "import this")], ..with };
    assert_eq!(load(&world, &with).await.unwrap(), Status::Success);
    assert_eq!(load(&world, &with).await.unwrap(), Status::NothingChanged);
    assert!(
        load_status(&world).await.model_output.contains("models.py is kept and served back; it does not run")
    );
}

#[tokio::test]
async fn models_and_files_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let with = LoadModelsRequest { migrations: vec![file("0001.py", "pass")], ..hello() };
    let first = over(EmbeddedCore::open(&path, Options::default()).unwrap());
    load(&first, &with).await.unwrap();
    let text = xproto_of(&first).await;
    first.core.close();
    let second = over(EmbeddedCore::open(&path, Options::default()).unwrap());
    assert_eq!(xproto_of(&second).await, text);
    assert_eq!(second.files.services().await.unwrap()[0].files.migrations[0].contents, "pass");
    assert_eq!(load(&second, &with).await.unwrap(), Status::NothingChanged);
    assert_eq!(unload(&second, "hello-world", 0).await.unwrap(), Status::Success);
    second.core.close();
    let third = over(EmbeddedCore::open(&path, Options::default()).unwrap());
    assert_eq!(states(&third).await, ["hello-world 1.0.0 unload", "core 4.0.4 present"]);
    assert_eq!(third.files.services().await.unwrap()[0].files, ServiceFiles::default());
    assert_eq!(load(&third, &with).await.unwrap(), Status::Success);
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once_with_its_place_and_nothing_is_kept() {
    let world = world();
    let with = |text: &str| LoadModelsRequest { xprotos: vec![file("bad.xproto", text)], ..hello() };
    let (code, text) =
        refused(&world, &with("option name = \"bad\";\nmessage Foo (XOSBase) { this is not valid\n")).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("bad.xproto:2:25: expected"), "{text}");
    let (code, text) = refused(&world, &with("option app_label = \"a\";\nmessage Foo (XOSBse) {}\n")).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.contains("bad.xproto:2:9") && text.contains("did you mean `XOSBase`"), "{text}");
    let (code, text) = refused(&world, &LoadModelsRequest { name: "core".to_owned(), ..hello() }).await;
    assert_eq!(code, Code::InvalidArgument, "{text}");
    let many = "message A (XOSBase) { required strin a = 1; }\n".repeat(500);
    let (_, text) = refused(&world, &with(&many)).await;
    assert!(text.len() < 2100, "{} bytes", text.len());
    for bad in ["../evil.xproto", "a b", "a/b", "\u{e9}"] {
        let request = LoadModelsRequest { attics: vec![file(bad, "")], ..hello() };
        let expected = format!("Exception calling application: illegal character in filename {bad}");
        assert_eq!(refused(&world, &request).await, (Code::Unknown, expected));
    }
    let request = LoadModelsRequest { core_version: ">=5.0.0".to_owned(), ..hello() };
    let expected = "Service hello-world is requesting core version >=5.0.0 but actual version is 4.0.4";
    assert_eq!(refused(&world, &request).await, (Code::InvalidArgument, expected.to_owned()));
    let request = raw(&world, "/xos.dynamicload/LoadModels", vec![0xff; 9], crate::server::call::Peer::Local);
    assert_eq!(request.await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_model_that_does_not_fit_the_data_is_refused_and_the_old_one_served() {
    let world = world();
    load(&world, &hello()).await.unwrap();
    create(&world, "HelloWorldService", &[("name", "one".into()), ("hello_from", "Jon".into())]).await;
    let text = HELLO.replace("hello_from = 1 [", "hello_from = 1 [max_length = 2, ");
    let request = LoadModelsRequest { xprotos: vec![file("hello-world.xproto", &text)], ..hello() };
    let (code, text) = refused(&world, &request).await;
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.contains("hello_from"), "{text}");
    assert!(xproto_of(&world).await.contains(HELLO));
}

#[tokio::test]
async fn python_of_a_model_is_told_of() {
    let world = world();
    let text =
        HELLO.replace("option owner_class_name", "option custom_python = True;\n option owner_class_name");
    load(&world, &LoadModelsRequest { xprotos: vec![file("h.xproto", &text)], ..hello() }).await.unwrap();
    let output = load_status(&world).await.model_output;
    let line = "[WARNING] hello-world: HelloWorldServiceInstance has Python code of its own, which is kept and does not run";
    assert!(output.lines().any(|it| it == line), "{output}");
}

#[tokio::test]
async fn unloading_ends_as_the_core_ends_it() {
    let world = world();
    assert_eq!(unload(&world, "hello-world", 0).await.unwrap(), Status::NothingChanged);
    assert_eq!(states(&world).await, ["core 4.0.4 present"]);
    load(&world, &hello()).await.unwrap();
    let id =
        create(&world, "HelloWorldService", &[("name", "one".into()), ("hello_from", "Jon".into())]).await;
    set(&world, "HelloWorldService", id, &[("backend_need_delete", Value::Bool(true))]).await;
    let status = unload(&world, "hello-world", 0).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::AlreadyExists, "ERROR_LIVE_MODELS"));
    assert_eq!(unload(&world, "hello-world", 1).await.unwrap(), Status::TryAgain);
    assert_eq!(unload(&world, "hello-world", 1).await.unwrap(), Status::TryAgain);
    let status = unload(&world, "hello-world", 0).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::AlreadyExists, "ERROR_DELETION_IN_PROGRESS"));
    set(&world, "HelloWorldService", id, &[("backend_need_reap", Value::Bool(true))]).await;
    assert_eq!(unload(&world, "hello-world", 0).await.unwrap(), Status::Success);
    assert!(world.core.schema().model("HelloWorldService").is_none());
    assert_eq!(unload(&world, "hello-world", 1).await.unwrap(), Status::NothingChanged);
    assert_eq!(states(&world).await, ["hello-world 1.0.0 unload", "core 4.0.4 present"]);
    assert!(!xproto_of(&world).await.contains("HelloWorld"));
    load(&world, &hello()).await.unwrap();
    create(&world, "HelloWorldService", &[("name", "two".into()), ("hello_from", "Jon".into())]).await;
    assert_eq!(unload(&world, "hello-world", 2).await.unwrap(), Status::Success);
    let status = unload(&world, "hello-world", 7).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn models_that_others_are_built_on_stay() {
    let world = world();
    load(&world, &hello()).await.unwrap();
    let text = "option app_label = \"more\"; message More (HelloWorldService) { option plural = \"Mores\"; }";
    let more = LoadModelsRequest {
        name: "more".to_owned(),
        xprotos: vec![file("more.xproto", text)],
        ..Default::default()
    };
    load(&world, &more).await.unwrap();
    let status = unload(&world, "hello-world", 0).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("More of other services are built on them"), "{status:?}");
}

#[tokio::test]
async fn models_of_this_process_are_told_too() {
    let world = world();
    let document = xproto::parse("h.xproto", HELLO).unwrap();
    let models: Vec<ModelDef> = document.models().unwrap();
    let load_here = |files| {
        Onboard::Load(LoadModels {
            name: "hello-world".to_owned(),
            version: "2".to_owned(),
            models: models.clone(),
            core_version: None,
            files,
        })
    };
    world.core.onboard(&load_here(ServiceFiles::default())).await.unwrap();
    assert_eq!(states(&world).await, ["hello-world 2 present", "core 4.0.4 present"]);
    let all = xproto_of(&world).await;
    let written = xproto::parse("all.xproto", &all).unwrap();
    assert!(written.message("HelloWorldService").is_some() && written.message("ServiceInstance").is_some());
    // With files, these are what is told.
    let text = format!("// as it came\n{HELLO}");
    let xprotos = vec![ServiceFile { name: "h.xproto".to_owned(), contents: text.clone() }];
    world.core.onboard(&load_here(ServiceFiles { xprotos, ..Default::default() })).await.unwrap();
    assert!(xproto_of(&world).await.ends_with(&text));
    assert_eq!(world.files.documents().await.unwrap()[0].1.messages().count(), 2);
    // Loaded without files again, the old ones say nothing of it any more.
    world.core.onboard(&load_here(ServiceFiles::default())).await.unwrap();
    assert!(!xproto_of(&world).await.contains("// as it came"));
}

#[tokio::test]
async fn a_stranger_gets_nothing_but_an_error() {
    let world = world();
    for method in ["LoadModels", "UnloadModels", "GetLoadStatus", "GetConvenienceMethods"] {
        let status = stranger(&world, &format!("/xos.dynamicload/{method}")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{method}");
    }
    let status = stranger(&world, "/xos.dynamicload/Reload").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "Method not found!"));
}
