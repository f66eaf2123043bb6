//! A gRPC server that can be killed, started again, and made to fail: whatever it is that answers.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tonic::Status;
use tonic::body::Body;

use super::faults::{Fault, Faults};
use super::journal::{Called, Journal};
use super::tls::Tls;
use super::wire::{Answer, read_message, response};

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The method, such as `/xos.xos/GetSite`.
    pub(crate) method: String,
    /// The headers of the request.
    pub(crate) headers: HeaderMap,
    /// The request message.
    pub(crate) message: Bytes,
}

impl Call {
    /// A value of the metadata, when it is text.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.headers.get(key).and_then(|value| value.to_str().ok())
    }
}

/// What answers the calls of a server.
#[async_trait]
pub(crate) trait Answering: Send + Sync + 'static {
    /// Whether there is such a method at all.
    fn knows(&self, method: &str) -> bool;

    /// The answer to a call. `None`: there is none, ever.
    async fn answer(&self, call: Call) -> Option<Answer>;

    /// The answer to a call of server reflection, whose messages come as a stream.
    async fn reflect(&self, request: Request<Body>) -> Response<Body>;
}

/// How a server serves.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    /// How long each call takes at least.
    pub(crate) latency: Duration,
    /// How many calls are worked on at once.
    pub(crate) workers: usize,
    /// The longest request message, in bytes.
    pub(crate) longest_request: usize,
    /// How many calls the journal keeps.
    pub(crate) journal: usize,
}

/// A server. Dropped, it is gone with all its connections.
pub(crate) struct Server {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    pub(crate) plain: SocketAddr,
    pub(crate) secure: SocketAddr,
    pub(crate) tls: Tls,
}

struct Shared {
    answering: Arc<dyn Answering>,
    serving: Serving,
    faults: Faults,
    journal: Journal,
    workers: Semaphore,
}

/// What ends when the server is stopped.
struct Running {
    /// Dropped, it ends all that listens to it.
    life: watch::Sender<()>,
    listeners: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts a server on two free ports of 127.0.0.1, one of them with TLS. To be called within a runtime.
    pub(crate) fn start(answering: Arc<dyn Answering>, serving: Serving) -> io::Result<Self> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (plain, secure) = (bind(any)?, bind(any)?);
        let tls = Tls::new().map_err(io::Error::other)?;
        let shared = Arc::new(Shared {
            answering,
            workers: Semaphore::new(serving.workers),
            faults: Faults::default(),
            journal: Journal::new(serving.journal),
            serving,
        });
        let server = Server {
            plain: plain.local_addr()?,
            secure: secure.local_addr()?,
            tls,
            shared,
            running: Mutex::new(None),
        };
        server.serve(plain, secure);
        Ok(server)
    }

    /// Listens again where it listened before. Nothing when it is running.
    pub(crate) fn resume(&self) -> io::Result<()> {
        if !self.is_up() {
            self.serve(bind(self.plain)?, bind(self.secure)?);
        }
        Ok(())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn serve(&self, plain: TcpListener, secure: TcpListener) {
        let (life, _) = watch::channel(());
        let listeners = vec![
            tokio::spawn(accept(plain, None, self.shared.clone(), life.subscribe())),
            tokio::spawn(accept(secure, Some(self.tls.clone()), self.shared.clone(), life.subscribe())),
        ];
        let running = Running { life, listeners };
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    }

    /// Drops everything now: listeners, connections, calls in flight.
    pub(crate) async fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { life, listeners }) = running {
            drop(life);
            for listener in listeners {
                let _ = listener.await;
            }
        }
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.shared.journal
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Ends when the server is stopped.
async fn over(mut life: watch::Receiver<()>) {
    while life.changed().await.is_ok() {}
}

async fn accept(listener: TcpListener, tls: Option<Tls>, shared: Arc<Shared>, life: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(over(life.clone()));
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, tls.clone(), shared.clone(), life.clone()));
                }
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, tls: Option<Tls>, shared: Arc<Shared>, life: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, shared, life).await,
        Some(tls) => {
            if let Ok(stream) = tls.acceptor.accept(stream).await {
                talk(stream, shared, life).await;
            }
        }
    }
}

async fn talk<S>(stream: S, shared: Arc<Shared>, life: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let cut = Arc::new(Notify::new());
    let service = {
        let cut = cut.clone();
        tower::service_fn(move |request: Request<_>| {
            let (shared, life, cut) = (shared.clone(), life.clone(), cut.clone());
            async move { Ok::<_, std::convert::Infallible>(one_call(request, shared, life, cut).await) }
        })
    };
    let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        _ = connection => {}
        () = cut.notified() => {}
    }
}

async fn one_call<B>(
    request: Request<B>,
    shared: Arc<Shared>,
    life: watch::Receiver<()>,
    cut: Arc<Notify>,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    if request.uri().path().starts_with("/grpc.reflection.") {
        return shared.answering.reflect(request.map(Body::new)).await;
    }
    let (head, body) = request.into_parts();
    let method = head.uri.path().to_owned();
    if !shared.answering.knows(&method) {
        return response(Err(Status::unimplemented("Method not found!")));
    }
    let message = match read_message(body, shared.serving.longest_request).await {
        Ok(message) => message,
        Err(status) => return response(Err(status)),
    };
    let call = Call { method, headers: head.headers, message };
    // A caller that gives up does not undo what the core does: the call is a task of its own.
    let task = tokio::spawn(async move {
        tokio::select! {
            biased;
            () = over(life) => None,
            answer = work(shared, call, cut) => answer,
        }
    });
    match task.await {
        Ok(Some(answer)) => response(answer),
        Ok(None) => pending().await,
        Err(_) => response(Err(Status::unknown("Exception calling application: the server panicked"))),
    }
}

/// The answer to a call; `None` when there is none.
async fn work(shared: Arc<Shared>, call: Call, cut: Arc<Notify>) -> Option<Answer> {
    let entry = Entry::new(shared.clone(), &call);
    let fault = shared.faults.take(&call.method);
    let worker = shared.workers.acquire().await.ok()?;
    if !shared.serving.latency.is_zero() {
        tokio::time::sleep(shared.serving.latency).await;
    }
    let answer = match fault {
        None => shared.answering.answer(call).await,
        Some(Fault::Hang) => never().await,
        Some(Fault::Fail(code, details)) => Some(Err(Fault::status(code, &details))),
        Some(Fault::AnswerLate(wait)) => {
            let answer = shared.answering.answer(call).await;
            tokio::time::sleep(wait).await;
            answer
        }
        Some(Fault::CutAfter) => {
            shared.answering.answer(call).await;
            cut.notify_one();
            drop(worker);
            return never().await;
        }
        Some(Fault::CutBefore) => {
            cut.notify_one();
            drop(worker);
            return never().await;
        }
    };
    // A worker that hangs is lost to all others.
    let Some(answer) = answer else { return never().await };
    drop(worker);
    entry.end(&answer);
    Some(answer)
}

fn never<T>() -> impl Future<Output = Option<T>> {
    pending()
}

/// A call in the journal, which ends there however it ends.
struct Entry {
    shared: Arc<Shared>,
    number: u64,
    ended: bool,
}

impl Entry {
    fn new(shared: Arc<Shared>, call: &Call) -> Self {
        let known = ["authorization", "x-xossession", "te", "content-type", "user-agent"];
        let metadata = call.headers.iter().filter(|(key, _)| !known.contains(&key.as_str()));
        let metadata = metadata
            .map(|(key, value)| (key.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let called = Called {
            method: call.method.clone(),
            metadata: metadata.collect(),
            request: call.message.clone(),
            code: None,
        };
        let number = shared.journal.begin(called);
        Entry { shared, number, ended: false }
    }

    fn end(mut self, answer: &Answer) {
        self.ended = true;
        let code = answer.as_ref().map_or_else(Status::code, |_| tonic::Code::Ok);
        self.shared.journal.end(self.number, Some(code));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.journal.end(self.number, None);
        }
    }
}
