//! What a real core was asked, asked again: codes, details and answers are compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, Value};
use serde::Deserialize;
use xos_model_client::models::ServiceInstance;
use xos_model_client::{ServiceFile, ServiceFiles};
use xos_sync_tests::against::messages::root;
pub(crate) use xos_sync_tests::against::messages::{Translation, model_of};
use xos_sync_tests::stand_in::wire::code_of;
use xos_sync_tests::stand_in::{LoadRequest, Options, StandIn};
use xos_sync_tests::{skipped, workspace};

use super::client::{Pair, told};
use super::models::models;
use super::onboarding::{patient, restarted};

#[derive(Deserialize)]
struct Recorded {
    name: String,
    method: String,
    request_metadata: Vec<(String, String)>,
    request_b64: Option<String>,
    code: String,
    details: Option<String>,
    response_b64: Option<String>,
}

/// Calls whose answers differ, and why they may.
const REASONS: [(&str, &str); 15] = [
    ("auth.session.ok", MADE_OTHERWISE),
    ("auth.basic.lower", MADE_OTHERWISE),
    ("ok.unknown_field_in_request", MADE_OTHERWISE),
    ("fk.reverse_ids_site", MADE_OTHERWISE),
    ("version", "there is no commit and no build here"),
    ("dbinfo", "there is no database server here"),
    ("xproto", "the xproto of the core's own models is not told here"),
    ("p.base_service_after_purge", NO_ORPHANS),
    ("p.base_after_reload", NO_ORPHANS),
    ("purge.orphan_base_delete", NO_ORPHANS),
    ("m2m.bad_id", "the name of a database's rule ends in a number that is that database's own"),
    ("graph.link.duplicate", "the ids of the ends are told here, their names there"),
    ("unicode.base_list_still_ok", COUNTED_AGAIN),
    ("unicode.list_ok_again", COUNTED_AGAIN),
    ("unicode.list_after_delete", COUNTED_AGAIN),
];

const MADE_OTHERWISE: &str = "the recorded core's first site was made without a leaf_model_name";
const NO_ORPHANS: &str = "a purge leaves rows without a leaf model there, and nothing here";
const COUNTED_AGAIN: &str =
    "the provider of a deleted link has counted it a second time, presumably when the real reaper purged it";

/// A message without what differs from run to run: times, and the order of ids.
fn comparable(message: &DynamicMessage) -> String {
    let mut lines: Vec<String> = Vec::new();
    for (field, value) in message.fields() {
        if field.kind() == Kind::Double {
            lines.push(format!("{}: a time", field.name()));
        } else if ["password", "sessionid", "model_output"].contains(&field.name()) {
            lines.push(format!("{}: its own", field.name()));
        } else if let Value::List(items) = value {
            let mut items: Vec<String> = items
                .iter()
                .map(|item| item.as_message().map_or_else(|| format!("{item:?}"), comparable))
                .collect();
            if field.name() != "items" {
                items.sort();
            }
            lines.push(format!("{}: [{}]", field.name(), items.join("; ")));
        } else {
            lines.push(format!("{}: {value:?}", field.name()));
        }
    }
    lines.join("\n")
}

pub(crate) fn decode(pair: &Pair, method: &str, bytes: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(pair.core.descriptors().answer_of(method)?, bytes).ok()
}

/// What has to happen before a recorded call is made again; `false` when it is not to be.
async fn prepare(pair: &mut Pair, name: &str) -> bool {
    if ["del.get_after_reap", "unload.require_clean.success"].contains(&name) {
        pair.core.reap().await.unwrap();
    }
    if name.starts_with("restart.") {
        // The recording asked until the core was back.
        if pair.is_due_to_restart {
            pair.is_due_to_restart = false;
            restarted(pair).await;
        }
        return false;
    }
    // What was there before the recording, and a call that is never answered, are not repeated.
    !["x", "cleanup.delete_service_cascade", "cleanup.wait", "load.xproto_syntax_error"].contains(&name)
}

async fn replay(pair: &mut Pair, file: &str) -> Option<()> {
    let path = workspace().join("../shared/wire").join(file);
    let Ok(lines) = std::fs::read_to_string(path) else {
        skipped(&format!("../shared/wire/{file} is not there to compare with"));
        return None;
    };
    let mut known = Translation::default();
    let (mut compared, mut equal, mut left_out) = (0, 0, 0);
    let mut different: Vec<String> = Vec::new();
    for line in lines.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap();
        let bytes = |text: &Option<String>| STANDARD.decode(text.as_deref().unwrap_or_default()).unwrap();
        if !prepare(pair, &recorded.name).await {
            continue;
        }
        let request = request(pair, &known, &recorded, bytes(&recorded.request_b64));
        let metadata: Vec<(&str, &str)> = recorded
            .request_metadata
            .iter()
            .map(|(key, value)| {
                (key.as_str(), known.sessions.get(value).map_or(value.as_str(), String::as_str))
            })
            .collect();
        let outcome = pair.client.bytes(&recorded.method, &metadata, request).await;
        if outcome.as_ref().is_err_and(|status| status.message() == "Method not found!")
            && recorded.code != "UNIMPLEMENTED"
        {
            left_out += 1;
            println!("left out: {} {} is not served here", recorded.name, recorded.method);
            continue;
        }
        compared += 1;
        pair.is_due_to_restart |=
            ["LoadModels", "UnloadModels"].iter().any(|it| recorded.method.ends_with(it));
        if recorded.name == "unicode.create_poison" {
            // The answer does not tell its id.
            let newest = pair.core.client().objects::<ServiceInstance>().all().await.unwrap();
            let newest = newest.iter().map(|it| it.id.get()).max().unwrap();
            known.ids.insert(("ServiceInstance".to_owned(), 31), newest);
        }
        let theirs = bytes(&recorded.response_b64);
        let difference = match (&outcome, code_of(&recorded.code).unwrap()) {
            (Ok(ours), tonic::Code::Ok) => {
                learn(pair, &mut known, &recorded, &theirs, ours);
                answers_differ(pair, &known, &recorded.method, &theirs, ours)
            }
            (Ok(_), code) => Some(format!("{code:?} {:?}, here OK", recorded.details)),
            (Err(status), code) => statuses_differ(&known, &recorded, code, status),
        };
        match difference {
            None => equal += 1,
            Some(difference) => {
                let reason = REASONS.iter().find(|(name, _)| *name == recorded.name).map(|(_, why)| *why);
                println!("different: {}: {difference}\n  because: {}", recorded.name, reason.unwrap_or("?"));
                if reason.is_none() {
                    different.push(recorded.name);
                }
            }
        }
    }
    println!("{file}: {compared} calls compared, {equal} equal, {left_out} left out");
    assert!(different.is_empty(), "differ without a reason: {different:?}");
    assert!(equal * 10 >= compared * 9, "{equal} of {compared}");
    Some(())
}

fn request(pair: &Pair, known: &Translation, recorded: &Recorded, bytes: Vec<u8>) -> Bytes {
    if recorded.name == "err.too_big_request_5MB" {
        return Bytes::from(vec![0; 5_242_886]);
    }
    translated(pair, known, &recorded.method, bytes)
}

/// A request with the ids of this run.
pub(crate) fn translated(pair: &Pair, known: &Translation, method: &str, bytes: Vec<u8>) -> Bytes {
    let Some((operation, model)) = model_of(method) else { return bytes.into() };
    let Some(descriptor) = pair.core.descriptors().request_of(method) else { return bytes.into() };
    let Ok(mut message) = DynamicMessage::decode(descriptor, bytes.as_slice()) else { return bytes.into() };
    match operation {
        "Filter" => known.translate_query(model, &mut message),
        "List" => return bytes.into(),
        _ => known.translate(model, &mut message),
    }
    message.encode_to_vec().into()
}

/// Ids and sessions that were given out.
fn learn(pair: &Pair, known: &mut Translation, recorded: &Recorded, theirs: &[u8], ours: &Bytes) {
    let (Some(theirs), Some(ours)) =
        (decode(pair, &recorded.method, theirs), decode(pair, &recorded.method, ours))
    else {
        return;
    };
    if let Some(("Create", model)) = model_of(&recorded.method) {
        let id = |message: &DynamicMessage| message.get_field_by_name("id").unwrap().as_i32().unwrap();
        known.ids.insert((root(model).to_owned(), id(&theirs)), id(&ours));
    }
    if recorded.method == "/xos.utility/Login" {
        let session = |message: &DynamicMessage| {
            message.get_field_by_name("sessionid").unwrap().as_str().unwrap().to_owned()
        };
        known.sessions.insert(session(&theirs), session(&ours));
    }
}

pub(crate) fn answers_differ(
    pair: &Pair,
    known: &Translation,
    method: &str,
    theirs: &[u8],
    ours: &Bytes,
) -> Option<String> {
    let (mut theirs, ours) = (decode(pair, method, theirs)?, decode(pair, method, ours)?);
    if let Some((operation, model)) = model_of(method) {
        if operation == "List" || operation == "Filter" {
            let items = theirs.get_field_by_name_mut("items")?.as_list_mut()?;
            for item in items {
                known.translate(model, item.as_message_mut()?);
            }
        } else {
            known.translate(model, &mut theirs);
        }
    }
    let (theirs, ours) = (comparable(&theirs), comparable(&ours));
    if theirs == ours {
        return None;
    }
    let only = |one: &str, other: &str| -> Vec<String> {
        let lines = one.lines().filter(|line| !other.lines().any(|found| found == *line));
        lines.map(|line| line.chars().take(200).collect()).collect()
    };
    Some(format!("there {:?}, here {:?}", only(&theirs, &ours), only(&ours, &theirs)))
}

fn statuses_differ(
    known: &Translation,
    recorded: &Recorded,
    code: tonic::Code,
    status: &tonic::Status,
) -> Option<String> {
    // An id in a text, and the database's own words about a statement, are of one run.
    let plain = |text: &str| {
        let first: String = text
            .lines()
            .filter(|line| !line.starts_with("LINE 1:") && !line.trim().starts_with('^'))
            .collect();
        let digits: String = first.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
        digits.replace("00000", "0").replace("0000", "0").replace("000", "0").replace("00", "0")
    };
    let mut details = recorded.details.clone().unwrap_or_default();
    for (theirs, ours) in &known.sessions {
        details = details.replace(theirs, ours);
    }
    let same = code == status.code() && plain(&details) == plain(status.message());
    (!same).then(|| format!("there {code:?} {details:?}, here {}", told(status)))
}

#[tokio::test]
async fn it_answers_as_the_real_core_did() {
    let options =
        Options { loaded: vec![as_recorded()], ..patient().knowing(models().map(Clone::clone).into()) };
    let mut pair = Pair::of(StandIn::start(options).await.unwrap());
    replay(&mut pair, "calls.jsonl").await;
}

#[tokio::test]
async fn it_loads_and_unloads_as_the_real_core_did() {
    let options =
        Options { loaded: vec![as_recorded()], ..patient().knowing(models().map(Clone::clone).into()) };
    let mut pair = Pair::of(StandIn::start(options).await.unwrap());
    replay(&mut pair, "load-calls.jsonl").await;
}

/// The request that had loaded hello-world into the recorded core.
fn as_recorded() -> LoadRequest {
    let xprotos = vec![ServiceFile { name: "hello-world.xproto".into(), contents: HELLO_WORLD.to_owned() }];
    LoadRequest {
        name: "hello-world".into(),
        version: "1.0.0".into(),
        files: ServiceFiles { xprotos, ..ServiceFiles::default() },
        ..LoadRequest::default()
    }
}

/// The models of the tutorial, as they were loaded into the recorded core.
const HELLO_WORLD: &str = r#"option name = "hello-world";
option app_label = "hello-world";

message HelloWorldService (Service){
    required string hello_from = 1 [help_text = "The name of who is saying hello", null = False, db_index = False, blank = False];
}

message HelloWorldServiceInstance (ServiceInstance){
    option owner_class_name="HelloWorldService";
    required string hello_to = 1 [help_text = "The name of who is being greeted", null = False, db_index = False, blank = False];
}
"#;
