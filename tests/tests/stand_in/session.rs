//! What the Python synchronizer wrote during two recorded sessions, written again over objects that are made as the
//! recording shows them.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde::Deserialize;
use xos_core::server::__wire::{Table, read_id};
use xos_model_client::{
    Caller, FieldPos, Guard, ModelAccessor as _, ObjectId, Op, Page, Query, QueryKind, Target, Touch, Value,
    Write,
};
use xos_sync_tests::stand_in::StandIn;
use xos_sync_tests::stand_in::wire::code_of;
use xos_sync_tests::{skipped, workspace};

use super::client::{Pair, told};
use super::models::models;
use super::onboarding::patient;
use super::recorded::{Translation, answers_differ, decode, model_of, translated};
use xos_sync_tests::against::messages::root;

#[derive(Deserialize)]
struct Recorded {
    seq: u64,
    /// When it was made, in seconds.
    t: f64,
    /// How long it took, in milliseconds.
    dt_ms: f64,
    method: String,
    request_metadata: Vec<(String, String)>,
    request_b64: String,
    code: String,
    response_b64: Option<String>,
}

impl Recorded {
    /// Whether two calls were in flight at once: what each saw of the other is anybody's guess.
    fn overlaps(&self, other: &Recorded) -> bool {
        let end = |call: &Recorded| call.t + call.dt_ms / 1000.0;
        self.t < end(other) && other.t < end(self)
    }

    /// The object that it changes, as the recording numbers it.
    fn changes(&self, pair: &Pair) -> Option<i32> {
        let ("Update", _) = model_of(&self.method)? else { return None };
        let descriptor = pair.core.descriptors().request_of(&self.method)?;
        let request = STANDARD.decode(&self.request_b64).unwrap();
        let request = DynamicMessage::decode(descriptor, request.as_slice()).unwrap();
        Some(id_of(&request))
    }
}

fn id_of(message: &DynamicMessage) -> i32 {
    read_id(&message.encode_to_vec()).unwrap()
}

/// Purges soft-deleted objects, or one of them, whatever they wait for: as it happened between two recorded calls.
async fn purge(pair: &Pair, only: Option<i32>) {
    for model in ["HelloWorldServiceInstance", "HelloWorldService"] {
        let schema = pair.core.store().schema();
        let shape = schema.model(model).unwrap().shape.clone();
        let query = Query::live(shape.clone()).of_kind(QueryKind::DeletedObjects);
        let reap = shape.position("backend_need_reap").unwrap() as FieldPos;
        let found = pair.core.store().find(&query, Page::default()).await.unwrap().records;
        for record in found.iter().filter(|record| only.is_none_or(|only| record.id().get() == only)) {
            let fields = vec![(reap, Value::Bool(true))];
            let write = Write {
                shape: shape.clone(),
                target: Target::Object(record.id()),
                op: Op::Set { fields, touch: Touch::AsTheRulesSay },
                by: Caller::Engine,
                guard: Guard::None,
            };
            pair.core.store().write(vec![write]).await.pop().unwrap().unwrap();
        }
    }
    pair.core.reap().await.unwrap();
}

/// How far an object is made what a recorded message shows.
#[derive(Copy, Clone, PartialEq)]
enum How {
    /// It is there.
    There,
    /// All its fields are as shown.
    Whole,
}

/// Makes an object of the store what a recorded message shows.
async fn as_shown(pair: &Pair, known: &mut Translation, model: &str, shown: &DynamicMessage, how: How) {
    let schema = pair.core.store().schema();
    let info = schema.model(model).unwrap();
    let recorded = id_of(shown);
    let key = (root(model).to_owned(), recorded);
    let mut shown = shown.clone();
    known.translate(model, &mut shown);
    let given = Table::new(&schema, info).read(&shown.encode_to_vec()).unwrap();
    let given: Vec<_> = given.fields.into_iter().map(|(at, value)| (usize::from(at), value)).collect();
    let name = |at: usize| info.fields[at].def.name.as_ref();
    let write =
        |target, op| Write { shape: info.shape.clone(), target, op, by: Caller::Engine, guard: Guard::None };
    let store = pair.core.store();
    if !known.ids.contains_key(&key) {
        let needed = ["owner", "hello_to", "hello_from"];
        let fields = given.iter().filter(|(at, _)| needed.contains(&name(*at)));
        let mut fields: Vec<_> = fields.map(|(at, value)| (*at as FieldPos, value.clone())).collect();
        // A name may still be that of an object that is purged later.
        let at = info.shape.position("name").unwrap() as FieldPos;
        fields.push((at, Value::Text(format!("recorded {recorded}"))));
        let written = store.write(vec![write(Target::New, Op::Create(fields))]).await.pop().unwrap();
        known.ids.insert(key.clone(), written.unwrap().id.get());
    }
    if how == How::There {
        return;
    }
    let mut fields = Vec::new();
    for at in 0..info.fields.len() {
        if !["id", "updated", "leaf_model_name"].contains(&name(at)) {
            let value = given.iter().find(|(given, _)| *given == at);
            fields.push((at as FieldPos, value.map_or(Value::Null, |(_, value)| value.clone())));
        }
    }
    let op = Op::Set { fields, touch: Touch::AsTheRulesSay };
    let target = Target::Object(ObjectId::new(known.ids[&key]));
    if store.write(vec![write(target, op.clone())]).await.pop().unwrap().is_err() {
        purge(pair, None).await;
        store.write(vec![write(target, op)]).await.pop().unwrap().unwrap();
    }
}

/// The objects of a model that a recorded answer shows.
fn shown(pair: &Pair, line: &Recorded, model: &str) -> Vec<DynamicMessage> {
    let is_read = line.method.contains("/Filter") || line.method.contains("/Get");
    if !is_read || line.code != "OK" {
        return Vec::new();
    }
    let response = STANDARD.decode(line.response_b64.as_deref().unwrap_or_default()).unwrap();
    let answer = decode(pair, &line.method, &response).unwrap();
    let items = answer.get_field_by_name("items").and_then(|items| items.as_list().map(<[_]>::to_vec));
    let all = items.map_or(vec![answer.clone()], |items| {
        items.iter().filter_map(|item| item.as_message().cloned()).collect()
    });
    all.into_iter().filter(|message| message.descriptor().name() == model).collect()
}

async fn replay(file: &str, at_least: usize) {
    let path = workspace().join("../shared/wire").join(file);
    let Ok(lines) = std::fs::read_to_string(path) else {
        return skipped(&format!("../shared/wire/{file} is not there to compare with"));
    };
    let pair = Pair::of(StandIn::start(patient().with_models(models())).await.unwrap());
    let mut known = Translation::default();
    let lines: Vec<Recorded> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The services first: instances need an owner.
    for line in lines.iter().filter(|line| line.method.ends_with("HelloWorldService")) {
        for shown in shown(&pair, line, "HelloWorldService") {
            as_shown(&pair, &mut known, "HelloWorldService", &shown, How::There).await;
        }
    }
    let (mut compared, mut equal, mut different) = (0, 0, Vec::new());
    // Objects that were changed by two calls at once, until they are shown again.
    let mut unsure: HashSet<i32> = HashSet::new();
    let mut seen: HashSet<i32> = HashSet::new();
    for line in &lines {
        let Some((operation, model)) = model_of(&line.method) else { continue };
        let response = STANDARD.decode(line.response_b64.as_deref().unwrap_or_default()).unwrap();
        let code = code_of(&line.code).unwrap();
        // What was read while somebody wrote may be older than what was written.
        let is_stale = lines.iter().any(|other| other.overlaps(line) && other.changes(&pair).is_some());
        for shown in shown(&pair, line, model) {
            let is_known = !seen.insert(id_of(&shown));
            let how = if is_stale && is_known { How::There } else { How::Whole };
            if how == How::Whole {
                unsure.remove(&id_of(&shown));
            }
            as_shown(&pair, &mut known, model, &shown, how).await;
        }
        if code == tonic::Code::NotFound {
            let gone = line.changes(&pair).map(|id| known.id(model, id));
            purge(&pair, gone).await;
            // The reaper took one; here it takes all that may go.
            unsure.extend(known.ids.keys().map(|(_, id)| *id));
        }
        let changes = line.changes(&pair);
        let at_once = |other: &&Recorded| {
            other.seq != line.seq
                && line.overlaps(other)
                && changes.is_some()
                && other.changes(&pair) == changes
        };
        if lines.iter().any(|other| at_once(&other)) {
            unsure.extend(changes);
        }
        if operation != "Update" {
            continue;
        }
        let request = translated(&pair, &known, &line.method, STANDARD.decode(&line.request_b64).unwrap());
        let metadata: Vec<(&str, &str)> =
            line.request_metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let metadata: Vec<_> = metadata.into_iter().filter(|(key, _)| *key != "user-agent").collect();
        let outcome = pair.client.bytes(&line.method, &metadata, request).await;
        compared += 1;
        let difference = match &outcome {
            Ok(answer) if code == tonic::Code::Ok => {
                answers_differ(&pair, &known, &line.method, &response, answer)
            }
            Err(status) if status.code() == code => None,
            Ok(_) => Some(format!("there {code:?}, here OK")),
            Err(status) => Some(format!("there {code:?}, here {}", told(status))),
        };
        match difference {
            None => equal += 1,
            Some(difference) if changes.is_some_and(|id| unsure.contains(&id)) => {
                println!("{}: {difference}\n  because: another call changed it meanwhile", line.seq);
            }
            Some(difference) => {
                println!("different: {} {} {:?}: {difference}", line.seq, line.method, line.request_metadata);
                different.push(line.seq);
            }
        }
    }
    println!("{file}: {compared} calls compared, {equal} equal");
    assert!(different.is_empty(), "{different:?}");
    assert!(equal >= at_least, "{equal}");
}

#[tokio::test]
async fn the_writes_of_a_synchronizer_are_answered_as_recorded() {
    replay("synchronizer-session.jsonl", 55).await;
}

#[tokio::test]
async fn the_writes_of_a_synchronizer_with_a_policy_are_answered_as_recorded() {
    replay("policy-session.jsonl", 30).await;
}
