//! Sessions: kept in the database beside the objects, so that they survive a restart and count for every server of it.
//!
//! Only the SHA-256 of a session's id is stored. What is stored of a session never changes; when it was last used is
//! kept beside it, so that a late note of its use cannot bring back one that was ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use xos_model_client::{ErrorKind, ObjectId, Result};

use super::people::hex;
use super::recent::Recent;
use crate::EmbeddedCore;

/// Where sessions are remembered: user, fingerprint of the password, when it began.
const SESSIONS: &str = "session";

/// Where it is remembered when they were last used.
const USES: &str = "session used";

/// A session ends so many seconds after its last use: 14 days.
pub(super) const LIFETIME: f64 = 14.0 * 24.0 * 3600.0;

/// Its use is noted at most once in so many seconds.
const NOTE_EVERY: f64 = 3600.0;

/// For how many seconds a session that was read is taken as it was. Another server may have ended it.
const FRESH: f64 = 10.0;

/// How many sessions are held in memory.
const MOST: usize = 16 * 1024;

/// What sessions there are.
pub(super) struct Sessions {
    core: EmbeddedCore,
    held: Mutex<Recent<String, Held>>,
    /// Another number after each session that was ended here.
    ended: AtomicU64,
    /// When those that are over were last swept away.
    swept: Mutex<Option<f64>>,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) user: ObjectId,
    /// That of the password that the user had when it began.
    pub(super) fingerprint: String,
}

#[derive(Clone)]
struct Held {
    session: Session,
    used: f64,
    read: f64,
    ended: u64,
}

impl Sessions {
    pub(super) fn new(core: EmbeddedCore) -> Self {
        let held = Mutex::new(Recent::new(MOST));
        Sessions { core, held, ended: AtomicU64::new(0), swept: Mutex::new(None) }
    }

    /// Begins one, and tells its id: 192 random bits, 32 characters.
    pub(super) async fn begin(&self, user: ObjectId, fingerprint: &str) -> Result<String> {
        self.sweep_now_and_then().await;
        let mut id = [0_u8; 24];
        OsRng
            .try_fill_bytes(&mut id)
            .map_err(|error| ErrorKind::Unsupported(format!("give out a session now: {error}")))?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let value = json!({ "user": user.get(), "password": fingerprint, "began": self.now() });
        self.core.remember(SESSIONS, &key(&id), Some(value)).await?;
        Ok(id)
    }

    /// The session with this id, when it is not over.
    pub(super) async fn find(&self, id: &str) -> Result<Option<Session>> {
        let (key, now) = (key(id), self.now());
        let ended = self.ended.load(Ordering::SeqCst);
        let held = self.held().get(&key).cloned();
        let held = match held {
            Some(held) if held.ended == ended && (0.0..FRESH).contains(&(now - held.read)) => held,
            _ => match self.read(&key, now, ended).await? {
                Some(held) => held,
                None => {
                    self.held().remove(&key);
                    return Ok(None);
                }
            },
        };
        if now - held.used >= LIFETIME {
            return Ok(None);
        }
        let Held { session, used, .. } = held.clone();
        let noted = Held { used: if now - used >= NOTE_EVERY { now } else { used }, ..held };
        let note = noted.used > used;
        // Held before it is noted, so that calls at the same time note it once.
        self.held().insert(key.clone(), noted);
        if note && let Err(error) = self.core.remember(USES, &key, Some(now.into())).await {
            tracing::warn!(error = %error, "the use of a session could not be noted; it may end early");
        }
        Ok(Some(session))
    }

    async fn read(&self, key: &str, now: f64, ended: u64) -> Result<Option<Held>> {
        let Some(stored) = self.core.recall_one(SESSIONS, key).await? else { return Ok(None) };
        let noted = self.core.recall_one(USES, key).await?;
        let Some((session, used)) = parse(&stored, noted.as_ref()) else { return Ok(None) };
        Ok(Some(Held { session, used, read: now, ended }))
    }

    /// Ends one.
    pub(super) async fn end(&self, id: &str) -> Result<()> {
        let key = key(id);
        self.core.remember(SESSIONS, &key, None).await?;
        self.ended.fetch_add(1, Ordering::SeqCst);
        self.held().remove(&key);
        self.core.remember(USES, &key, None).await
    }

    /// Forgets the sessions that are over, at most once an hour.
    async fn sweep_now_and_then(&self) {
        let now = self.now();
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|swept| (0.0..NOTE_EVERY).contains(&(now - swept))) {
                return;
            }
            *swept = Some(now);
        }
        if let Err(error) = self.sweep().await {
            tracing::warn!(error = %error, "sessions that are over could not be swept away; they stay refused");
        }
    }

    /// Forgets the sessions that are over, and tells how many.
    pub(super) async fn sweep(&self) -> Result<usize> {
        let now = self.now();
        // Uses first: a session that began in between has none yet, and is not over.
        let uses = self.core.recall(USES).await?;
        let sessions = self.core.recall(SESSIONS).await?;
        let over = |key: &String, stored: &Json| {
            parse(stored, uses.get(key)).is_none_or(|(_, used)| now - used >= LIFETIME)
        };
        let gone: Vec<String> =
            sessions.iter().filter(|(key, stored)| over(key, stored)).map(|(key, _)| key.clone()).collect();
        let orphans = uses.keys().filter(|key| !sessions.contains_key(*key)).cloned();
        let forget = |keys: Vec<String>| keys.into_iter().map(|key| (key, None)).collect::<Vec<_>>();
        let uses: Vec<String> = gone.iter().cloned().chain(orphans).collect();
        let count = gone.len();
        if count > 0 {
            self.core.remember_all(SESSIONS, forget(gone)).await?;
        }
        if !uses.is_empty() {
            self.core.remember_all(USES, forget(uses)).await?;
        }
        Ok(count)
    }

    fn now(&self) -> f64 {
        self.core.now().seconds()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Recent<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a session is remembered by.
fn key(id: &str) -> String {
    hex(&Sha256::digest(id.as_bytes()))
}

/// What is remembered of a session, and when it was last used.
fn parse(stored: &Json, noted: Option<&Json>) -> Option<(Session, f64)> {
    let user = ObjectId::new(i32::try_from(stored.get("user")?.as_i64()?).ok()?);
    let fingerprint = stored.get("password")?.as_str()?.to_owned();
    let began = stored.get("began")?.as_f64()?;
    let last = noted.and_then(Json::as_f64).unwrap_or(began).max(began);
    Some((Session { user, fingerprint }, last))
}
