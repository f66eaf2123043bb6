//! Who calls: users, passwords, sessions.
//!
//! A call says who makes it by Basic credentials (`authorization`), or by the session (`x-xossession`) that `Login`
//! gave out. Unlike in the core, a password may have a colon in it, and no answer repeats a password.

mod accounts;
mod basic;
mod checks;
mod first_start;
mod people;
mod recent;
mod sessions;
#[cfg(test)]
mod tests;
mod throttle;

use std::sync::Arc;

use tonic::Status;
use xos_model_client::ObjectId;

pub use self::accounts::{Account, Accounts, NewAccount};
pub use self::first_start::FirstStart;

use self::basic::Credentials;
use self::checks::{Checks, Verdict};
use self::people::People;
use self::sessions::Sessions;
use super::call::{Call, Peer};
use super::status::{not_authenticated, permission_denied};
use crate::EmbeddedCore;
use crate::passwords::hash::Secret;

/// Who made a call.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// Somebody on the Unix socket who gave no credentials: may do everything.
    Local,
    /// A user with a password or a session.
    User(Arc<Person>),
}

/// A user.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: ObjectId,
    pub(crate) email: String,
    pub(crate) is_admin: bool,
}

/// The users of a core.
pub(crate) struct Users {
    people: Arc<People>,
    checks: Checks,
    sessions: Sessions,
}

impl Users {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        let people = Arc::new(People::new(core.clone()));
        Users { checks: Checks::new(core.clone(), people.clone()), sessions: Sessions::new(core), people }
    }

    /// Who makes a call. Credentials count on the Unix socket too; without any, whoever opened it may do everything.
    ///
    /// # Errors
    ///
    /// The status of a call without credentials, or with such that are not right: `PERMISSION_DENIED`, as in the core,
    /// without the password. `RESOURCE_EXHAUSTED` after too many wrong ones.
    pub(crate) async fn caller(&self, call: &Call) -> Result<Who, Status> {
        if let Some(text) = call.metadata("authorization")
            && let Some(credentials) = Credentials::parse(text)?
        {
            return self.by_password(credentials, call.peer).await.map(Who::User);
        }
        if let Some(session) = call.metadata("x-xossession") {
            return self.by_session(session).await.map(Who::User);
        }
        if call.is_local() {
            return Ok(Who::Local);
        }
        Err(not_authenticated("This API requires authentication"))
    }

    async fn by_password(&self, credentials: Credentials, peer: Peer) -> Result<Arc<Person>, Status> {
        let Credentials { email, password } = credentials;
        match self.checks.check(&email, password, peer).await {
            Verdict::Right(person) => Ok(person),
            Verdict::Wrong => Err(permission_denied(&format!("failed to authenticate {email}"))),
            Verdict::Refused(status) => Err(*status),
        }
    }

    async fn by_session(&self, session: &str) -> Result<Arc<Person>, Status> {
        let unknown = || permission_denied(&format!("failed to authenticate token {}", shown(session)));
        let found = self.sessions.find(session).await.map_err(|error| unreadable(&error))?;
        let Some(found) = found else { return Err(unknown()) };
        let known = self.people.by_id(found.user).await.map_err(|error| unreadable(&error))?;
        match known {
            Some(known) if known.may_log_in() && known.fingerprint == found.fingerprint => {
                Ok(known.person.clone())
            }
            _ => Err(unknown()),
        }
    }

    /// Begins a session: what a client sends as `x-xossession` from now on. It ends by [`logout`](Users::logout), 14
    /// days after its last use, and when the user's password changes or they may not log in any more.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED`: no user name, or none with that password. `RESOURCE_EXHAUSTED` after too many wrong ones.
    pub(crate) async fn login(&self, username: &str, password: &str, peer: Peer) -> Result<String, Status> {
        if username.is_empty() {
            return Err(not_authenticated("No username"));
        }
        let wrong = || not_authenticated(&format!("Failed to authenticate user {}", shown(username)));
        let person = match self.checks.check(username, Secret::from(password), peer).await {
            Verdict::Right(person) => person,
            Verdict::Wrong => return Err(wrong()),
            Verdict::Refused(status) => return Err(*status),
        };
        let known = self.people.by_id(person.id).await.map_err(|error| unreadable(&error))?;
        let Some(known) = known else { return Err(wrong()) };
        self.sessions.begin(person.id, &known.fingerprint).await.map_err(|error| unreadable(&error))
    }

    /// Ends the session that a call names; one that names none, or one that is over, ends nothing.
    ///
    /// # Errors
    ///
    /// `UNAVAILABLE` when it could not be stored.
    pub(crate) async fn logout(&self, call: &Call) -> Result<(), Status> {
        match call.metadata("x-xossession") {
            Some(session) => self.sessions.end(session).await.map_err(|error| unreadable(&error)),
            None => Ok(()),
        }
    }
}

/// What a caller sent, no longer than any that is real.
fn shown(text: &str) -> String {
    const LONGEST: usize = 256;
    text.chars().take(LONGEST).collect()
}

/// The caller is nobody yet: what is wrong with the database is for the log only.
fn unreadable(error: &xos_model_client::Error) -> Status {
    tracing::error!(error = %error, "users and sessions cannot be read or stored");
    Status::unavailable("users and sessions cannot be read now; try again, and see the log of the core")
}
