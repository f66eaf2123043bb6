//! Who calls: users, Basic credentials and sessions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::Status;

use super::server::Call;
use super::status::{exception, not_authenticated, permission_denied};

/// Somebody who may call.
#[derive(Clone)]
pub struct Account {
    /// The e-mail address, by which somebody logs in.
    pub email: String,
    /// The password.
    pub password: String,
    /// Whether they may do everything.
    pub is_admin: bool,
}

/// Who made a call.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) is_admin: bool,
}

/// The users and their sessions. Sessions outlive a restart, as in the database of a real core.
#[derive(Default)]
pub(crate) struct Accounts {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    accounts: HashMap<String, Account>,
    sessions: HashMap<String, String>,
    given_out: u64,
}

impl Accounts {
    pub(crate) fn add(&self, account: Account) {
        self.with(|inner| inner.accounts.insert(account.email.clone(), account));
    }

    /// Logs somebody in; the answer is the session.
    pub(crate) fn login(&self, username: &str, password: &str) -> Result<String, Status> {
        if username.is_empty() {
            return Err(not_authenticated("No username"));
        }
        self.with(|inner| {
            let known = inner.accounts.get(username).is_some_and(|account| account.password == password);
            if !known {
                return Err(not_authenticated(&format!("Failed to authenticate user {username}")));
            }
            inner.given_out += 1;
            let session = format!("session{:025}", inner.given_out);
            inner.sessions.insert(session.clone(), username.to_owned());
            Ok(session)
        })
    }

    pub(crate) fn logout(&self, call: &Call) {
        if let Some(session) = call.metadata("x-xossession") {
            self.with(|inner| inner.sessions.remove(session));
        }
    }

    /// Who makes a call.
    ///
    /// # Errors
    ///
    /// The status of a call without credentials, or with such that are not right.
    pub(crate) fn caller(&self, call: &Call) -> Result<User, Status> {
        if let Some(text) = call.metadata("authorization") {
            // As the core splits it: at the first blank, and what it decodes at each colon.
            let Some((method, encoded)) = text.split_once(' ') else {
                return Err(exception("need more than 1 value to unpack"));
            };
            if method.eq_ignore_ascii_case("basic") {
                return self.basic(encoded);
            }
        }
        if let Some(session) = call.metadata("x-xossession") {
            let user = self.with(|inner| {
                let email = inner.sessions.get(session)?;
                inner.accounts.get(email).map(User::of)
            });
            return user.ok_or_else(|| permission_denied(&format!("failed to authenticate token {session}")));
        }
        Err(not_authenticated("This API requires authentication"))
    }

    fn basic(&self, encoded: &str) -> Result<User, Status> {
        let decoded = decode(encoded);
        let mut parts = decoded.split(':');
        let (email, Some(password), None) = (parts.next().unwrap_or_default(), parts.next(), parts.next())
        else {
            let text = if decoded.contains(':') {
                "too many values to unpack"
            } else {
                "need more than 1 value to unpack"
            };
            return Err(exception(text));
        };
        let user = self.with(|inner| {
            inner.accounts.get(email).filter(|account| account.password == password).map(User::of)
        });
        user.ok_or_else(|| permission_denied(&format!("failed to authenticate {email}:{password}")))
    }

    fn with<T>(&self, what: impl FnOnce(&mut Inner) -> T) -> T {
        what(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl User {
    fn of(account: &Account) -> Self {
        User { email: account.email.clone(), is_admin: account.is_admin }
    }
}

/// Base64 as Python decodes it: what is not of its alphabet is passed over.
fn decode(encoded: &str) -> String {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config.with_decode_allow_trailing_bits(true));
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'+' || *byte == b'/';
    let encoded: Vec<u8> = encoded.bytes().filter(known).collect();
    String::from_utf8_lossy(&engine.decode(encoded).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(authorization: &'static str) -> Result<User, Status> {
        let accounts = Accounts::default();
        accounts.add(Account { email: "a@b".into(), password: "word".into(), is_admin: true });
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", http::HeaderValue::from_static(authorization));
        accounts.caller(&Call { method: String::new(), headers, message: bytes::Bytes::new() })
    }

    #[test]
    fn credentials_are_taken_apart_as_the_core_does() {
        assert_eq!(caller("Basic YUBiOndvcmQ=").unwrap().email, "a@b");
        assert_eq!(caller("basic YUBiOndvcmQ=").unwrap().email, "a@b");
        let unpack = "Exception calling application: need more than 1 value to unpack";
        for (bad, text) in [
            ("Basic", unpack),
            ("Basic ***", unpack),
            ("Basic YUBi", unpack),
            ("Basic YTpiOmM=", "Exception calling application: too many values to unpack"),
        ] {
            assert_eq!(caller(bad).unwrap_err().message(), text, "{bad}");
        }
        let wrong = caller("Basic YUBiOng=").unwrap_err();
        assert_eq!(wrong.code(), tonic::Code::PermissionDenied);
        assert!(wrong.message().contains("failed to authenticate a@b:x"), "{wrong}");
        assert_eq!(caller("Bearer abc").unwrap_err().code(), tonic::Code::Unauthenticated);
    }
}
