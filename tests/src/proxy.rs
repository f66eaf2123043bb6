//! A proxy that does to a connection what networks do: cuts it, delays it, swallows it.
//!
//! It stands between a client and a server, both on this machine, and its behaviour is changed while they talk. What
//! was set holds for connections that are open and for those that come, until something else is set.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does with what it gets.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Passes everything on.
    #[default]
    Pass,
    /// Passes everything on, but takes no new connections: they are refused, as if nothing listened.
    Refuse,
    /// Passes each piece on after this time.
    Delay(Duration),
    /// Passes nothing on and says nothing, as a network does that lost its memory. New connections are taken and not
    /// answered. A connection that lost something this way stays dead, whatever is set later.
    HalfOpen,
    /// Passes requests on and keeps the answers until another mode is set: replies after the deadline.
    HoldAnswers,
}

/// A TCP proxy. Dropping it closes everything.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    /// How many bytes of answers may still pass before their connection is cut; `u64::MAX` for no limit.
    answer_bytes_left: Mutex<u64>,
    connections: AtomicU64,
    open: AtomicU64,
    requested: AtomicU64,
    answered: AtomicU64,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

impl Proxy {
    /// A proxy on a free port of this machine that passes everything on to this server.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            mode: watch::Sender::new(Mode::Pass),
            cuts: watch::Sender::new(0),
            answer_bytes_left: Mutex::new(u64::MAX),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            requested: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        });
        let listening = tokio::spawn(listen(listener, address, shared.clone()));
        Ok(Proxy { address, shared, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where new connections lead from now on: a server that was started anew has another port.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Does this from now on.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Closes all connections that are open now.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Closes a connection in the middle of an answer: when this many more bytes of answers, of all connections
    /// together, have passed. Once; what comes after passes.
    pub fn cut_after(&self, answer_bytes: u64) {
        *self.shared.answer_bytes_left.lock().unwrap_or_else(PoisonError::into_inner) = answer_bytes;
    }

    /// How many connections were taken so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many connections are open, dead ones included.
    pub fn open(&self) -> u64 {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many bytes were passed on to the server.
    pub fn requested(&self) -> u64 {
        self.shared.requested.load(Ordering::SeqCst)
    }

    /// How many bytes of answers were passed on.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(first: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut listener = Some(first);
    let mut modes = shared.mode.subscribe();
    loop {
        let refuse = *modes.borrow_and_update() == Mode::Refuse;
        match &listener {
            Some(_) if refuse => listener = None,
            Some(open) => tokio::select! {
                biased;
                _ = modes.changed() => (),
                taken = open.accept() => if let Ok((client, _)) = taken {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    shared.open.fetch_add(1, Ordering::SeqCst);
                    let (cuts, counted) = (shared.cuts.subscribe(), Open(shared.clone()));
                    tokio::spawn(connection(client, counted, cuts));
                }
            },
            None if refuse => _ = modes.changed().await,
            None => match TcpListener::bind(address).await {
                Ok(again) => listener = Some(again),
                // Somebody else took the port meanwhile, maybe for a moment.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// Counts a connection as open.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connection(client: TcpStream, open: Open, mut cuts: watch::Receiver<u64>) {
    let shared = &open.0;
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let passing = async {
        let mut modes = shared.mode.subscribe();
        let half_open = |mode: &Mode| *mode == Mode::HalfOpen;
        if half_open(&modes.borrow_and_update()) {
            std::future::pending::<()>().await;
        }
        let Ok(server) = TcpStream::connect(target).await else { return };
        if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
            return;
        }
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let dead = AtomicBool::new(false);
        let (requests, answers) = (shared.mode.subscribe(), shared.mode.subscribe());
        // Each way ends by itself, so that half a connection can be closed; a cut answer ends both.
        let request = pass(Way::Request, from_client, to_server, shared, &dead, requests);
        let answer = pass(Way::Answer, from_server, to_client, shared, &dead, answers);
        tokio::pin!(request, answer);
        tokio::select! {
            ended = &mut request => if ended.is_ok() { let _ = answer.await; },
            ended = &mut answer => if ended.is_ok() { let _ = request.await; },
        }
    };
    tokio::select! {
        biased;
        _ = cuts.changed() => (),
        () = passing => (),
    }
}

/// Passes one way on, until it is closed (`Ok`) or the connection must be (`Err`).
async fn pass(
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    dead: &AtomicBool,
    mut modes: watch::Receiver<Mode>,
) -> Result<(), ()> {
    let mut piece = vec![0; 16 << 10];
    loop {
        let mode = *modes.borrow_and_update();
        if mode == Mode::HoldAnswers && way == Way::Answer {
            modes.changed().await.map_err(drop)?;
            continue;
        }
        let count = tokio::select! {
            biased;
            changed = modes.changed() => {
                changed.map_err(drop)?;
                continue;
            }
            read = from.read(&mut piece) => read.map_err(drop)?,
        };
        if *modes.borrow() == Mode::HalfOpen {
            dead.store(true, Ordering::SeqCst);
        }
        if dead.load(Ordering::SeqCst) {
            if count == 0 {
                // Neither side is told.
                std::future::pending::<()>().await;
            }
            continue;
        }
        if let Mode::Delay(time) = mode {
            tokio::time::sleep(time).await;
        }
        if count == 0 {
            return to.shutdown().await.map_err(drop);
        }
        let allowed = if way == Way::Answer { shared.allow(count as u64) } else { count as u64 };
        let piece = piece.get(..allowed as usize).ok_or(())?;
        to.write_all(piece).await.map_err(drop)?;
        let counter = if way == Way::Answer { &shared.answered } else { &shared.requested };
        counter.fetch_add(allowed, Ordering::SeqCst);
        if allowed < count as u64 {
            return Err(());
        }
    }
}

impl Shared {
    /// How many of these bytes of an answer may pass. When that is not all, the limit is gone.
    fn allow(&self, count: u64) -> u64 {
        let mut left = self.answer_bytes_left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left == u64::MAX {
            return count;
        }
        if *left >= count {
            *left -= count;
            return count;
        }
        std::mem::replace(&mut *left, u64::MAX)
    }
}
