//! A server that answers from recordings: each call with what a real core answered to the same request.
//!
//! It knows nothing of models. A request whose bytes were recorded gets that answer (the next one, when they were
//! recorded several times, and the last one for ever); any other gets the next recorded answer of its method. It can be
//! killed, started again, and made to fail like [`StandIn`](crate::stand_in::StandIn).
//!
//! # Examples
//!
//! ```
//! use xos_sync_tests::replay::Replay;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), xos_sync_tests::stand_in::BoxError> {
//! let line = r#"{"method": "/xos.utility/NoOp", "request_b64": "", "code": "OK", "response_b64": ""}"#;
//! let core = Replay::of_lines(line)?;
//! core.hang("NoOp");
//! assert!(core.uri().starts_with("http://127.0.0.1:"));
//! # Ok(()) }
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use serde::Deserialize;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::stand_in::faults::Fault;
use crate::stand_in::server::{Answering, Call, Server, Serving};
use crate::stand_in::wire::{Answer, code_of};
use crate::stand_in::{BoxError, Called};
use crate::{skipped, workspace};

/// One line of a recording.
#[derive(Deserialize)]
struct Line {
    method: String,
    request_b64: Option<String>,
    code: String,
    details: Option<String>,
    response_b64: Option<String>,
}

/// A server that answers from recordings. Dropped, it is gone.
pub struct Replay {
    server: Server,
}

/// What was recorded of one method.
#[derive(Default)]
struct Method {
    answers: Vec<Answer>,
    /// Which answers a request had, in order, and how many of them were given.
    by_request: HashMap<Bytes, (Vec<usize>, usize)>,
    /// How many answers were given to requests that were not recorded.
    given: usize,
}

struct Recording {
    methods: Mutex<HashMap<String, Method>>,
}

impl Replay {
    /// Answers from a file of `../shared/wire`, and from its `GetSchema` answer. `None`, said loudly, when it is not
    /// there. To be called within a runtime.
    ///
    /// # Errors
    ///
    /// A line that is no recorded call; a port that cannot be had.
    pub fn of_recording(name: &str) -> Result<Option<Self>, BoxError> {
        let folder = workspace().join("../shared/wire");
        let (Ok(lines), Ok(schema)) = (
            std::fs::read_to_string(folder.join(name)),
            std::fs::read(folder.join("GetSchema.response.bin")),
        ) else {
            skipped(&format!("../shared/wire/{name} is not there to answer from"));
            return Ok(None);
        };
        let mut methods = parse(&lines)?;
        let answers = vec![Ok(Bytes::from(schema))];
        let get_schema = Method { answers, ..Method::default() };
        methods.insert("/schema.SchemaService/GetSchema".to_owned(), get_schema);
        Self::start(methods).map(Some)
    }

    /// Answers from lines like those of `../shared/wire/calls.jsonl`.
    ///
    /// # Errors
    ///
    /// A line that is no recorded call; a port that cannot be had.
    pub fn of_lines(lines: &str) -> Result<Self, BoxError> {
        Self::start(parse(lines)?)
    }

    fn start(methods: HashMap<String, Method>) -> Result<Self, BoxError> {
        let serving = Serving {
            latency: Duration::ZERO,
            workers: 10,
            longest_request: 4 * 1024 * 1024,
            journal: 10_000,
        };
        let recording = Recording { methods: Mutex::new(methods) };
        Ok(Replay { server: Server::start(Arc::new(recording), serving)? })
    }

    /// Where it listens without TLS, such as `http://127.0.0.1:40001`.
    pub fn uri(&self) -> String {
        format!("http://{}", self.server.plain)
    }

    /// Where it listens with TLS.
    pub fn secure_uri(&self) -> String {
        format!("https://{}", self.server.secure)
    }

    /// Where it listens without TLS.
    pub fn address(&self) -> SocketAddr {
        self.server.plain
    }

    /// The certificate of the authority that vouches for it, as PEM.
    pub fn authority(&self) -> &str {
        &self.server.tls.authority
    }

    /// Drops all connections and calls in flight, and listens no more.
    pub async fn kill(&self) {
        self.server.stop().await;
    }

    /// Listens again at the same addresses.
    ///
    /// # Errors
    ///
    /// Somebody else has the port now.
    pub fn resume(&self) -> Result<(), BoxError> {
        Ok(self.server.resume()?)
    }

    /// Calls of this method are never answered, until [`heal`](Replay::heal).
    pub fn hang(&self, method: &str) {
        self.server.faults().always(method, Fault::Hang);
    }

    /// Calls of this method are answered this much later, until [`heal`](Replay::heal).
    pub fn answer_late(&self, method: &str, wait: Duration) {
        self.server.faults().always(method, Fault::AnswerLate(wait));
    }

    /// The next call of this method fails. Said again, the one after it, too.
    pub fn fail_once(&self, method: &str, code: Code, details: &str) {
        self.server.faults().once(method, Fault::Fail(code, details.to_owned()));
    }

    /// The connection of the next call of this method is cut before the answer; its recorded answer is used up.
    pub fn cut_after(&self, method: &str) {
        self.server.faults().once(method, Fault::CutAfter);
    }

    /// Takes all faults of this method away.
    pub fn heal(&self, method: &str) {
        self.server.faults().heal(method);
    }

    /// The calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Called> {
        self.server.journal().calls()
    }

    /// How often a method was called.
    pub fn count(&self, method: &str) -> usize {
        self.server.journal().count(method)
    }
}

fn parse(lines: &str) -> Result<HashMap<String, Method>, BoxError> {
    let mut methods: HashMap<String, Method> = HashMap::new();
    for (at, line) in lines.lines().enumerate() {
        let wrong = |problem: String| format!("line {}: {problem}", at + 1);
        let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        let bytes = |text: &Option<String>| {
            let bytes = STANDARD.decode(text.as_deref().unwrap_or_default());
            bytes.map(Bytes::from).map_err(|error| wrong(error.to_string()))
        };
        let code = code_of(&line.code).ok_or_else(|| wrong(format!("\"{}\" is no code", line.code)))?;
        let answer = match code {
            Code::Ok => Ok(bytes(&line.response_b64)?),
            code => Err(Status::new(code, line.details.unwrap_or_default())),
        };
        let request = bytes(&line.request_b64)?;
        let method = methods.entry(line.method).or_default();
        method.answers.push(answer);
        method.by_request.entry(request).or_default().0.push(method.answers.len() - 1);
    }
    Ok(methods)
}

impl Method {
    fn next(&mut self, request: &Bytes) -> Option<Answer> {
        let at = match self.by_request.get_mut(request) {
            Some((answers, given)) => {
                let at = answers.get(*given).or(answers.last()).copied()?;
                *given += 1;
                at
            }
            None => {
                self.given += 1;
                (self.given - 1).min(self.answers.len().checked_sub(1)?)
            }
        };
        self.answers.get(at).cloned()
    }
}

#[async_trait]
impl Answering for Recording {
    fn knows(&self, method: &str) -> bool {
        self.methods.lock().unwrap_or_else(PoisonError::into_inner).contains_key(method)
    }

    async fn answer(&self, call: Call) -> Option<Answer> {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        methods.get_mut(&call.method)?.next(&call.message)
    }

    async fn reflect(&self, _: Request<Body>) -> Response<Body> {
        Status::unimplemented("Method not found!").into_http()
    }
}
