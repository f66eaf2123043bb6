//! What the tests of the services share: a world without doors, and calls of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use http::HeaderMap;
use prost::Message;
use tonic::Status;
use xos_model_client::{
    Caller, Guard, ModelAccessor as _, ObjectId, Op, Record, Result, Target, Touch, Value, Write, Written,
};

use super::World;
use super::call::{Call, Peer};
use crate::EmbeddedCore;

/// The tutorial's models, as its synchronizer sends them.
pub(super) const HELLO: &str = r#"option name = "hello-world";
option app_label = "hello-world";

message HelloWorldService (Service){
    required string hello_from = 1 [help_text = "The name of who is saying hello", null = False, db_index = False, blank = False];
}

message HelloWorldServiceInstance (ServiceInstance){
    option owner_class_name="HelloWorldService";
    required string hello_to = 1 [help_text = "The name of who is being greeted", null = False, db_index = False, blank = False];
}
"#;

pub(super) fn world() -> World {
    over(EmbeddedCore::in_memory().unwrap())
}

pub(super) fn over(core: EmbeddedCore) -> World {
    World::new(core, Vec::new())
}

/// Calls as somebody on the Unix socket.
pub(super) async fn call<A: Message + Default>(
    world: &World,
    path: &str,
    request: &impl Message,
) -> Result<A, Status> {
    raw(world, path, request.encode_to_vec(), Peer::Local)
        .await
        .map(|answer| A::decode(answer.as_slice()).unwrap())
}

/// Calls from the network, without credentials.
pub(super) async fn stranger(world: &World, path: &str) -> Result<Vec<u8>, Status> {
    raw(world, path, Vec::new(), Peer::Network(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)))).await
}

pub(super) async fn raw(world: &World, path: &str, message: Vec<u8>, peer: Peer) -> Result<Vec<u8>, Status> {
    let call = Call { path: path.to_owned(), headers: HeaderMap::new(), message: message.into(), peer };
    world.answer(&call).await.map(|answer| answer.to_vec())
}

async fn write(world: &World, model: &str, target: Target, op: Op, by: Caller) -> Written {
    let shape = world.core.schema().expect_model(model).unwrap().shape.clone();
    let write = Write { shape, target, op, by, guard: Guard::None };
    world.core.write(vec![write]).await.pop().unwrap().unwrap()
}

fn positions(world: &World, model: &str, fields: &[(&str, Value)]) -> Vec<(u16, Value)> {
    let schema = world.core.schema();
    let shape = &schema.expect_model(model).unwrap().shape;
    fields.iter().map(|(name, value)| (shape.position(name).unwrap() as u16, value.clone())).collect()
}

pub(super) async fn create(world: &World, model: &str, fields: &[(&str, Value)]) -> ObjectId {
    let op = Op::Create(positions(world, model, fields));
    write(world, model, Target::New, op, Caller::Client).await.record.unwrap().id()
}

pub(super) async fn set(world: &World, model: &str, id: ObjectId, fields: &[(&str, Value)]) {
    let op = Op::Set { fields: positions(world, model, fields), touch: Touch::AsTheRulesSay };
    write(world, model, Target::Object(id), op, Caller::Engine).await;
}

pub(super) async fn get(world: &World, model: &str, id: ObjectId) -> Record {
    let shape = world.core.schema().expect_model(model).unwrap().shape.clone();
    world.core.get(&shape, &[id]).await.unwrap().pop().unwrap().unwrap()
}

/// The recorded answer to a call of this name; none, with a note that `.ci/run` finds, where there are no recordings.
pub(super) fn recorded(test: &str, name: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("../shared/wire/calls.jsonl");
    let Ok(calls) = std::fs::read_to_string(&path) else {
        let line = format!("skipped: {test}: ../shared/wire/calls.jsonl is not there\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(target.join("skipped.txt"));
        if let Ok(mut file) = file {
            let _ = file.write_all(line.as_bytes());
        }
        return None;
    };
    let call = calls
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|call| call["name"] == name)
        .unwrap_or_else(|| panic!("no call named {name} was recorded"));
    let answer = call["response_b64"].as_str().unwrap();
    Some(base64::engine::general_purpose::STANDARD.decode(answer).unwrap())
}
