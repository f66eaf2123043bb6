//! A synchronizer on an embedded core: what it stores, what it tests with, and what it shows.

use xos_sync::model_client::{Caller, Condition, ModelClient, Operator, Page, Query, Value, changed_fields};
use xos_sync::prelude::*;
use xos_sync::testing::{Call, Fault, Rule};
use xos_sync::{object_table, run_on};

use crate::lab::{Account, CANARY, Login, PLAYS, account, assert_clean, listen, logged};

async fn run(core: &MockAccessor) {
    let mut config = Config::in_memory();
    config.once = true;
    let ended = run_on(core.accessor(), config, service(), std::future::pending()).await;
    let error = ended.expect_err("most accounts fail");
    assert_clean("the error of the run", &format!("{error} {error:?}"));
}

fn service() -> Synchronizer {
    Synchronizer::new("vault").version("1.0.0").sync_step(Login)
}

#[xos_sync::test]
async fn a_run_shows_no_secret() {
    listen();
    let core = MockAccessor::new();
    for play in PLAYS {
        core.create(account(play, play)).await.unwrap();
    }
    run(&core).await;
    let accounts = core.objects::<Account>().all().await.unwrap();
    assert_eq!(accounts.len(), PLAYS.len());
    for account in &accounts {
        let (play, status) = (account.name.as_str(), account.backend_status.as_str());
        assert!(account.password.expose().contains(CANARY), "{play}: the value is in the record");
        assert_clean(play, &format!("{status} {:?} {account:?} {account}", account.backend_register));
        let expected = match play {
            "succeeds" => "OK",
            "fails" => "the machine does not take ***",
            "defers" => "*** later",
            "is innocuous" => "*** is known",
            "wraps" => "cannot log in as ***: \"***\" is wrong",
            "changes" => "*** became ***",
            "breaks rules" => "has at most 40 characters",
            "collides" => "has this value already",
            "panics" => "*** is no reason to panic",
            other => panic!("no such play: {other}"),
        };
        assert!(status.contains(expected), "{play}: {status}");
    }
    core.delete(&accounts[0]).await.unwrap();
    run(&core).await;
    let deleted = core.get::<Account>(accounts[0].id).await.unwrap();
    assert!(deleted.backend_status.contains("*** still logs in"), "{}", deleted.backend_status);
    let table = object_table(core.accessor().as_ref(), &service()).await.unwrap();
    assert!(table.contains("does not take ***"), "{table}");
    assert_clean("the table", &table);
    let journal = format!("{:?} {:?}", core.journal(), core.journal().entries());
    assert!(journal.contains("password=(secret)"), "{journal}");
    assert_clean("the journal", &journal);
    let log = logged();
    assert!(log.contains("does not take ***") && log.contains("Secret(set)"), "the log has what was said");
    assert_clean("the log", &log);
}

#[xos_sync::test]
async fn objects_and_their_differences_show_no_secret() {
    let core = MockAccessor::new();
    let mut arya = core.create(account("Arya", "")).await.unwrap();
    assert!(changed_fields(&arya).is_empty(), "a secret comes back as it was sent");
    arya.password = Secret::new(format!("{CANARY} 2"));
    let changed = changed_fields(&arya);
    assert_eq!(changed.len(), 1);
    assert_clean("the difference", &format!("{changed:?} {} {}", changed[0].old, changed[0].new));
    assert_clean("values", &format!("{:?}", arya.values()));
    core.save(&mut arya).await.unwrap();
    let stored: Account = core.get(arya.id).await.unwrap();
    assert_eq!(stored.password.expose(), format!("{CANARY} 2"));
    // Nothing changed: nothing is written.
    core.journal().clear();
    core.save(&mut arya).await.unwrap();
    assert!(core.journal().writes().is_empty());
}

#[xos_sync::test]
async fn an_injected_fault_shows_no_secret() {
    let core = MockAccessor::new();
    core.load::<Account>().await.unwrap();
    core.inject(Rule::next(Fault::Refused("no".into())).call(Call::Create));
    let error = core.create(account("Arya", "")).await.unwrap_err();
    assert_clean("the error", &format!("{error} {error:?} {:?}", core.journal()));
}

#[xos_sync::test]
async fn a_secret_is_found_by_its_value_only() {
    let core = MockAccessor::new();
    let arya = core.create(account("Arya", "")).await.unwrap();
    let by_value = || core.objects::<Account>().filter(Account::PASSWORD.eq(arya.password.clone()));
    assert_clean("the query", &format!("{:?}", by_value()));
    assert_eq!(by_value().one().await.unwrap().id, arya.id);
    assert!(!core.objects::<Account>().filter(Account::PASSWORD.eq("x")).exists().await.unwrap());
    // A program without the struct asks by name.
    let accessor = core.accessor();
    let shape = accessor.schema().expect_model("Account").unwrap().shape.clone();
    for operator in [Operator::GreaterThan, Operator::Contains, Operator::Regex, Operator::IExact] {
        let condition =
            Condition { field: "password".into(), operator, value: Value::from(CANARY), invert: false };
        let error =
            accessor.find(&Query::live(shape.clone()).with(condition), Page::default()).await.unwrap_err();
        assert!(error.to_string().contains("can only be asked for with \"equal\""), "{error}");
        assert_clean("the error", &format!("{error:?}"));
    }
    let client = ModelClient::new(accessor, Caller::Client);
    assert_clean("the client", &format!("{client:?}"));
}
