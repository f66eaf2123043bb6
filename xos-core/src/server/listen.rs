//! Where a server listens, and how connections come in.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use xos_model_client::{ErrorKind, Result};

use super::call::Peer;
#[cfg(unix)]
use super::listen_unix::Socket;
use super::serve::{Phase, Shared, reached, serve};
use super::tls::Secured;

/// How often it is said that connections are refused.
const REMIND: Duration = Duration::from_secs(60);

/// How long nothing is accepted after the operating system could not.
const REST: Duration = Duration::from_millis(100);

/// A place where a server listens.
pub(super) enum Door {
    Tcp(TcpListener, SocketAddr),
    Tls(TcpListener, SocketAddr, Arc<Secured>),
    #[cfg(unix)]
    Unix(Socket),
}

/// A connection as it came in.
enum Guest {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

/// Listens on an address.
pub(super) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|error: io::Error| {
        let problem = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "something else listens there: stop it, or choose another port".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine does not have the address {}: choose one of its own", address.ip())
            }
            io::ErrorKind::PermissionDenied => {
                format!("listening on port {} needs more rights: choose one above 1023", address.port())
            }
            _ => error.to_string(),
        };
        fault(address, problem, Some(error))
    })
}

/// Why a server does not listen somewhere.
pub(super) fn fault(
    door: impl fmt::Display,
    problem: impl Into<String>,
    source: Option<io::Error>,
) -> xos_model_client::Error {
    ErrorKind::Serving { door: door.to_string(), problem: problem.into(), source }.into()
}

impl Door {
    /// Takes connections until the server stops; ends when the last of them is closed.
    pub(super) async fn run(self, shared: Arc<Shared>) {
        let slots = Arc::new(Semaphore::new(shared.limits.connections.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        let (mut full, mut broken) = (Reminder::default(), Reminder::default());
        let mut phase = shared.phase.clone();
        loop {
            let guest = tokio::select! {
                biased;
                () = reached(&mut phase, Phase::Stopping) => break,
                Some(_) = connections.join_next() => continue,
                guest = self.accept() => guest,
            };
            match guest {
                Ok(guest) => match slots.clone().try_acquire_owned() {
                    Ok(slot) => {
                        connections.spawn(welcome(guest, self.secured(), shared.clone(), slot));
                    }
                    Err(_) => {
                        if let Some(times) = full.due() {
                            let (door, limit) = (self.to_string(), shared.limits.connections);
                            tracing::warn!(door, limit, times, "refused connections: too many are open");
                        }
                    }
                },
                Err(error) => {
                    if let Some(times) = broken.due() {
                        tracing::warn!(door = %self, %error, times, "cannot accept connections now");
                    }
                    // Some of these last, such as too many open files: not a busy loop.
                    tokio::time::sleep(REST).await;
                }
            }
        }
        drop(self);
        while connections.join_next().await.is_some() {}
    }

    async fn accept(&self) -> io::Result<Guest> {
        match self {
            Door::Tcp(listener, _) | Door::Tls(listener, ..) => {
                let (stream, from) = listener.accept().await?;
                // Without it, small answers wait for acknowledgements: 40 ms each. It fails when the client has gone
                // already, which is found out soon enough.
                let _ = stream.set_nodelay(true);
                Ok(Guest::Tcp(stream, from))
            }
            #[cfg(unix)]
            Door::Unix(socket) => Ok(Guest::Unix(socket.accept().await?)),
        }
    }

    fn secured(&self) -> Option<Arc<Secured>> {
        match self {
            Door::Tls(_, _, secured) => Some(secured.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Door::Tcp(_, address) => write!(f, "{address}"),
            Door::Tls(_, address, _) => write!(f, "{address} (TLS)"),
            #[cfg(unix)]
            Door::Unix(socket) => write!(f, "{socket}"),
        }
    }
}

async fn welcome(
    guest: Guest,
    secured: Option<Arc<Secured>>,
    shared: Arc<Shared>,
    slot: OwnedSemaphorePermit,
) {
    let begun = Instant::now();
    let (stream, from) = match guest {
        Guest::Tcp(stream, from) => (stream, from),
        #[cfg(unix)]
        Guest::Unix(stream) => return serve(stream, Peer::Local, shared, slot, begun).await,
    };
    let peer = Peer::Network(from);
    let Some(secured) = secured else { return serve(stream, peer, shared, slot, begun).await };
    let mut phase = shared.phase.clone();
    let shaken = tokio::select! {
        biased;
        () = reached(&mut phase, Phase::Stopping) => return,
        shaken = tokio::time::timeout(shared.limits.handshake, secured.acceptor().accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => serve(stream, peer, shared, slot, begun).await,
        Ok(Err(error)) => tracing::debug!(%from, %error, "TLS was not set up"),
        Err(_) => tracing::debug!(%from, "TLS was not set up in time"),
    }
}

/// Says something that happens again and again once a minute.
#[derive(Default)]
struct Reminder {
    said: Option<Instant>,
    times: u64,
}

impl Reminder {
    /// Counts one more; how often it happened since it was said last, when it is to be said.
    fn due(&mut self) -> Option<u64> {
        self.times += 1;
        if self.said.is_some_and(|said| said.elapsed() < REMIND) {
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_said_once() {
        let mut reminder = Reminder::default();
        assert_eq!(reminder.due(), Some(1));
        assert_eq!(reminder.due(), None);
        assert_eq!(reminder.due(), None);
        reminder.said = None;
        assert_eq!(reminder.due(), Some(3));
    }

    #[tokio::test]
    async fn answers_do_not_wait_for_acknowledgements() {
        let (listener, address) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let door = Door::Tcp(listener, address);
        let (_client, guest) = tokio::join!(TcpStream::connect(address), door.accept());
        match guest.unwrap() {
            Guest::Tcp(stream, _) => assert!(stream.nodelay().unwrap()),
            #[cfg(unix)]
            Guest::Unix(_) => panic!("this is no Unix socket"),
        }
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_used_is_named_with_what_to_do() {
        let (_held, address) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "cannot serve the core on {address}: something else listens there: stop it, or choose another port"
            )
        );
        let error = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("does not have the address 192.0.2.1"), "{error}");
    }
}
