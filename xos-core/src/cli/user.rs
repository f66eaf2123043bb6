//! `xos-core user`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use xos_core::server::{Accounts, NewAccount};
use xos_core::{Durability, EmbeddedCore};
use xos_model_client::grpc::{CoreClient, CoreOptions};

use super::database::Database;
use super::{Outcome, secret};

/// How long a server that listens may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
#[command(after_help = "\
A running server is reached by its Unix socket; when there is none, the database is opened.")]
pub(super) struct User {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Add a user; the password is asked for, or read from stdin when that is no terminal
    Add {
        /// The e-mail address, by which the user logs in
        email: String,
        /// May do everything
        #[arg(long)]
        admin: bool,
        /// File whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// Change a user's password; it is asked for, or read from stdin when that is no terminal
    Passwd {
        /// The user's e-mail address
        email: String,
        /// File whose first line is the password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        database: Database,
    },
    /// List the users
    List {
        #[command(flatten)]
        database: Database,
    },
}

impl User {
    pub(super) async fn run(self) -> Outcome {
        match self.verb {
            Verb::Add { email, admin, password_file, database } => {
                let way = Way::to(&database)?;
                let password = secret::new(password_file.as_deref(), &email)?;
                let accounts = way.open().await?;
                let id = accounts
                    .add(NewAccount { is_admin: admin, ..NewAccount::new(&*email, password) })
                    .await?;
                say(&format!("added {email} as User {id}"))
            }
            Verb::Passwd { email, password_file, database } => {
                let way = Way::to(&database)?;
                let password = secret::new(password_file.as_deref(), &email)?;
                way.open().await?.set_password(&email, &password).await?;
                say(&format!("changed the password of {email}"))
            }
            Verb::List { database } => {
                let accounts = Way::to(&database)?.open().await?.list().await?;
                let width =
                    accounts.iter().map(|account| account.email.chars().count()).max().unwrap_or(0).max(5);
                let mut text = format!("{:<width$}  admin  active", "email");
                let yes = |is| if is { "yes" } else { "no" };
                for account in accounts {
                    let (admin, active) = (yes(account.is_admin), yes(account.is_active));
                    let _ = write!(text, "\n{:<width$}  {admin:<5}  {active}", account.email);
                }
                say(&text)
            }
        }
    }
}

fn say(text: &str) -> Outcome {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

/// How the users are reached.
enum Way {
    /// A server that runs.
    Socket(PathBuf),
    Database(super::database::Db),
}

impl Way {
    /// Finds out, before anybody types a password for nothing.
    fn to(database: &Database) -> Outcome<Self> {
        let db = database.db();
        let socket = database.socket(&db);
        if let Some(socket) = socket.filter(|socket| database.names_socket() || is_served(socket)) {
            return Ok(Way::Socket(socket));
        }
        if let Some(file) = db.file().filter(|file| !file.exists()) {
            let shown = file.display();
            return Err(format!(
                "there is no database {shown}: start it once by xos-core serve --db {shown}, or check the path"
            )
            .into());
        }
        Ok(Way::Database(db))
    }

    async fn open(self) -> Outcome<Accounts> {
        let socket = match self {
            Way::Socket(socket) => socket,
            Way::Database(db) => {
                let core: EmbeddedCore = db.open(Durability::Full).await?;
                return Ok(Accounts::new(Arc::new(core)));
            }
        };
        let client = CoreClient::new(CoreOptions::new(format!("unix:{}", socket.display())))?;
        match tokio::time::timeout(PATIENCE, client.ready()).await {
            Ok(ready) => ready?,
            Err(_) => {
                let why = client.why_away().map_or_else(|| "no answer".to_owned(), |error| error.to_string());
                return Err(format!("the server cannot be reached: {why}").into());
            }
        }
        Ok(Accounts::new(Arc::new(client)))
    }
}

/// Whether a server listens on this socket.
#[cfg(unix)]
fn is_served(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

#[cfg(not(unix))]
fn is_served(_: &Path) -> bool {
    false
}
