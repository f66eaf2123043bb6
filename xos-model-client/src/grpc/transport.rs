//! The connection: TLS, credentials, deadlines, calls in flight, and what went wrong.

mod auth;
mod causes;
mod codec;
mod dial;
mod fault;
mod keeper;
mod pipe;
mod reflection;
mod request;
mod services;
mod tls;

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::uri::PathAndQuery;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use crate::error::Result;
use crate::grpc::options::{CoreOptions, Scheme};
use auth::{Auth, Badge};
use codec::BytesCodec;
pub use dial::Connections;
use dial::{Dial, Line};
pub use fault::{CallError, Hint};
pub use keeper::{Keeper, LinkState, Verified, Verify};
use request::request;
pub use request::{CallKind, CallMeta};

/// The most bytes a request to a core 4.0.4 may have.
pub const REQUEST_LIMIT: usize = 4 << 20;

/// How long a call may be under way before the core is asked whether it is there at all.
const LISTEN: Duration = Duration::from_secs(2);

/// How long it is tried to get a request to the core before the call fails.
const SENDING: Duration = Duration::from_millis(1500);

/// Whether a call waits until fewer than `in_flight` others are under way.
enum Queue<'a> {
    Wait,
    /// Waits, and tells when it has not to wait any more.
    Telling(&'a mut (dyn FnMut() + Send)),
    /// The question whether the core is there must not wait for calls that hang because it is not.
    Pass,
}

/// What a core of ours says with each answer: a name of the models that it serves, in the header `xos-schema`. A core
/// 4.0.4 says nothing, and has to restart to serve others.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// As of the newest answer.
    now: Option<String>,
    /// As of the schema that was read last.
    read: Option<String>,
}

impl Told {
    /// Whether it serves other models than those that were read last.
    pub fn is_news(&self) -> bool {
        // Before the first schema there is nothing to be read again.
        self.read.is_some() && self.now != self.read
    }

    /// Whether this is a core of ours, which holds texts of all characters.
    pub fn is_ours(&self) -> bool {
        self.now.is_some()
    }
}

/// What went wrong with the connection last.
#[derive(Clone, Debug)]
struct Trouble {
    /// How many connections had been opened when the call began.
    at: u64,
    error: Option<CallError>,
    /// How often the core was found silent.
    silences: u64,
}

/// The way to one core. A clone is the same way: connection, session and calls in flight are shared.
#[derive(Clone)]
pub struct Transport(Arc<Shared>);

struct Shared {
    options: CoreOptions,
    dial: Dial,
    line: Mutex<Option<Line>>,
    permits: Semaphore,
    auth: Auth,
    trouble: watch::Sender<Trouble>,
    told: watch::Sender<Told>,
}

impl Transport {
    /// A way to a core. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// An option that cannot be used: a mistake in the endpoint, a certificate file that is not there or holds none.
    pub fn new(options: CoreOptions) -> Result<Self> {
        let endpoint = options.check()?;
        if endpoint.scheme == Scheme::Plaintext {
            let endpoint = endpoint.to_string();
            tracing::warn!(endpoint, "the connection to the core is not encrypted, passwords included");
        }
        let dial = Dial::new(&options, endpoint)?;
        Ok(Transport(Arc::new(Shared {
            permits: Semaphore::new(options.in_flight.min(Semaphore::MAX_PERMITS)),
            auth: Auth::new(&options),
            line: Mutex::new(None),
            trouble: watch::Sender::new(Trouble { at: 0, error: None, silences: 0 }),
            told: watch::Sender::default(),
            dial,
            options,
        })))
    }

    /// The options it was made with.
    pub fn options(&self) -> &CoreOptions {
        &self.0.options
    }

    /// Where the core is, as `host:port` or `unix:path`.
    pub fn endpoint(&self) -> String {
        self.0.dial.target().to_string()
    }

    /// How many connections were opened so far. When this grew between two calls, the core may be another one.
    pub fn connections(&self) -> u64 {
        self.watch_connections().borrow().opened
    }

    /// The connections that are opened and closed.
    pub fn watch_connections(&self) -> watch::Receiver<Connections> {
        self.0.dial.connections()
    }

    /// Makes one call.
    ///
    /// # Guarantees
    ///
    /// A call of kind `Once` is processed at most once; [`CallError::NotSent`] means not at all. At most `in_flight`
    /// calls are under way; waiting for the others counts towards no deadline. No error tells a secret.
    ///
    /// # Cancellation
    ///
    /// Dropping the future resets the call; whether the core processed it is then unknown.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub async fn call(
        &self,
        path: PathAndQuery,
        body: Bytes,
        meta: CallMeta,
        kind: CallKind,
    ) -> Result<Bytes, CallError> {
        self.call_telling(path, body, meta, kind, || ()).await
    }

    /// The same; `leaves` is called when the call has got its place among those under way: just before it is made.
    ///
    /// # Errors
    ///
    /// As [`call`](Transport::call).
    pub async fn call_telling(
        &self,
        path: PathAndQuery,
        body: Bytes,
        meta: CallMeta,
        kind: CallKind,
        leaves: impl FnOnce() + Send,
    ) -> Result<Bytes, CallError> {
        let mut leaves = Some(leaves);
        let mut leaves = || {
            if let Some(leaves) = leaves.take() {
                leaves();
            }
        };
        if !meta.authenticated || self.needs_no_badge() {
            return self.send(&path, &body, &meta, kind, None, Queue::Telling(&mut leaves)).await;
        }
        let badge = self.badge().await?;
        match self.send(&path, &body, &meta, kind, Some(&badge), Queue::Telling(&mut leaves)).await {
            Err(CallError::Auth { .. }) => {
                let badge = self.new_badge(&badge).await?;
                self.send(&path, &body, &meta, kind, Some(&badge), Queue::Telling(&mut leaves)).await
            }
            outcome => outcome,
        }
    }

    /// Whether nobody asks who calls: on a Unix socket, unless credentials were given.
    fn needs_no_badge(&self) -> bool {
        self.0.dial.target().scheme == Scheme::Unix && self.0.options.credentials.is_none()
    }

    /// Makes one call, again where that is safe.
    async fn send(
        &self,
        path: &PathAndQuery,
        body: &Bytes,
        meta: &CallMeta,
        kind: CallKind,
        badge: Option<&Badge>,
        mut queue: Queue<'_>,
    ) -> Result<Bytes, CallError> {
        if body.len() > REQUEST_LIMIT {
            return Err(CallError::RequestTooLarge { size: body.len(), limit: REQUEST_LIMIT });
        }
        let deadline = kind.deadline(&self.0.options);
        let mut delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(50))
            .with_max_delay(Duration::from_millis(400))
            .without_max_times()
            .build();
        let (mut left, mut lost, mut sending) = (deadline, 0, Duration::ZERO);
        loop {
            let permit = match &mut queue {
                Queue::Pass => None,
                Queue::Wait => self.unless_silent(self.0.permits.acquire()).await?.ok(),
                Queue::Telling(leaves) => {
                    let permit = self.unless_silent(self.0.permits.acquire()).await?.ok();
                    leaves();
                    permit
                }
            };
            let begun = Instant::now();
            let request = request(body, meta, badge, left)?;
            let error = match self.attempt(path, request, left, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            drop(permit);
            let took = begun.elapsed();
            let again = match &error {
                CallError::NotSent { hint, .. } => {
                    sending += took;
                    !hint.is_lasting()
                }
                CallError::Lost { .. } => {
                    lost += 1;
                    lost == 1 && kind.is_repeatable()
                }
                _ => false,
            };
            let delay = delays.next().unwrap_or(SENDING);
            sending += delay;
            left = left.saturating_sub(took + delay);
            if !again || left.is_zero() || sending > SENDING {
                return Err(match error {
                    // Not this time, but maybe the time before.
                    CallError::NotSent { reason, .. } if lost > 0 => CallError::Lost { reason },
                    error => error,
                });
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Waits for this, unless the core is found silent meanwhile. Who waits for others is told so, as those are who
    /// come later: otherwise all of them would find it out, one after the other, each after a deadline.
    ///
    /// # Errors
    ///
    /// The core fell silent.
    pub(crate) async fn unless_silent<T>(&self, waiting: impl Future<Output = T>) -> Result<T, CallError> {
        let mut trouble = self.0.trouble.subscribe();
        let before = trouble.borrow_and_update().silences;
        tokio::select! {
            biased;
            Ok(silent) = trouble.wait_for(|last| last.silences > before) => {
                let problem = silent.error.as_ref().map(CallError::to_string).unwrap_or_default();
                let reason = format!("{} gave another call no answer: {problem}", self.endpoint());
                Err(CallError::NotSent { reason, hint: Hint::Silent })
            }
            done = waiting => Ok(done),
        }
    }

    async fn attempt(
        &self,
        path: &PathAndQuery,
        request: Request<Bytes>,
        left: Duration,
        deadline: Duration,
    ) -> Result<Bytes, CallError> {
        let (line, at) = (self.line(), self.connections());
        let mut grpc =
            Grpc::new(line.channel.clone()).max_decoding_message_size(self.0.options.max_message_size);
        let call = async {
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            grpc.unary(request, path.clone(), BytesCodec).await
        };
        // A status whose details are not what they should be makes tonic panic.
        let call = tokio::time::timeout(left, AssertUnwindSafe(call).catch_unwind());
        let outcome = tokio::select! {
            biased;
            outcome = call => outcome,
            silence = self.silence(&line, deadline) => {
                let cause = causes::Cause { error: silence, own_deadline: true };
                return Err(self.failed(cause, &line, at));
            }
        };
        let outcome = match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                let reason = format!("{} answered with a status that cannot be read", self.endpoint());
                return Err(CallError::Lost { reason });
            }
            Err(_) => Err(Status::from_error(Box::new(causes::OwnDeadline))),
        };
        let error = match outcome {
            Ok(answer) => {
                self.hear(path, answer.metadata());
                return Ok(answer.into_inner());
            }
            Err(status) => causes::explain(&status, &self.0.dial, &line, deadline),
        };
        Err(self.failed(error, &line, at))
    }

    /// Ends when a connection is silent under a call that may take long: a dead peer is not to be waited for until its
    /// deadline. Asking for nothing costs a core 0.2 ms.
    async fn silence(&self, line: &Line, deadline: Duration) -> CallError {
        let limit = self.0.options.call_deadline;
        if deadline <= limit {
            return std::future::pending().await;
        }
        let mut wait = LISTEN.min(limit);
        loop {
            tokio::time::sleep(wait).await;
            let mut grpc = Grpc::new(line.channel.clone());
            // Without a deadline of its own: tonic would answer in the core's place.
            let sign = async {
                grpc.ready().await.ok()?;
                let request = Request::new(Bytes::new());
                grpc.unary(request, PathAndQuery::from_static(services::NO_OP), BytesCodec).await.ok()
            };
            // An answer of any kind is a sign of life; a connection that broke ends the call by itself.
            if tokio::time::timeout(limit, sign).await.is_err() {
                let reason = format!(
                    "{} is silent: it did not answer within {} s while a longer call was under way",
                    self.endpoint(),
                    limit.as_secs_f32()
                );
                return CallError::Lost { reason };
            }
            wait = limit;
        }
    }

    /// What has to be done when a call failed: draws the consequences, and takes secrets out of the core's words.
    fn failed(&self, error: causes::Cause, line: &Line, at: u64) -> CallError {
        // A peer that died in silence looks just like a slow one: later calls get a connection of their own.
        let silent =
            error.own_deadline && self.lock().take_if(|current| current.number == line.number).is_some();
        let broken = error.own_deadline || !matches!(error.error, CallError::Deadline(_));
        let error = self.0.auth.censor(error.error);
        if error.is_connection() && broken {
            self.0.trouble.send_if_modified(|last| {
                // What happened to an earlier connection is no news, and must not hide what is.
                let is_news = at >= last.at;
                if is_news {
                    let silences = last.silences + u64::from(silent);
                    *last = Trouble { at, error: Some(error.clone()), silences };
                }
                is_news
            });
        }
        error
    }

    /// Notes which models the core says that it serves.
    fn hear(&self, path: &PathAndQuery, headers: &MetadataMap) {
        let now = headers.get("xos-schema").and_then(|now| now.to_str().ok());
        let is_schema = path.path() == services::GET_SCHEMA;
        self.0.told.send_if_modified(|told| {
            // A schema without it is that of another core than before.
            let is_news = told.now.as_deref() != now && (now.is_some() || is_schema);
            if is_news {
                told.now = now.map(str::to_owned);
            }
            if is_schema {
                told.read.clone_from(&told.now);
            }
            is_news
        });
    }

    /// Which models the core says that it serves. A core 4.0.4 says nothing of the kind.
    pub fn told(&self) -> watch::Receiver<Told> {
        self.0.told.subscribe()
    }

    fn line(&self) -> Line {
        self.lock().get_or_insert_with(|| self.0.dial.line()).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Line>> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("options", &self.0.options).finish_non_exhaustive()
    }
}
