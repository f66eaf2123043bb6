//! Checking passwords: each once for all calls that come within a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tonic::Status;

use super::people::{Known, People};
use super::recent::Recent;
use super::throttle::{Attempt, Digested, Key, Throttle};
use super::{Person, shown, unreadable};
use crate::EmbeddedCore;
use crate::passwords::hash::{self, Secret};
use crate::server::call::Peer;

/// For how many seconds credentials that were right are taken for right, while the user's password stays.
const FRESH: f64 = 10.0;

/// Of how many users that is known.
const MOST: usize = 8192;

/// How many failed logins of a minute are logged.
const LOGGED: u32 = 20;

/// What came out of a check.
pub(super) enum Verdict {
    /// They are this user's.
    Right(Arc<Person>),
    /// They are nobody's: no such user, another password, none at all, or the user may not log in.
    Wrong,
    /// They were not looked at.
    Refused(Box<Status>),
}

/// Checks passwords.
pub(super) struct Checks {
    people: Arc<People>,
    inner: Arc<Inner>,
    in_flight: Mutex<HashMap<Digested, WeakShared<Checking>>>,
}

struct Inner {
    core: EmbeddedCore,
    key: Key,
    throttle: Throttle,
    /// Of each user the credentials that were right, and when.
    right: Mutex<Recent<String, (Digested, f64)>>,
    log: Mutex<Log>,
    #[cfg(test)]
    made: std::sync::atomic::AtomicUsize,
}

type Checking = BoxFuture<'static, Outcome>;

#[derive(Clone)]
enum Outcome {
    Right,
    Wrong,
    Wait(f64),
    Failed(Arc<xos_model_client::Error>),
}

/// One check.
struct Check {
    inner: Arc<Inner>,
    email: String,
    password: Secret,
    /// None for a user who cannot log in, and for one that is not.
    hash: Option<String>,
    digest: Digested,
    attempt: Attempt,
    peer: Peer,
}

impl Checks {
    pub(super) fn new(core: EmbeddedCore, people: Arc<People>) -> Self {
        let mut key = [0; 32];
        if let Err(error) = OsRng.try_fill_bytes(&mut key) {
            // Without it, what is counted can be told apart by who reads this process's memory: no more than that.
            tracing::error!(error = %error, "the system gives no random numbers");
        }
        let inner = Inner {
            core,
            key: Key(key),
            throttle: Throttle::new(),
            right: Mutex::new(Recent::new(MOST)),
            log: Mutex::new(Log::default()),
            #[cfg(test)]
            made: std::sync::atomic::AtomicUsize::new(0),
        };
        Checks { people, inner: Arc::new(inner), in_flight: Mutex::new(HashMap::new()) }
    }

    /// Whose credentials these are.
    pub(super) async fn check(&self, email: &str, password: Secret, peer: Peer) -> Verdict {
        let known = match self.people.by_email(email).await {
            Ok(known) => known.filter(|known| known.may_log_in()),
            Err(error) => return Verdict::Refused(Box::new(unreadable(&error))),
        };
        let inner = &self.inner;
        // With another password of the user they are other credentials.
        let fingerprint = known.as_ref().map_or("", |known| known.fingerprint.as_str());
        let digest = inner.key.digest(&[email.as_bytes(), password.bytes(), fingerprint.as_bytes()]);
        let attempt = Attempt::new(&inner.key, email, &digest, peer);
        // Before what is known to be right is looked at: else that could be guessed without end.
        if let Err(wait) = inner.throttle.admit(&attempt, inner.now()) {
            return refused(email, wait);
        }
        let outcome = if known.is_some() && inner.is_right(email, &digest) {
            Outcome::Right
        } else {
            let check = Check {
                inner: inner.clone(),
                email: email.to_owned(),
                password,
                hash: known.as_ref().and_then(|known| known.hash.clone()),
                digest,
                attempt,
                peer,
            };
            self.once(check).await
        };
        match (outcome, known) {
            (Outcome::Right, Some(known)) => right(&known),
            (Outcome::Right | Outcome::Wrong, _) => Verdict::Wrong,
            (Outcome::Wait(wait), _) => refused(email, wait),
            (Outcome::Failed(error), _) => Verdict::Refused(Box::new(unreadable(&error))),
        }
    }

    /// How many passwords were looked at.
    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        self.inner.made.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Joins the same check when it is being made already.
    async fn once(&self, check: Check) -> Outcome {
        let key = self.inner.key.digest(&[&check.digest, format!("{:?}", address(check.peer)).as_bytes()]);
        let checking = self.join(key, check);
        let outcome = checking.await;
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        outcome
    }

    fn join(&self, key: Digested, check: Check) -> Shared<Checking> {
        /// Those that nobody waits for any more are cleared away when there are so many.
        const MANY: usize = 256;
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(checking) = in_flight.get(&key).and_then(WeakShared::upgrade) {
            return checking;
        }
        if in_flight.len() >= MANY {
            in_flight.retain(|_, checking| checking.upgrade().is_some());
        }
        let checking = check.run().boxed().shared();
        if let Some(weak) = checking.downgrade() {
            in_flight.insert(key, weak);
        }
        checking
    }
}

impl Check {
    async fn run(self) -> Outcome {
        let Check { inner, email, password, hash, digest, attempt, peer } = self;
        let turn = hash::turn().await;
        // Others were found to be wrong while it waited.
        if let Err(wait) = inner.throttle.admit(&attempt, inner.now()) {
            return Outcome::Wait(wait);
        }
        let exists = hash.is_some();
        // So may this one have been found to be right.
        if exists && inner.is_right(&email, &digest) {
            return Outcome::Right;
        }
        let hash = hash.unwrap_or_else(|| hash::NOBODY.to_owned());
        let judged = move |right: bool| inner.judge(exists && right, email, digest, &attempt, peer);
        turn.verify(password, hash, judged).await.unwrap_or_else(|error| Outcome::Failed(Arc::new(error)))
    }
}

impl Inner {
    fn now(&self) -> f64 {
        self.core.now().seconds()
    }

    /// Whether these credentials were right a moment ago.
    fn is_right(&self, email: &str, digest: &Digested) -> bool {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((known, at)) = right.get(email) else { return false };
        (0.0..FRESH).contains(&(self.now() - *at)) && same(known, digest)
    }

    fn judge(&self, right: bool, email: String, digest: Digested, attempt: &Attempt, peer: Peer) -> Outcome {
        let now = self.now();
        #[cfg(test)]
        self.made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if right {
            self.throttle.right(attempt, now);
            self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(email, (digest, now));
            return Outcome::Right;
        }
        self.throttle.wrong(attempt, now);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unlogged) = log.admit(now) {
            let (user, address) = (shown(&email), address(peer));
            tracing::warn!(user = ?user, address, unlogged, "a login failed: wrong user name or password");
        }
        Outcome::Wrong
    }
}

/// Where somebody is, without the port.
fn address(peer: Peer) -> String {
    match peer {
        Peer::Local => "the Unix socket".to_owned(),
        Peer::Network(address) => address.ip().to_canonical().to_string(),
    }
}

fn right(known: &Known) -> Verdict {
    Verdict::Right(known.person.clone())
}

fn refused(email: &str, wait: f64) -> Verdict {
    let (user, seconds) = (shown(email), wait.ceil().max(1.0));
    let text = format!("too many wrong passwords for {user}, or from this address; try again in {seconds} s");
    Verdict::Refused(Box::new(Status::resource_exhausted(text)))
}

/// Whether both are the same, in a time that does not tell how much of them is.
fn same(one: &Digested, other: &Digested) -> bool {
    one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other)) == 0
}

/// How much was logged lately.
#[derive(Default)]
struct Log {
    since: f64,
    lines: u32,
    unlogged: u32,
}

impl Log {
    /// Whether one more line may be logged, and how many were not before it.
    fn admit(&mut self, now: f64) -> Option<u32> {
        if !(0.0..60.0).contains(&(now - self.since)) {
            (self.since, self.lines) = (now, 0);
        }
        if self.lines >= LOGGED {
            self.unlogged = self.unlogged.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failed_logins_is_not_a_flood_of_lines() {
        let mut log = Log::default();
        let logged = (0..1000).filter(|_| log.admit(100.0).is_some()).count();
        assert_eq!(logged, 20);
        assert_eq!(log.admit(161.0), Some(980));
        assert_eq!(log.admit(161.0), Some(0));
    }
}
