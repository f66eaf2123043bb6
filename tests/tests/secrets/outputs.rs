//! What values, records and writes show of themselves.

use std::sync::Arc;

use xos_sync::model_client::{
    Caller, Condition, Cursor, FieldDef, FieldPos, Found, Guard, LoadModels, Model, ModelAccessor as _,
    ModelClient, Onboard, Op, Operator, Query, Record, Schema, ServiceFiles, Target, Touch, Value, Write,
    Written, models::core_models, xproto,
};
use xos_sync::prelude::*;

use crate::lab::{Account, CANARY, account, assert_clean};

#[test]
fn whatever_carries_values_shows_no_secret() {
    let object = account("Arya", "");
    let shape = Account::shape();
    // As a core answers that does not know of secrets: with texts.
    let plain: Vec<Value> = object
        .values()
        .into_iter()
        .map(|value| match value.as_secret() {
            Some(secret) => Value::from(secret.expose()),
            None => value,
        })
        .collect();
    let record = Record::new(shape.clone(), plain.clone());
    assert!(record.get("password").unwrap().as_secret().is_some(), "a record of the shape knows its secrets");
    let at = shape.position("password").unwrap();
    let fields: Vec<(FieldPos, Value)> = vec![(at as FieldPos, plain[at].clone())];
    let write =
        |op| Write { shape: shape.clone(), target: Target::New, op, by: Caller::Client, guard: Guard::None };
    let typed = Op::Create(vec![(at as FieldPos, object.password.clone().into())]);
    let condition = Condition {
        field: "password".into(),
        operator: Operator::Equal,
        value: object.password.clone().into(),
        invert: false,
    };
    let shown = [
        format!("{record:?} {:?} {:?}", record.values(), record.iter().collect::<Vec<_>>()),
        format!("{:?}", write(Op::Create(fields.clone()))),
        format!("{:?}", write(Op::Set { fields, touch: Touch::AsTheRulesSay })),
        format!("{typed:?}"),
        format!("{:?}", Query::live(shape.clone()).with(condition)),
        format!("{:?}", Written { id: ObjectId::UNSET, record: Some(record.clone()), changed: true }),
        format!("{:?}", Found { records: vec![record.clone()], next: None, as_of: Cursor::default() }),
        format!("{:?}", Account::from_record(record.clone())),
        format!("{:?}", Masks::of(&record)),
    ];
    for text in &shown {
        assert_clean("an output", text);
    }
    assert_eq!(Masks::of(&record).clean(format!("<{CANARY}>")), "<***>");
    assert_eq!(Account::from_record(record).unwrap().password, object.password);
}

#[test]
fn what_is_secret_survives_xproto() {
    let models = [Account::def().clone()];
    let text = xproto::write(&models, &xproto::WriteOptions::default()).unwrap();
    assert!(text.contains("secret = True"), "{text}");
    let document = xproto::parse("account.xproto", &text).unwrap();
    let read = document.models().unwrap();
    assert_eq!(read[0].fields, Account::def().fields);
    let all: Vec<_> = core_models().cloned().chain(read).collect();
    let schema = Arc::new(Schema::new(&all).unwrap());
    let info = schema.expect_model("Account").unwrap();
    assert!(info.field("token").unwrap().def.is_secret() && info.shape.has_secrets());
}

/// The same model as it was before its author knew better.
#[xos_sync::test]
async fn a_text_may_become_a_secret() {
    let core = xos_core::EmbeddedCore::in_memory().unwrap();
    let load = |models: Vec<_>, version: &str| {
        Onboard::Load(LoadModels {
            name: "vault".into(),
            version: version.into(),
            models,
            core_version: None,
            files: ServiceFiles::default(),
        })
    };
    let mut before = Account::def().clone();
    before.fields = before.fields.iter().map(|field| FieldDef { secret: false, ..field.clone() }).collect();
    core.onboard(&load(vec![before], "1")).await.unwrap();
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
    let arya = client.create(account("Arya", "")).await.unwrap();
    core.onboard(&load(vec![Account::def().clone()], "2")).await.unwrap();
    assert!(core.schema().expect_model("Account").unwrap().field("password").unwrap().def.is_secret());
    let read: Account = client.get(arya.id).await.unwrap();
    assert_eq!(read.password, arya.password);
    let dynamic = core.schema().expect_model("Account").unwrap().shape.clone();
    let record = core.get(&dynamic, &[arya.id]).await.unwrap().pop().unwrap().unwrap();
    assert!(record.get("password").unwrap().as_secret().is_some(), "also for who has no struct");
}
