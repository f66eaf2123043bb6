//! The core behind its socket: who may read the object reads its secrets; what it refuses, it does not quote.

use std::sync::Arc;

use tonic::Code;
use xos_core::EmbeddedCore;
use xos_model_client::grpc::__wire::{put_bytes, put_text};
use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_model_client::{
    Caller, Condition, LoadModels, Model as _, ModelAccessor as _, ModelClient, Onboard, Operator, Page,
    Query, ServiceFiles, Value,
};
use xos_sync::prelude::*;
use xos_sync_tests::ours::{ADMIN, OurServer, PASSWORD};
use xos_sync_tests::raw::basic;
use xos_sync_tests::stand_in::{Options, StandIn};

use crate::lab::{Account, CANARY, account, assert_clean, listen, logged};

/// A `Query` message with one element.
fn filter(name: &str, value: &str) -> bytes::Bytes {
    let (mut out, mut element) = (Vec::new(), Vec::new());
    put_text(&mut element, 3, name);
    put_text(&mut element, 4, value);
    put_bytes(&mut out, 2, &element);
    out.into()
}

#[xos_sync::test]
async fn a_served_core_tells_secrets_in_answers_only() {
    listen();
    let core = EmbeddedCore::in_memory().unwrap();
    let server = OurServer::start(core.clone()).await.unwrap();
    let accessor = Arc::new(CoreClient::new(server.plain()).unwrap());
    let load = LoadModels {
        name: "vault".into(),
        version: "1.0.0".into(),
        models: vec![Account::def().clone()],
        core_version: None,
        files: ServiceFiles::default(),
    };
    accessor.onboard(&Onboard::Load(load)).await.unwrap();
    // It came there as xproto, and both ends know what is secret.
    for schema in [core.schema(), accessor.schema()] {
        assert!(schema.expect_model("Account").unwrap().field("password").unwrap().def.is_secret());
    }
    let client = ModelClient::new(accessor.clone(), Caller::Client);
    let arya = client.create(account("Arya", "")).await.unwrap();
    let read: Account = client.get(arya.id).await.unwrap();
    assert_eq!(read.password, arya.password, "who may read the object may read the value");
    assert!(read.password.expose().contains(CANARY));

    let mut long = account("Sansa", "");
    long.password = Secret::new(CANARY.repeat(9));
    let mut twin = account("Bran", "");
    twin.password = arya.password.clone();
    let mut missing = account("Rickon", "");
    missing.password = Secret::default();
    for (wrong, expected) in [(long, "at most 40 characters"), (twin, "already exists"), (missing, "blank")] {
        let error = client.create(wrong).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_clean("a refusal", &format!("{error} {error:?}"));
    }
    let found = client.objects::<Account>().filter(Account::PASSWORD.eq(arya.password.clone())).one().await;
    assert_eq!(found.unwrap().id, arya.id);
    // A client that knows nothing of secrets asks the server itself.
    let raw = server.raw().unwrap();
    let admin = basic(&format!("{ADMIN}:{PASSWORD}"));
    for (lookup, value) in
        [("password__contains", CANARY), ("password__regex", "^c4n"), ("token__gt", "c4n4r")]
    {
        let message = filter(lookup, value);
        let headers = [("authorization", admin.as_str())];
        let error = raw.bytes("/xos.xos/FilterAccount", &headers, message).await.unwrap_err();
        assert!(error.message().contains("can only be asked for with"), "{error:?}");
        assert_clean("a refusal", error.message());
    }
    let condition = Condition {
        field: "password".into(),
        operator: Operator::Contains,
        value: Value::from(CANARY),
        invert: false,
    };
    let query = Query::live(Account::shape().clone()).with(condition);
    let error = accessor.find(&query, Page::default()).await.unwrap_err();
    assert_clean("a refusal of the client", &format!("{error} {error:?}"));
    let lines = logged();
    assert!(lines.contains("answered"), "the server logs its answers");
    assert_clean("the log of the server", &lines);
}

/// A real core's database quotes what it refuses.
#[xos_sync::test]
async fn what_a_real_core_quotes_is_taken_out() {
    listen();
    let core = StandIn::start(Options::fast().with_models([Account::def()])).await.unwrap();
    let mut options = CoreOptions::new(core.uri());
    options.credentials = Some(Credentials::new(ADMIN, Password::literal(PASSWORD)));
    let accessor = CoreClient::new(options).unwrap();
    accessor.ready().await.unwrap();
    let client = ModelClient::new(Arc::new(accessor), Caller::Client);
    let arya = account("Arya", "");
    let stored = client.create(arya.clone()).await.unwrap();
    assert_eq!(stored.password, arya.password, "a real core keeps it as any text");
    let quoted = format!(
        "Exception calling application: duplicate key value violates unique constraint \"x\"\nDETAIL:  Key \
         (password)=({}) already exists.\n",
        arya.password.expose()
    );
    core.fail_once("CreateAccount", Code::Unknown, &quoted);
    let error = client.create(account("Arya", "")).await.unwrap_err();
    assert!(error.to_string().contains("(password)=(***)"), "{error}");
    assert_clean("a refused creation", &format!("{error:?}"));
    core.fail_once("UpdateAccount", Code::Unknown, &quoted.replace("of Arya", "of Bran"));
    let mut changed = stored.clone();
    changed.password = account("Bran", "").password;
    let error = client.save(&mut changed).await.unwrap_err();
    assert!(error.to_string().contains("(password)=(***)"), "{error}");
    core.fail_once("FilterAccount", Code::Unknown, &quoted);
    let by_value = client.objects::<Account>().filter(Account::PASSWORD.eq(arya.password.clone()));
    assert_clean("a refused query", &format!("{:?}", by_value.all().await.unwrap_err()));
    assert_clean("the log", &logged());
}
