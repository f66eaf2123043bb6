//! One connection, and the calls that come in on it.

use std::convert::Infallible;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;

use super::World;
use super::call::{Answer, Call, Peer};
use super::limits::Limits;
use super::serve_stream::until;
use super::serve_wire::{Message, read_message, response, timeout};

/// How far the end of a server is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Calls are taken.
    Open,
    /// Calls that are under way may end.
    Stopping,
    /// What is still under way is given up.
    Cut,
}

/// Waits until the server is that far.
pub(super) async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    // A server that is gone without a word is as far as it gets.
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) world: Arc<World>,
    /// Health and reflection: what is not one message in and one out.
    pub(super) streams: Routes,
    pub(super) limits: Limits,
    pub(super) phase: watch::Receiver<Phase>,
}

/// What the calls of one connection share. It is open until the last of them ended.
struct Connection {
    shared: Arc<Shared>,
    peer: Peer,
    /// How many calls may still be begun.
    calls: Arc<Semaphore>,
    /// How many bytes of requests may still be read.
    memory: Arc<Semaphore>,
    _slot: OwnedSemaphorePermit,
}

/// The services that are no part of XOS, whose messages may come as streams.
const STREAMS: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];

/// The HTTP/2 preface with the head of the first frame: a client that sent this much speaks HTTP/2.
const SPOKEN: usize = 24 + 9;

/// Serves a connection until it is closed, or the server is.
pub(super) async fn serve<S>(
    stream: S,
    peer: Peer,
    shared: Arc<Shared>,
    slot: OwnedSemaphorePermit,
    begun: Instant,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive_timeout)
        .max_concurrent_streams(u32::try_from(limits.calls_per_connection).unwrap_or(u32::MAX))
        .max_header_list_size(u32::try_from(limits.header_size).unwrap_or(u32::MAX))
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20);
    let left = limits.handshake.saturating_sub(begun.elapsed());
    let mut phase = shared.phase.clone();
    let connection = Arc::new(Connection {
        peer,
        calls: Arc::new(Semaphore::new(limits.calls_per_connection.min(Semaphore::MAX_PERMITS))),
        memory: Arc::new(Semaphore::new(limits.memory() as usize)),
        shared,
        _slot: slot,
    });
    let spoken = Arc::new(AtomicBool::new(false));
    let service = {
        let connection = connection.clone();
        service_fn(move |request| {
            let connection = connection.clone();
            async move { Ok::<_, Infallible>(connection.response(request).await) }
        })
    };
    let io = TokioIo::new(Heard { stream, count: 0, spoken: spoken.clone() });
    let mut http = std::pin::pin!(builder.serve_connection(io, service));
    tokio::select! {
        biased;
        ended = http.as_mut() => told(peer, ended),
        () = silent(left, &spoken) => {
            tracing::debug!(?peer, "closed a connection that said nothing");
            return;
        }
        () = reached(&mut phase, Phase::Stopping) => {
            http.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                ended = http => told(peer, ended),
                () = reached(&mut phase, Phase::Cut) => return,
            }
        }
    }
    // A call whose client has gone away goes on, and the server does not end before it.
    let calls = connection.shared.limits.calls_per_connection.min(Semaphore::MAX_PERMITS);
    let calls = u32::try_from(calls).unwrap_or(u32::MAX);
    tokio::select! {
        biased;
        _ = connection.calls.acquire_many(calls) => {}
        () = reached(&mut phase, Phase::Cut) => {}
    }
}

fn told(peer: Peer, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(?peer, %error, "a connection broke");
    }
}

/// Ends when a client has said nothing within this time.
async fn silent(left: Duration, spoken: &AtomicBool) {
    tokio::time::sleep(left).await;
    if spoken.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

impl Connection {
    async fn response(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let shared = self.shared.clone();
        if request.method() != Method::POST {
            return refused(StatusCode::METHOD_NOT_ALLOWED);
        }
        let kind = request.headers().get("content-type").map_or(&b""[..], |kind| kind.as_bytes());
        if !is_grpc(kind) {
            return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if STREAMS.iter().any(|service| request.uri().path().starts_with(service)) {
            let Ok(answer) = self.shared.streams.clone().call(request).await;
            return until(answer, self.shared.phase.clone());
        }
        let answer = match timeout(request.headers()) {
            Err(status) => Err(status),
            Ok(None) => self.answer(request).await,
            Ok(Some(within)) => match tokio::time::timeout(within, self.answer(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded("Deadline Exceeded")),
            },
        };
        let mut response = response(answer);
        // Models are loaded without a restart: a client that looks here learns of it with whatever it asks next.
        let world = &shared.world;
        response.headers_mut().insert("xos-schema", world.objects.served(&world.core).fingerprint.clone());
        response
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let limits = &self.shared.limits;
        let read = read_message(body, &head.headers, limits.message_size, &self.memory);
        let read = tokio::time::timeout(limits.request_time, read);
        let Message { bytes, memory } = read.await.unwrap_or_else(|_| {
            let within = limits.request_time.as_secs_f32();
            Err(Status::deadline_exceeded(format!("the request did not arrive within {within} s")))
        })?;
        let call =
            Call { path: head.uri.path().to_owned(), headers: head.headers, message: bytes, peer: self.peer };
        let closed = || Status::unavailable("the server is stopping");
        let permit = self.calls.clone().acquire_owned().await.map_err(|_| closed())?;
        // A client that gives up does not undo what a core does: the call is a task of its own. What only reads ends
        // with its client.
        let reads = only_reads(&call);
        let connection = self.clone();
        let mut task = Task {
            task: tokio::spawn(async move {
                let answer = connection.work(&call).await;
                drop((permit, memory));
                answer
            }),
            abort: reads,
        };
        (&mut task.task).await.unwrap_or_else(|_| Err(closed()))
    }

    async fn work(&self, call: &Call) -> Answer {
        let mut phase = self.shared.phase.clone();
        let began = Instant::now();
        // Boxed for its type, which names no lifetime that the compiler could not prove to be `Send`.
        let answer: BoxFuture<'_, Answer> = Box::pin(self.shared.world.answer(call));
        let answer = AssertUnwindSafe(answer).catch_unwind();
        let answer = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or_else(|_| {
                tracing::error!(path = call.path, "the answer to a call panicked: this is a bug");
                Err(Status::internal("the call panicked: this is a bug of the core, told in its log"))
            }),
            () = reached(&mut phase, Phase::Cut) => Err(Status::unavailable("the server is stopping")),
        };
        let code = answer.as_ref().map_or_else(Status::code, |_| tonic::Code::Ok);
        tracing::debug!(path = call.path, peer = ?call.peer, ?code, took = ?began.elapsed(), "answered");
        answer
    }
}

fn refused(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// `application/grpc`, also with `+proto` or parameters.
fn is_grpc(kind: &[u8]) -> bool {
    kind.strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Whether a call changes nothing, by its name.
fn only_reads(call: &Call) -> bool {
    let reads = ["Get", "List", "Filter", "NoOp"];
    call.service_and_method().is_some_and(|(_, method)| reads.iter().any(|verb| method.starts_with(verb)))
}

/// A task that may end with the one that waits for it.
struct Task {
    task: tokio::task::JoinHandle<Answer>,
    abort: bool,
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.abort {
            self.task.abort();
        }
    }
}

/// A stream that knows whether its client has begun to speak.
struct Heard<S> {
    stream: S,
    count: usize,
    spoken: Arc<AtomicBool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.count < SPOKEN {
            self.count += buf.filled().len() - before;
            if self.count >= SPOKEN {
                self.spoken.store(true, Ordering::Relaxed);
            }
        }
        done
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
