//! `xos-core serve`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use xos_core::server::{Accounts, Limits, Server, Serving, TlsFiles};
use xos_core::{Durability, Recipes};

use super::database::Database;
use super::{INTERRUPTED, Outcome, misuse, secret};

#[derive(clap::Args)]
#[command(after_help = "\
At the first start the administrator admin@opencord.org is created; the password comes from --admin-password-file or \
from XOS_ADMIN_PASSWORD. Later starts need none.

Who opens the Unix socket needs no password; only the user who runs the server can open it.

SIGHUP reads the certificate files again. SIGTERM and SIGINT stop the server when the calls that are under way have \
ended; a second one stops it at once.")]
pub(super) struct Serve {
    #[command(flatten)]
    database: Database,
    /// Do not listen on a Unix socket
    #[arg(long, conflicts_with = "unix")]
    no_unix: bool,
    /// Listen here in the clear, such as 127.0.0.1:50055; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// Let --listen take addresses that other machines reach: they can read the passwords
    #[arg(long, requires = "listen")]
    allow_plaintext: bool,
    /// Listen here with TLS, such as 0.0.0.0:50051
    #[arg(long, value_name = "ADDR", requires = "tls_cert", requires = "tls_key")]
    tls_listen: Option<SocketAddr>,
    /// The server's certificate and those that lead to its CA, PEM
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_key: Option<PathBuf>,
    /// Let in only clients with a certificate of these CAs, PEM
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    tls_client_ca: Option<PathBuf>,
    /// File whose first line is the password of the first administrator; XOS_ADMIN_PASSWORD has the password itself
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    /// What an acknowledged write survives in a SQLite file
    #[arg(long, value_enum, default_value_t = Survives::Normal)]
    durability: Survives,
    /// Connections that are open at once, of each listener
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, value_parser = at_least_one)]
    max_connections: usize,
    /// How long calls may take to end when the server is stopped, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u32,
}

#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
enum Survives {
    /// The death of the process, also by kill -9
    Normal,
    /// A loss of power too; slower
    Full,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

impl Serve {
    pub(super) async fn run(self) -> Outcome {
        // From here on a signal is a request, never the death of a half-made database.
        let mut signals = Signals::new()?;
        let db = self.database.db();
        let socket = self.database.socket(&db).filter(|_| !self.no_unix);
        if self.listen.is_empty() && self.tls_listen.is_none() && socket.is_none() {
            misuse("nowhere to listen: expected --listen, --tls-listen or --unix");
        }
        let password = secret::of_admin(self.admin_password_file.as_deref())?;
        let durability = match self.durability {
            Survives::Normal => Durability::Normal,
            Survives::Full => Durability::Full,
        };
        let name = db.to_string();
        let core = db.open(durability).await?;
        Accounts::first_start(&core, password).await?;

        let limits = Limits { connections: self.max_connections, ..Limits::default() };
        // A synchronizer's `apply` finds here what it finds at a synchronizer.
        let recipes = Recipes::new(core.clone());
        let mut server = Server::new(core.clone()).limits(limits).extension(Box::new(recipes));
        if let Some(socket) = socket {
            server = server.unix(socket);
        }
        for address in self.listen {
            server = server.tcp(address);
        }
        if self.allow_plaintext {
            server = server.allow_plaintext();
        }
        if let (Some(address), Some(cert), Some(key)) = (self.tls_listen, self.tls_cert, self.tls_key) {
            server = server.tls(address, TlsFiles { cert, key, client_ca: self.tls_client_ca });
        }
        let serving = server.start().await?;
        ready(&name, &serving)?;

        signals.stop(|| reload(&serving)).await;
        tracing::info!("stopping");
        let grace = Duration::from_secs(self.grace.into());
        tokio::select! {
            () = serving.stop(grace) => {}
            () = signals.stop(|| ()) => {
                tracing::warn!("stopped at once by a second signal");
                return Ok(ExitCode::from(INTERRUPTED));
            }
        }
        tokio::task::spawn_blocking(move || core.close()).await?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }
}

/// Says where it listens, for people and for programs that wait for it.
fn ready(name: &str, serving: &Serving) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for door in serving.doors() {
        writeln!(out, "listening on {door}")?;
    }
    writeln!(out, "serving {name}")?;
    out.flush()
}

fn reload(serving: &Serving) {
    match tokio::task::block_in_place(|| serving.reload()) {
        Ok(()) => tracing::info!("the certificate files were read again"),
        Err(error) => tracing::error!(%error, "the certificate files cannot be used"),
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the program is to stop.
    async fn stop(&mut self, mut hung_up: impl FnMut()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => hung_up(),
            }
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals)
    }

    async fn stop(&mut self, _: impl FnMut()) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
