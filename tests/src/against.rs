//! Recorded calls of a real core, made again: what our server answers otherwise, and whether it is meant to.
//!
//! Each call of a file of `../shared/wire` is made in order, with its metadata and its bytes; ids and sessions that the
//! recorded core gave out are replaced by those of this run. Compared are the code, the details, and the answer, decoded
//! by the recorded core's own descriptors.

mod arrange;
pub mod compare;
pub mod described;
mod formulas;
pub mod intended;
pub mod messages;

use std::collections::HashSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost_reflect::DynamicMessage;
use serde::Deserialize;
use tonic::Code;
use xos_core::EmbeddedCore;

use self::arrange::Arranger;
use self::intended::Intended;
use self::messages::{Descriptors, Translation, id_of, model_of};
use crate::raw::{Outcome, RawClient};
use crate::stand_in::BoxError;
use crate::stand_in::wire::code_of;
use crate::{skipped, workspace};

/// One line of a recording.
#[derive(Clone, Deserialize, Debug)]
pub struct Recorded {
    /// What was tried; in a session nothing that tells it from others.
    pub name: String,
    #[serde(default)]
    seq: u64,
    /// When it was made, in seconds.
    #[serde(default)]
    t: f64,
    /// How long it took, in milliseconds.
    #[serde(default)]
    dt_ms: f64,
    /// The method, such as `/xos.xos/GetSite`.
    pub method: String,
    request_metadata: Vec<(String, String)>,
    request_b64: Option<String>,
    code: String,
    details: Option<String>,
    response_b64: Option<String>,
}

impl Recorded {
    fn request(&self) -> Result<Vec<u8>, BoxError> {
        Ok(STANDARD.decode(self.request_b64.as_deref().unwrap_or_default())?)
    }

    fn response(&self) -> Result<Vec<u8>, BoxError> {
        Ok(STANDARD.decode(self.response_b64.as_deref().unwrap_or_default())?)
    }

    fn code(&self) -> Result<Code, BoxError> {
        code_of(&self.code).ok_or_else(|| format!("\"{}\" is no code", self.code).into())
    }

    /// What the list of intended differences calls it.
    fn title(&self) -> String {
        let method = self.method.rsplit('/').next().unwrap_or_default();
        if self.seq > 0 { format!("session.{method}.{}", self.seq) } else { self.name.clone() }
    }

    /// Whether two calls were in flight at once: what each saw of the other is anybody's guess.
    fn overlaps(&self, other: &Recorded) -> bool {
        let end = |call: &Recorded| call.t + call.dt_ms / 1000.0;
        self.seq > 0 && self.seq != other.seq && self.t < end(other) && other.t < end(self)
    }
}

/// What a real core said: the recordings, and its descriptors.
pub struct Recordings {
    descriptors: Descriptors,
}

impl Recordings {
    /// Those of `../shared/wire`. `None`, said loudly, when they are not there.
    ///
    /// # Errors
    ///
    /// Descriptors that cannot be read.
    pub fn open() -> Result<Option<Self>, BoxError> {
        let path = workspace().join("../shared/wire/GetSchema.response.bin");
        match std::fs::read(path) {
            Ok(schema) => Ok(Some(Recordings { descriptors: Descriptors::read(&schema)? })),
            Err(_) => {
                skipped("../shared/wire is not there: our server is not compared with a recorded core");
                Ok(None)
            }
        }
    }

    /// The calls of one file.
    ///
    /// # Errors
    ///
    /// A file that is not there, a line that is no call.
    pub fn calls(&self, file: &str) -> Result<Vec<Recorded>, BoxError> {
        let text = std::fs::read_to_string(workspace().join("../shared/wire").join(file))?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// A core of ours that is to answer like the recorded one.
pub struct Ours {
    /// What is behind the server, to arrange objects. It must not reap by itself.
    pub store: EmbeddedCore,
    /// A client of the server, without credentials: a recording brings its own.
    pub client: RawClient,
}

/// What came of a file.
#[derive(Debug, Default)]
pub struct Count {
    /// The calls that were made.
    pub compared: usize,
    /// Those answered alike.
    pub equal: usize,
    /// Those that differ as they are meant to.
    pub intended: usize,
    /// Each other difference.
    pub different: Vec<String>,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { compared, equal, intended, .. } = self;
        let different = compared - equal - intended;
        write!(f, "{compared} compared, {equal} equal, {intended} intended, {different} different")
    }
}

/// Makes the calls of a file again.
///
/// # Errors
///
/// A file that cannot be read, objects that cannot be arranged.
pub async fn replay(
    recordings: &Recordings,
    ours: &Ours,
    file: &str,
    intended: &Intended,
) -> Result<Count, BoxError> {
    let mut calls = recordings.calls(file)?;
    // Where no owner is given, the recorded core took whichever service came first in its table: the second one, as the
    // first had been changed. Ours takes the one with the lowest id: it gets to make them in the other order.
    if let Some(at) = calls.iter().position(|call| call.name == "svc.create2").filter(|at| *at > 0) {
        calls.swap(at - 1, at);
    }
    load_as_recorded(ours, &calls).await?;
    let descriptors = &recordings.descriptors;
    let mut setting = Arranger::new(&ours.store, descriptors, &calls);
    let mut known = Translation::default();
    setting.begin(&mut known).await?;
    let mut count = Count::default();
    for (at, call) in calls.iter().enumerate() {
        let arranged = setting.before(at, &mut known).await;
        let is_unsure =
            arranged.map_err(|error| format!("{file} {} cannot be arranged: {error}", call.title()))?;
        let request = match call.name.as_str() {
            // It was too long to be recorded.
            "err.too_big_request_5MB" => Bytes::from(vec![0; 5_242_886]),
            _ => known.request(descriptors, &call.method, call.request()?),
        };
        let metadata = call.request_metadata.iter().filter(|(key, _)| key != "user-agent");
        let metadata: Vec<(&str, &str)> = metadata
            .map(|(key, value)| {
                (key.as_str(), known.sessions.get(value).map_or(value.as_str(), String::as_str))
            })
            .collect();
        let outcome = ours.client.bytes(&call.method, &metadata, request).await;
        learn(&mut known, descriptors, call, &outcome)?;
        let differences = differences(&known, descriptors, call, &outcome)?;
        count.compared += 1;
        let title = call.title();
        let told: HashSet<String> = differences.into_iter().collect();
        let mut told: Vec<String> = told.into_iter().collect();
        told.sort();
        let is_intended = |difference: &String| {
            intended.has(&title, difference)
                || is_unsure && intended.has(&title, &format!("at once: {difference}"))
        };
        if told.is_empty() {
            count.equal += 1;
            continue;
        }
        let others: Vec<_> = told.iter().filter(|difference| !is_intended(difference)).collect();
        if others.is_empty() {
            count.intended += 1;
        }
        for other in others {
            let once = if is_unsure { "at once: " } else { "" };
            count.different.push(format!("{file} {title} ({}): {once}{other}", call.method));
        }
    }
    Ok(count)
}

/// Loads what the recorded core had loaded: the models that a load of the recording changed nothing of.
async fn load_as_recorded(ours: &Ours, calls: &[Recorded]) -> Result<(), BoxError> {
    let load = calls.iter().find(|call| call.method.ends_with("/LoadModels") && call.code == "OK");
    let Some(load) = load else { return Ok(()) };
    let basic = crate::raw::basic("admin@opencord.org:letmein");
    let metadata = [("authorization", basic.as_str())];
    ours.client.bytes(&load.method, &metadata, load.request()?.into()).await?;
    Ok(())
}

/// Ids and sessions that were given out.
fn learn(
    known: &mut Translation,
    descriptors: &Descriptors,
    call: &Recorded,
    outcome: &Outcome,
) -> Result<(), BoxError> {
    let Some(ours) = outcome.as_ref().ok().and_then(|bytes| descriptors.answer(&call.method, bytes)) else {
        return Ok(());
    };
    if call.name == "unicode.create_poison" {
        // The recorded core stored it, and then could not answer; the next calls name it.
        known.ids.insert(("ServiceInstance".to_owned(), 31), id_of(&ours));
    } else if call.code == "OK"
        && let Some(theirs) = descriptors.answer(&call.method, &call.response()?)
    {
        known.learn(&call.method, &theirs, &ours);
    }
    Ok(())
}

fn differences(
    known: &Translation,
    descriptors: &Descriptors,
    call: &Recorded,
    outcome: &Outcome,
) -> Result<Vec<String>, BoxError> {
    let theirs = call.code()?;
    let ours = outcome.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
    if theirs != ours {
        let words = outcome.as_ref().map_or_else(|status| status.message().to_owned(), |_| String::new());
        let recorded = call.details.as_deref().unwrap_or_default();
        return Ok(vec![format!(
            "code: there {theirs:?} {}, here {ours:?} {}",
            compare::details_shown(recorded),
            compare::details_shown(&words)
        )]);
    }
    let answer = match outcome {
        Ok(answer) => answer,
        Err(status) => {
            let mut recorded = call.details.clone().unwrap_or_default();
            for (theirs, ours) in &known.sessions {
                recorded = recorded.replace(theirs, ours);
            }
            return Ok(compare::details(&recorded, status.message()));
        }
    };
    let Some(descriptor) = descriptors.answer_of(&call.method) else {
        return Ok(vec!["answer: the recorded core has no such method".to_owned()]);
    };
    let decode = |bytes: &[u8]| DynamicMessage::decode(descriptor.clone(), bytes);
    let mut recorded = decode(&call.response()?)?;
    let Ok(answer) = decode(answer) else {
        return Ok(vec!["answer: it is no message of the recorded core's".to_owned()]);
    };
    if let Some((operation, model)) = model_of(&call.method) {
        if operation == "List" || operation == "Filter" {
            let items = recorded.get_field_by_name_mut("items").and_then(|items| items.as_list_mut());
            for item in items.into_iter().flatten() {
                if let Some(item) = item.as_message_mut() {
                    known.translate(model, item);
                }
            }
        } else {
            known.translate(model, &mut recorded);
        }
    }
    Ok(match call.method.as_str() {
        "/xos.modeldefs/ListModelDefs" => described::model_defs(&recorded, &answer),
        "/xos.utility/GetXproto" => {
            let text = |message: &DynamicMessage| {
                let text = message.get_field_by_name("xproto");
                text.and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
            };
            described::xprotos(&text(&recorded), &text(&answer))
        }
        _ => compare::messages(&recorded, &answer),
    })
}
