//! Starting and stopping a server.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use xos_model_client::Result;

use super::listen::{Door, bind, fault};
#[cfg(unix)]
use super::listen_unix::Socket;
use super::serve::{Phase, Shared};
use super::tls::{Secured, TlsFiles};
use super::{Extension, Limits, World, health, reflection};
use crate::EmbeddedCore;

/// A server of an embedded core that is to be started.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use xos_core::EmbeddedCore;
/// use xos_core::server::Server;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let socket = folder.path().join("core.db.sock");
/// let server = Server::new(EmbeddedCore::in_memory()?).unix(&socket).start().await?;
/// assert!(socket.exists());
/// server.stop(Duration::from_secs(5)).await;
/// assert!(!socket.exists());
/// # Ok(()) }
/// ```
pub struct Server {
    core: EmbeddedCore,
    wanted: Vec<Wanted>,
    limits: Limits,
    extensions: Vec<Box<dyn Extension>>,
    plaintext_anywhere: bool,
}

enum Wanted {
    Unix(PathBuf),
    Tcp(SocketAddr),
    Tls(SocketAddr, TlsFiles),
}

impl Server {
    /// A server of this core, which listens nowhere yet.
    pub fn new(core: EmbeddedCore) -> Self {
        Server {
            core,
            wanted: Vec::new(),
            limits: Limits::default(),
            extensions: Vec::new(),
            plaintext_anywhere: false,
        }
    }

    /// Listens on a Unix socket that only this user can open (mode 0600), at most 103 bytes long. Who opens it may do
    /// everything. What a server that died left there is replaced; the file is removed when the server stops.
    pub fn unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.wanted.push(Wanted::Unix(path.into()));
        self
    }

    /// Listens on an address in the clear, passwords included: only one of this machine (`127.0.0.1`, `::1`), unless
    /// [`allow_plaintext`](Server::allow_plaintext) says otherwise. Port 0 is any free one.
    pub fn tcp(mut self, address: SocketAddr) -> Self {
        self.wanted.push(Wanted::Tcp(address));
        self
    }

    /// Listens on an address with TLS. Port 0 is any free one.
    pub fn tls(mut self, address: SocketAddr, files: TlsFiles) -> Self {
        self.wanted.push(Wanted::Tls(address, files));
        self
    }

    /// Lets [`tcp`](Server::tcp) listen on addresses that other machines reach. Everybody on the way can read the
    /// passwords.
    pub fn allow_plaintext(mut self) -> Self {
        self.plaintext_anywhere = true;
        self
    }

    /// How much it takes on.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a service for callers on the Unix socket.
    #[doc(hidden)]
    pub fn extension(mut self, extension: Box<dyn Extension>) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Starts to listen.
    ///
    /// # Guarantees
    ///
    /// It listens everywhere it was told to, or, on an error, nowhere.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serving`](xos_model_client::ErrorKind::Serving): an address or a socket that cannot be listened
    /// on, a certificate that cannot be used, an address in the clear that others reach, a limit of nothing.
    pub async fn start(self) -> Result<Serving> {
        if let Some(problem) = self.limits.fault() {
            return Err(fault("any address", problem, None));
        }
        let (mut doors, mut secured) = (Vec::new(), Vec::new());
        for wanted in self.wanted {
            let door = match wanted {
                Wanted::Unix(path) => unix(&path)?,
                Wanted::Tcp(address) => {
                    if !address.ip().is_loopback() && !self.plaintext_anywhere {
                        let problem = "passwords would travel in the clear for others to read: listen on \
                                       127.0.0.1, use TLS, or allow plaintext expressly";
                        return Err(fault(address, problem, None));
                    }
                    let (listener, address) = bind(address).await?;
                    Door::Tcp(listener, address)
                }
                Wanted::Tls(address, files) => {
                    let read = tokio::task::spawn_blocking(move || Secured::new(files)).await;
                    let read = read.unwrap_or_else(|_| Err("the certificates could not be read".to_owned()));
                    let this = Arc::new(read.map_err(|problem| fault(address, problem, None))?);
                    secured.push(this.clone());
                    let (listener, address) = bind(address).await?;
                    Door::Tls(listener, address, this)
                }
            };
            doors.push(door);
        }
        let (stop, phase) = watch::channel(Phase::Open);
        let (streams, reporter) = health::service(Routes::default()).await;
        let health = health::watch(reporter, self.core.clone(), phase.clone());
        let world = Arc::new(World::new(self.core, self.extensions));
        let (v1, v1alpha) = reflection::services(world.clone());
        let streams = streams.add_service(v1).add_service(v1alpha);
        let shared = Arc::new(Shared { world, streams: streams.prepare(), limits: self.limits, phase });
        let mut serving = Serving {
            tcp: None,
            tls: None,
            unix: None,
            names: doors.iter().map(Door::to_string).collect(),
            doors: Vec::with_capacity(doors.len()),
            health: tokio::spawn(health),
            secured,
            stop,
        };
        for door in doors {
            match &door {
                Door::Tcp(_, address) => _ = serving.tcp.get_or_insert(*address),
                Door::Tls(_, address, _) => _ = serving.tls.get_or_insert(*address),
                #[cfg(unix)]
                Door::Unix(socket) => _ = serving.unix.get_or_insert_with(|| socket.path().to_owned()),
            }
            tracing::info!(door = %door, "serving the core");
            serving.doors.push(tokio::spawn(door.run(shared.clone())));
        }
        Ok(serving)
    }
}

#[cfg(unix)]
fn unix(path: &Path) -> Result<Door> {
    Socket::bind(path).map(Door::Unix)
}

#[cfg(not(unix))]
fn unix(path: &Path) -> Result<Door> {
    Err(fault(path.display(), "this system has no Unix sockets: use an address", None))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("core", &self.core).finish_non_exhaustive()
    }
}

/// A server that listens. Dropped, it ends at once; [`stop`](Serving::stop) lets calls end.
#[must_use = "dropped, the server ends at once"]
pub struct Serving {
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    unix: Option<PathBuf>,
    doors: Vec<JoinHandle<()>>,
    names: Vec<String>,
    health: JoinHandle<()>,
    secured: Vec<Arc<Secured>>,
    stop: watch::Sender<Phase>,
}

impl Serving {
    /// The first address it listens on in the clear.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// The first address it listens on with TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// The first Unix socket it listens on.
    pub fn unix_path(&self) -> Option<&Path> {
        self.unix.as_deref()
    }

    /// Where it listens, in words, such as `127.0.0.1:50055`, `0.0.0.0:50051 (TLS)` or `core.db.sock`.
    pub fn doors(&self) -> &[String] {
        &self.names
    }

    /// Reads the files of all listeners with TLS again, for connections that are made from now on. Blocks the thread
    /// while it reads.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serving`](xos_model_client::ErrorKind::Serving): a file that cannot be used; its listener goes on
    /// with what it has.
    pub fn reload(&self) -> Result<()> {
        let problems: Vec<String> =
            self.secured.iter().filter_map(|secured| secured.reload().err()).collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(fault("TLS with new certificates", format!("{}; the old ones stay", problems.join("; ")), None))
    }

    /// Stops: nothing new is taken, calls that are under way may end within this time, and what is left then is given
    /// up. The core stays open.
    pub async fn stop(mut self, grace: Duration) {
        self.stop.send_replace(Phase::Stopping);
        let doors = std::mem::take(&mut self.doors);
        let mut ended = futures_util::future::join_all(doors);
        if tokio::time::timeout(grace, &mut ended).await.is_err() {
            tracing::warn!(grace_s = grace.as_secs_f32(), "calls did not end in time and are given up");
            self.stop.send_replace(Phase::Cut);
            ended.await;
        }
        let _ = (&mut self.health).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Connections and calls end by themselves.
        self.stop.send_replace(Phase::Cut);
        self.doors.iter().for_each(JoinHandle::abort);
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("tcp", &self.tcp)
            .field("tls", &self.tls)
            .field("unix", &self.unix)
            .finish_non_exhaustive()
    }
}
