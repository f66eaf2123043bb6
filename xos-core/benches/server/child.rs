//! The servers that are measured, each in a process of its own.

use std::convert::Infallible;
use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::io::AsyncReadExt as _;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server as TonicServer};
use xos_core::server::{Accounts, Server};
use xos_core::{EmbeddedCore, Options};
use xos_model_client::models::Service;
use xos_model_client::{Caller, Guard, Model as _, ModelAccessor as _, Op, Target, Value, Write};

use crate::raw::{self, Raw};

/// The password of the administrator.
pub(crate) const PASSWORD: &str = "letmein of the bench";

/// How a server is reached.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp,
    Unix,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Tcp => "tcp",
            Place::Unix => "unix",
        })
    }
}

/// A server that runs until this is dropped.
pub(crate) struct Child {
    process: std::process::Child,
    tcp: String,
    unix: String,
}

impl Child {
    pub(crate) fn start(what: &str, objects: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([what, "--objects", &objects.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tcp, unix) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
        Child { process: child, tcp, unix }
    }

    pub(crate) async fn connect(&self, place: Place) -> Channel {
        match place {
            Place::Tcp => raw::connect(self.tcp.parse().unwrap()).await,
            Place::Unix => raw::connect_unix(self.unix.as_ref()).await,
        }
    }

    pub(crate) fn socket(&self) -> &str {
        &self.unix
    }

    /// Its CPU time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu(&self.process.id().to_string())
    }

    /// The most memory it ever had, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        peak(&self.process.id().to_string())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The CPU time of a process so far, in seconds: user and system, of all its threads. `/proc` counts in 1/100 s.
pub(crate) fn cpu(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).map(|text| text.parse::<u64>().unwrap()).sum();
    ticks as f64 / 100.0
}

/// The most memory a process ever had, in KiB.
pub(crate) fn peak(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Says where it listens, and waits until nobody wants it any more.
async fn until_closed(tcp: &str, unix: &str) {
    println!("{tcp}\n{unix}");
    std::io::stdout().flush().unwrap();
    let _ = tokio::io::stdin().read(&mut [0]).await;
}

/// The core, over a file with this many services.
pub(crate) async fn core(objects: usize) {
    let folder = tempfile::tempdir().unwrap();
    let core = EmbeddedCore::open(folder.path().join("core.db"), Options::default()).unwrap();
    fill(&core, objects).await;
    Accounts::first_start(&core, Some(PASSWORD.into())).await.unwrap();
    let socket = folder.path().join("s");
    let server = Server::new(core).tcp(([127, 0, 0, 1], 0).into()).unix(&socket);
    let server = server.start().await.unwrap();
    until_closed(&server.tcp_address().unwrap().to_string(), socket.to_str().unwrap()).await;
}

async fn fill(core: &EmbeddedCore, objects: usize) {
    let shape = Service::shape();
    let name = shape.position("name").unwrap() as u16;
    let numbers: Vec<usize> = (0..objects).collect();
    for some in numbers.chunks(1000) {
        let write = |number: &usize| Write {
            shape: shape.clone(),
            target: Target::New,
            op: Op::Create(vec![(name, Value::Text(format!("service-{number}")))]),
            by: Caller::Client,
            guard: Guard::None,
        };
        for answer in core.write(some.iter().map(write).collect()).await {
            answer.unwrap();
        }
    }
}

/// A service of tonic that does nothing.
pub(crate) async fn empty() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let tcp = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap().with_nodelay(Some(true));
    let address = tcp.local_addr().unwrap();
    let unix = tokio::net::UnixListener::bind(&socket).unwrap();
    let unix = futures_util::stream::unfold(unix, |listener| async move {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    tokio::spawn(TonicServer::builder().add_service(Empty).serve_with_incoming(tcp));
    tokio::spawn(TonicServer::builder().add_service(Empty).serve_with_incoming(unix));
    until_closed(&address.to_string(), socket.to_str().unwrap()).await;
}

#[derive(Clone)]
struct Empty;

impl NamedService for Empty {
    const NAME: &'static str = "bench.Empty";
}

impl UnaryService<Bytes> for Empty {
    type Response = Bytes;
    type Future = std::future::Ready<Result<tonic::Response<Bytes>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(Bytes::new())))
    }
}

impl tower::Service<Request<Body>> for Empty {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(Grpc::new(Raw).unary(Empty, request).await) })
    }
}
