//! Opening connections, and knowing of each one.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint as Dialled};
use tower::service_fn;

use super::fault::Hint;
use super::pipe::Pipe;
use super::tls;
use crate::error::Result;
use crate::grpc::options::{CoreOptions, Endpoint, Scheme, fault};

/// The connections to a core.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub struct Connections {
    /// How many were opened so far.
    pub opened: u64,
    /// How many are open.
    pub open: u64,
}

/// Makes connections to one core.
pub(super) struct Dial {
    target: Endpoint,
    server_name: String,
    trusted: String,
    dialled: Dialled,
    connect_timeout: Duration,
    connections: Arc<watch::Sender<Connections>>,
    lines: AtomicU64,
    pub(super) limit: usize,
}

/// A way to the core, with one connection at a time: when it breaks, the next call opens another one.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) channel: Channel,
    heard: Arc<AtomicU8>,
}

/// What the peer of the last connection spoke first.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing = 0,
    Http2 = 1,
    Tls = 2,
    Other = 3,
}

/// No connection was made.
#[derive(Debug)]
pub(super) struct DialFault {
    pub(super) hint: Hint,
    problem: String,
}

impl Dial {
    pub(super) fn new(options: &CoreOptions, target: Endpoint) -> Result<Self> {
        let uri = target.uri().map_err(|error| fault("endpoint", error.to_string()))?;
        let mut dialled = Dialled::from(uri)
            .http2_keep_alive_interval(options.keep_alive)
            .keep_alive_timeout(options.keep_alive_timeout)
            .keep_alive_while_idle(false)
            // The core's words come in a header, and may be the names of all fields.
            .http2_max_header_list_size(256 << 10)
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20);
        let server_name = options.server_name.clone().unwrap_or_else(|| target.host.clone());
        let mut trusted = String::new();
        if target.scheme == Scheme::Tls {
            let trust = tls::Trust::find(options)?;
            trusted = trust.to_string();
            let config = tls::config(options, trust, &server_name)?;
            dialled = dialled.tls_config(config).map_err(|error| {
                fault("TLS", format!("cannot be set up: {}", super::causes::chain(&error)))
            })?;
        }
        Ok(Dial {
            target,
            server_name,
            trusted,
            dialled,
            connect_timeout: options.connect_timeout,
            connections: Arc::new(watch::Sender::new(Connections::default())),
            lines: AtomicU64::new(0),
            limit: options.max_message_size,
        })
    }

    pub(super) fn target(&self) -> &Endpoint {
        &self.target
    }

    /// The name that the core's certificate must be for.
    pub(super) fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Which certificates are trusted, in words.
    pub(super) fn trusted(&self) -> &str {
        &self.trusted
    }

    pub(super) fn connections(&self) -> watch::Receiver<Connections> {
        self.connections.subscribe()
    }

    /// A new line. Its connection is made by the first call.
    pub(super) fn line(&self) -> Line {
        let heard = Arc::new(AtomicU8::new(Heard::Nothing as u8));
        let (target, timeout) = (self.target.clone(), self.connect_timeout);
        let (connections, told) = (self.connections.clone(), heard.clone());
        let connector = service_fn(move |_: Uri| {
            let (target, connections, told) = (target.clone(), connections.clone(), told.clone());
            async move {
                let stream = connect(&target, timeout).await?;
                told.store(Heard::Nothing as u8, Ordering::Relaxed);
                Ok::<_, DialFault>(TokioIo::new(Wire::new(stream, told, connections)))
            }
        });
        Line {
            number: self.lines.fetch_add(1, Ordering::Relaxed),
            channel: self.dialled.connect_with_connector_lazy(connector),
            heard,
        }
    }
}

impl Line {
    /// What the peer spoke first, of the connection made last.
    pub(super) fn heard(&self) -> Heard {
        match self.heard.load(Ordering::Relaxed) {
            0 => Heard::Nothing,
            1 => Heard::Http2,
            2 => Heard::Tls,
            _ => Heard::Other,
        }
    }
}

async fn connect(target: &Endpoint, timeout: Duration) -> Result<Pipe, DialFault> {
    match target.scheme {
        Scheme::Unix => connect_unix(target, timeout).await,
        Scheme::Tls | Scheme::Plaintext => connect_tcp(target, timeout).await.map(Pipe::Tcp),
    }
}

#[cfg(unix)]
async fn connect_unix(target: &Endpoint, timeout: Duration) -> Result<Pipe, DialFault> {
    let connecting = tokio::time::timeout(timeout, tokio::net::UnixStream::connect(&target.host));
    let within = timeout.as_secs_f32();
    let found = connecting.await.map_err(|_| DialFault {
        hint: Hint::Silent,
        problem: format!("no answer within {within} s: the core has too many connections, or hangs"),
    })?;
    found.map(Pipe::Unix).map_err(|error| {
        let (hint, problem) = match error.kind() {
            io::ErrorKind::NotFound => (
                Hint::Refused,
                "there is no such socket: the core is not running, or it serves another path".to_owned(),
            ),
            io::ErrorKind::ConnectionRefused => (
                Hint::Refused,
                "nobody listens there any more: the core was stopped; start it again".to_owned(),
            ),
            io::ErrorKind::PermissionDenied => (
                Hint::Other,
                "this user may not open it: run as the user who runs the core, or use an address".to_owned(),
            ),
            _ => (Hint::Other, format!("{error}: check the path in the endpoint")),
        };
        DialFault { hint, problem }
    })
}

#[cfg(not(unix))]
async fn connect_unix(_: &Endpoint, _: Duration) -> Result<Pipe, DialFault> {
    let problem = "this system has no Unix sockets: use an address".to_owned();
    Err(DialFault { hint: Hint::Other, problem })
}

async fn connect_tcp(target: &Endpoint, timeout: Duration) -> Result<TcpStream, DialFault> {
    let address = (target.host.as_str(), target.port);
    let found = tokio::time::timeout(timeout, async {
        let mut last = None;
        let addresses = tokio::net::lookup_host(address).await.map_err(|error| DialFault {
            hint: Hint::UnknownHost,
            problem: format!("the name has no address ({error}): check the host in the endpoint"),
        })?;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(
            || DialFault {
                hint: Hint::UnknownHost,
                problem: "the name has no address: check the host in the endpoint".to_owned(),
            },
            |error| not_connected(&error),
        ))
    });
    let stream = found.await.unwrap_or_else(|_| {
        Err(DialFault {
            hint: Hint::Silent,
            problem: format!(
                "no answer within {} s: check host and port in the endpoint, and firewalls",
                timeout.as_secs_f32()
            ),
        })
    })?;
    // Without it, small requests wait for acknowledgements.
    stream.set_nodelay(true).map_err(|error| not_connected(&error))?;
    Ok(stream)
}

fn not_connected(error: &io::Error) -> DialFault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => DialFault {
            hint: Hint::Refused,
            problem:
                "nothing listens there: the core is starting or stopped, or the port in the endpoint is wrong"
                    .to_owned(),
        },
        _ => DialFault { hint: Hint::Other, problem: error.to_string() },
    }
}

impl fmt::Display for DialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for DialFault {}

/// A connection that is counted, and listened to at its beginning.
struct Wire {
    stream: Pipe,
    first: Vec<u8>,
    heard: Arc<AtomicU8>,
    connections: Arc<watch::Sender<Connections>>,
}

/// An HTTP/2 frame's head: the first frame of a server is SETTINGS.
const HEAD: usize = 9;

impl Wire {
    fn new(stream: Pipe, heard: Arc<AtomicU8>, connections: Arc<watch::Sender<Connections>>) -> Self {
        connections.send_modify(|counts| {
            counts.opened += 1;
            counts.open += 1;
        });
        Wire { stream, first: Vec::with_capacity(HEAD), heard, connections }
    }

    fn hear(&mut self, new: &[u8]) {
        let wanted = HEAD - self.first.len();
        self.first.extend(new.iter().take(wanted));
        let heard = match self.first.as_slice() {
            [] => Heard::Nothing,
            [0x15 | 0x16, 3, ..] => Heard::Tls,
            [_, _, _, 4, 0, ..] => Heard::Http2,
            _ => Heard::Other,
        };
        self.heard.store(heard as u8, Ordering::Relaxed);
    }

    /// A peer that hangs up has often said why, but nobody reads that after a write failed. The failure is told when
    /// the words are there; they come at once, as the peer has hung up.
    fn hear_last_words<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.first.is_empty() && matches!(written, Poll::Ready(Err(_))) {
            let mut words = [0; HEAD];
            let mut words = ReadBuf::new(&mut words);
            if self.stream.poll_peek(cx, &mut words).is_pending() {
                return Poll::Pending;
            }
            self.hear(words.filled());
        }
        written
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.connections.send_modify(|counts| counts.open = counts.open.saturating_sub(1));
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.first.len() < HEAD
            && let Some(new) = buf.filled().get(before..)
        {
            self.hear(new);
        }
        done
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.hear_last_words(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.hear_last_words(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.hear_last_words(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
