//! A gRPC server that does what a test tells it, well or badly: HTTP/2 by hand, so that it can break in every way.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A call as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Bytes,
    /// How many calls of this path came before.
    pub(crate) before: usize,
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What is done about a call.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Ok(Bytes),
    /// A gRPC status.
    Error(i32, String),
    /// A status with details that are no base64.
    BadDetails,
    /// An HTTP status without gRPC.
    Http(u16),
    /// Nothing, ever.
    Never,
    /// The connection is closed.
    Cut,
    /// The beginning of an answer, then the connection is closed.
    HalfThenCut,
    /// The stream is refused.
    Refuse,
    /// An answer, and no further calls on this connection.
    OkGoAway(Bytes),
    Late(Duration, Box<Reply>),
}

pub(crate) fn ok(text: &'static str) -> Reply {
    Reply::Ok(Bytes::from_static(text.as_bytes()))
}

/// An exception of the core's own.
pub(crate) fn xos(code: i32, name: &str, text: &str) -> Reply {
    Reply::Error(code, format!(r#"{{"fields": {{}}, "specific_error": "{text}", "error": "{name}"}}"#))
}

type Handler = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

struct Shared {
    handler: Handler,
    calls: Mutex<Vec<Call>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    running: AtomicUsize,
    most: AtomicUsize,
    frozen: AtomicUsize,
    /// Told to every connection.
    cut: Notify,
    freeze: Notify,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Server {
    /// A server in the clear.
    pub(crate) async fn start(handler: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", None, handler).await
    }

    pub(crate) async fn listen(
        address: &str,
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Call) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Arc::new(handler),
            calls: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            frozen: AtomicUsize::new(0),
            cut: Notify::new(),
            freeze: Notify::new(),
        });
        let accepting = shared.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (shared, tls) = (accepting.clone(), tls.clone());
                let number = shared.connections.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(async move {
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    match tls {
                        None => serve(stream, &shared, number).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &shared, number).await;
                            }
                        }
                    }
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Server { address, shared, listening }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.shared.calls.lock().unwrap().iter().filter(|call| call.path == path).count()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most calls that were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }

    /// Calls that are under way.
    pub(crate) fn running(&self) -> usize {
        self.shared.running.load(Ordering::SeqCst)
    }

    /// Closes all connections; new ones are taken.
    pub(crate) fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    /// Reads and writes nothing more on any connection, but closes none: a peer that died in silence.
    pub(crate) fn freeze(&self) {
        self.shared.frozen.store(1, Ordering::SeqCst);
        self.shared.freeze.notify_waiters();
    }

    /// New connections are served again; the frozen ones stay so.
    pub(crate) fn thaw(&self) {
        self.shared.frozen.store(0, Ordering::SeqCst);
    }

    /// Closes everything, and takes no more connections.
    pub(crate) fn stop(&self) {
        self.listening.abort();
        self.cut();
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    shared: &Arc<Shared>,
    number: usize,
) {
    if shared.frozen.load(Ordering::SeqCst) == 1 {
        shared.cut.notified().await;
        return;
    }
    let (cut, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    loop {
        tokio::select! {
            biased;
            () = shared.cut.notified() => return,
            () = cut.notified() => return,
            () = shared.freeze.notified() => {
                shared.cut.notified().await;
                return;
            }
            () = leave.notified() => connection.graceful_shutdown(),
            accepted = connection.accept() => {
                let Some(Ok((request, respond))) = accepted else { return };
                tokio::spawn(answer(request, respond, shared.clone(), number, cut.clone(), leave.clone()));
            }
        }
    }
}

struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    shared: Arc<Shared>,
    connection: usize,
    cut: Arc<Notify>,
    leave: Arc<Notify>,
) {
    let (parts, mut body) = request.into_parts();
    let mut message = BytesMut::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        message.put(data);
        // Requests of one message: the length is in front.
        if message.len() >= 5 && message.len() >= 5 + (&message[1..5]).get_u32() as usize {
            break;
        }
    }
    let start = message.len().min(5);
    let message = message.freeze().slice(start..);
    let call = {
        let mut calls = shared.calls.lock().unwrap();
        let path = parts.uri.path().to_owned();
        let before = calls.iter().filter(|call: &&Call| call.path == path).count();
        let call = Call { path, headers: parts.headers, message, before, connection };
        calls.push(call.clone());
        call
    };
    let running = shared.running.fetch_add(1, Ordering::SeqCst) + 1;
    shared.most.fetch_max(running, Ordering::SeqCst);
    let _running = Running(shared.clone());
    let mut reply = (shared.handler)(&call);
    while let Reply::Late(after, then) = reply {
        tokio::select! {
            () = tokio::time::sleep(after) => (),
            _ = std::future::poll_fn(|cx| respond.poll_reset(cx)) => return,
        }
        reply = *then;
    }
    match reply {
        Reply::Ok(message) => ok_reply(&mut respond, message),
        Reply::OkGoAway(message) => {
            ok_reply(&mut respond, message);
            leave.notify_one();
        }
        Reply::Error(code, text) => {
            let mut head = Response::builder().header("content-type", "application/grpc");
            head = head.header("grpc-status", code.to_string()).header("grpc-message", percent(&text));
            let _ = respond.send_response(head.body(()).unwrap(), true);
        }
        Reply::BadDetails => {
            let head =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "3");
            let head = head.header("grpc-status-details-bin", "!!!").body(()).unwrap();
            let _ = respond.send_response(head, true);
        }
        Reply::Http(status) => {
            let _ = respond.send_response(Response::builder().status(status).body(()).unwrap(), true);
        }
        Reply::Cut => cut.notify_one(),
        Reply::HalfThenCut => {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            if let Ok(mut stream) = respond.send_response(head, false) {
                let _ = stream.send_data(Bytes::from_static(&[0, 0, 0, 0, 9, 1, 2]), false);
                tokio::time::sleep(Duration::from_millis(50)).await;
                cut.notify_one();
            }
        }
        Reply::Refuse => respond.send_reset(h2::Reason::REFUSED_STREAM),
        Reply::Never | Reply::Late(..) => {
            let _ = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
        }
    }
}

pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put(message);
    framed.freeze()
}

fn ok_reply(respond: &mut h2::server::SendResponse<Bytes>, message: Bytes) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let Ok(mut stream) = respond.send_response(head, false) else { return };
    let _ = stream.send_data(framed(&message), false);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let _ = stream.send_trailers(trailers);
}

fn percent(text: &str) -> String {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && b != b'%';
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
