//! A model with secrets, a step that tells them, and all that is logged.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_subscriber::layer::SubscriberExt as _;
use xos_sync::config::{LogFormat, LogLevel};
use xos_sync::prelude::*;

/// What nobody may see. As a whole and in its parts it is nothing else.
pub(crate) const CANARY: &str = "c4n4ry-\"Valar\"-Morghulis";

/// An account on a machine.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "vault")]
pub(crate) struct Account {
    #[xos(base)]
    pub(crate) base: XosBase,
    /// Whose it is
    #[xos(number = 1, max_length = 30, unique)]
    pub(crate) name: String,
    /// The password
    #[xos(number = 2, max_length = 40, unique)]
    pub(crate) password: Secret,
    /// A token, for programs
    #[xos(number = 3, secret, text)]
    pub(crate) token: Option<Secret>,
    /// What comes of it
    #[xos(number = 4, max_length = 30)]
    pub(crate) play: Option<String>,
}

pub(crate) fn account(name: &str, play: &str) -> Account {
    Account {
        name: name.into(),
        password: Secret::new(format!("{CANARY} of {name}")),
        token: Some(CANARY.into()),
        play: Some(play.into()),
        ..Default::default()
    }
}

/// Tells its secret in every way that a step has.
pub(crate) struct Login;

#[derive(Debug, thiserror::Error)]
#[error("cannot log in as {0}")]
struct Refused(String, #[source] io::Error);

impl SyncStep for Login {
    type Model = Account;

    async fn sync_record(&self, ctx: &Context, o: &mut Account) -> StepResult {
        let password = o.password.expose().to_owned();
        info!(?o, "logging in");
        match o.play.as_deref().unwrap_or_default() {
            "fails" => Err(StepError::failed(format!("the machine does not take {password}"))),
            "defers" => Err(StepError::deferred(format!("{password} later"))),
            "is innocuous" => Err(StepError::innocuous(format!("{password} is known"))),
            "wraps" => {
                Err(Refused(password.clone(), io::Error::other(format!("{password:?} is wrong"))).into())
            }
            "changes" => {
                o.password = Secret::new(format!("new {CANARY}"));
                ctx.save(o).await?;
                Err(StepError::failed(format!("{password} became {}", o.password.expose())))
            }
            "breaks rules" => {
                o.password = Secret::new(CANARY.repeat(9));
                ctx.save(o).await?;
                Ok(())
            }
            "panics" => panic!("{password} is no reason to panic"),
            "collides" => {
                let mut twin = account("twin", "");
                twin.password = o.password.clone();
                ctx.create(twin).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn delete_record(&self, _ctx: &Context, o: &Account) -> StepResult {
        Err(StepError::failed(format!("{} still logs in", o.password.expose())))
    }
}

/// How a play ends.
pub(crate) const PLAYS: [&str; 9] =
    ["succeeds", "fails", "defers", "is innocuous", "wraps", "changes", "breaks rules", "collides", "panics"];

/// All that was logged since the process began.
struct Lines;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged in this process from now on is kept.
pub(crate) fn listen() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(|| Lines);
        let ours = xos_sync::logging::layer_to(LogFormat::Json, LogLevel::Debug, Lines);
        let all = tracing_subscriber::registry().with(lines).with(ours);
        xos_sync::tracing::subscriber::set_global_default(all).unwrap();
    });
}

/// What was logged so far.
pub(crate) fn logged() -> String {
    String::from_utf8(LOG.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
}

/// The text has no part of the secret.
#[track_caller]
pub(crate) fn assert_clean(what: &str, text: &str) {
    for part in ["c4n4ry", "Valar", "Morghulis"] {
        if let Some(at) = text.find(part) {
            let around: String = text[..at].lines().last().unwrap_or_default().chars().collect();
            panic!("{what} shows a secret after: {around}");
        }
    }
}
