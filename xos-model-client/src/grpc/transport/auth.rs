//! Showing the credentials, and getting new ones when they are refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use super::fault::CallError;
use super::services::{put_text, text_field};
use super::{CallKind, CallMeta, Queue, Transport};
use crate::grpc::options::{CoreOptions, Credentials, LoginBy};
use crate::grpc::status::{Code, is_auth_refusal};

/// For how long a refusal answers for the core: each attempt costs it a slow hash.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// How many secrets are kept to be taken out of the core's words.
const REMEMBERED: usize = 8;

/// What is shown with a call.
pub(super) struct Badge {
    key: &'static str,
    value: MetadataValue<Ascii>,
    password: SecretString,
    by_session: bool,
}

impl Badge {
    pub(super) fn show(&self, metadata: &mut MetadataMap) {
        metadata.insert(self.key, self.value.clone());
    }
}

/// The credentials of one transport.
pub(super) struct Auth {
    credentials: Option<Credentials>,
    login: LoginBy,
    badge: Mutex<Option<Arc<Badge>>>,
    /// Held by whoever gets a new badge, so that one is got at a time; with when and why that failed last.
    getting: tokio::sync::Mutex<Option<(Instant, CallError)>>,
    secrets: Mutex<Vec<SecretString>>,
}

impl Auth {
    pub(super) fn new(options: &CoreOptions) -> Self {
        Auth {
            credentials: options.credentials.clone(),
            login: options.login,
            badge: Mutex::new(None),
            getting: tokio::sync::Mutex::new(None),
            secrets: Mutex::new(Vec::new()),
        }
    }

    fn current(&self) -> Option<Arc<Badge>> {
        self.badge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, badge: Badge) -> Arc<Badge> {
        let badge = Arc::new(badge);
        *self.badge.lock().unwrap_or_else(PoisonError::into_inner) = Some(badge.clone());
        badge
    }

    fn remember(&self, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secrets.iter().all(|known| known.expose_secret() != secret) {
            if secrets.len() == REMEMBERED {
                secrets.remove(0);
            }
            secrets.push(SecretString::from(secret.to_owned()));
        }
    }

    /// Takes all secrets out of an error, and tells a refusal to authenticate from other errors.
    pub(super) fn censor(&self, error: CallError) -> CallError {
        match error {
            CallError::Status { code, details } if is_auth_refusal(code, &details) => {
                // The core repeats user and password: its words go no further.
                CallError::Auth { reason: self.refused() }
            }
            CallError::Status { code, details } => CallError::Status { code, details: self.scrub(details) },
            CallError::Lost { reason } => CallError::Lost { reason: self.scrub(reason) },
            CallError::NotSent { reason, hint } => CallError::NotSent { reason: self.scrub(reason), hint },
            other => other,
        }
    }

    fn scrub(&self, mut text: String) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets.iter().map(SecretString::expose_secret) {
            // A very short one is part of ordinary words; taking it out everywhere would only tell it.
            if secret.len() >= 4 && text.contains(secret) {
                text = text.replace(secret, "[secret]");
            }
        }
        text
    }

    fn refused(&self) -> String {
        match &self.credentials {
            Some(Credentials { username, password }) => {
                format!("as {username} with {password:?}: check both, and that the user exists and is active")
            }
            None => "this call needs credentials, and there are none: set username and password".to_owned(),
        }
    }
}

impl Transport {
    /// What is shown with calls now.
    pub(super) async fn badge(&self) -> Result<Arc<Badge>, CallError> {
        match self.0.auth.current() {
            Some(badge) => Ok(badge),
            None => self.get_badge(None).await,
        }
    }

    /// Another one than this, which was refused.
    pub(super) async fn new_badge(&self, refused: &Arc<Badge>) -> Result<Arc<Badge>, CallError> {
        self.get_badge(Some(refused)).await
    }

    async fn get_badge(&self, refused: Option<&Arc<Badge>>) -> Result<Arc<Badge>, CallError> {
        let auth = &self.0.auth;
        let mut failed = self.unless_silent(auth.getting.lock()).await?;
        if let Some(badge) = auth.current()
            && refused.is_none_or(|refused| !Arc::ptr_eq(refused, &badge))
        {
            // Another call got it meanwhile.
            return Ok(badge);
        }
        if let Some((when, error)) = &*failed
            && when.elapsed() < REFUSED_FOR
        {
            return Err(error.clone());
        }
        *failed = None;
        let made = self.make_badge(refused.map(Arc::as_ref)).await;
        if let Err(error @ CallError::Auth { .. }) = &made {
            *failed = Some((Instant::now(), error.clone()));
        }
        made.map(|badge| auth.keep(badge))
    }

    async fn make_badge(&self, refused: Option<&Badge>) -> Result<Badge, CallError> {
        let auth = &self.0.auth;
        let Some(credentials) = &auth.credentials else {
            return Err(CallError::Auth { reason: auth.refused() });
        };
        let problem =
            |text: String| CallError::Auth { reason: format!("as {}: {text}", credentials.username) };
        let source = credentials.password.clone();
        // A file can be on a slow disk.
        let password = tokio::task::spawn_blocking(move || source.read())
            .await
            .map_err(|error| problem(format!("the password could not be read: {error}")))?
            .map_err(problem)?;
        auth.remember(password.expose_secret());
        let by_session = match auth.login {
            LoginBy::Session => true,
            LoginBy::Basic => {
                let checked = credentials.check_basic(&password);
                checked.map_err(|text| problem(format!("the credentials {text}")))?;
                false
            }
            LoginBy::Auto => credentials.check_basic(&password).is_err(),
        };
        if by_session {
            let session = self.log_in(&credentials.username, &password).await?;
            return shown("x-xossession", &session, password, true)
                .ok_or_else(|| problem("the core's session cannot be sent back to it".to_owned()));
        }
        let unchanged = |refused: &Badge| refused.password.expose_secret() == password.expose_secret();
        if refused.is_some_and(|refused| !refused.by_session && unchanged(refused)) {
            return Err(CallError::Auth { reason: auth.refused() });
        }
        let basic = STANDARD.encode(format!("{}:{}", credentials.username, password.expose_secret()));
        auth.remember(&basic);
        shown("authorization", &format!("Basic {basic}"), password, false)
            .ok_or_else(|| problem("the credentials cannot be sent".to_owned()))
    }

    /// Opens a session and gives its id.
    async fn log_in(&self, username: &str, password: &SecretString) -> Result<String, CallError> {
        let mut body = Vec::new();
        put_text(&mut body, 1, username);
        put_text(&mut body, 2, password.expose_secret());
        let path = PathAndQuery::from_static("/xos.utility/Login");
        let meta = CallMeta::default();
        let answer = self.send(&path, &body.into(), &meta, CallKind::Repeatable, None, Queue::Wait).await?;
        match text_field(&answer, 1) {
            Some(session) if !session.is_empty() => {
                self.0.auth.remember(&session);
                Ok(session)
            }
            _ => Err(CallError::Status {
                code: Code::INTERNAL,
                details: "the answer to Login has no session".into(),
            }),
        }
    }
}

fn shown(key: &'static str, text: &str, password: SecretString, by_session: bool) -> Option<Badge> {
    let mut value = MetadataValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(Badge { key, value, password, by_session })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::options::Password;

    #[test]
    fn the_cores_words_lose_every_secret() {
        let credentials = Some(Credentials::new("admin", Password::literal("letmein")));
        let auth = Auth::new(&CoreOptions { credentials, ..CoreOptions::default() });
        auth.remember("letmein");
        auth.remember("abc");
        let status =
            |code, details: &str| auth.censor(CallError::Status { code, details: details.to_owned() });
        let text = status(Code::UNKNOWN, "user admin:letmein broke abc").to_string();
        assert_eq!(text, "UNKNOWN: user admin:[secret] broke abc");
        let refused =
            "{\"fields\": {}, \"specific_error\": \"failed to authenticate admin:old\", \"error\": \"X\"}";
        match status(Code::PERMISSION_DENIED, refused) {
            CallError::Auth { reason } => {
                assert!(reason.contains("admin with the password as given"), "{reason}");
                assert!(!reason.contains("old"), "{reason}");
            }
            other => panic!("{other}"),
        }
        for n in 0..20 {
            auth.remember(&format!("secret {n}"));
        }
        assert_eq!(auth.secrets.lock().unwrap().len(), REMEMBERED);
    }
}
