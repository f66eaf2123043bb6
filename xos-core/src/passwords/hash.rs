//! Hashing passwords, and checking them: argon2id, on threads that may block.
//!
//! 19 MiB, 2 passes, 1 lane (the parameters that the crate and OWASP recommend): tens of milliseconds of one processor. At most
//! [`AT_ONCE`] are at work at once in a process, so that nobody can keep the machine busy, or fill it, by logging in.

use std::fmt;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use xos_model_client::{Error, ErrorKind, Result};

/// How many passwords are hashed or checked at once in this process.
pub(crate) const AT_ONCE: usize = 2;

/// Memory in KiB, passes, lanes.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash of a password that nobody knows: checking it takes as long as checking one that somebody has, so that the
/// time does not tell which users there are.
pub(crate) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdC4u$\
                                 Y2Fubm90IGJlIGd1ZXNzZWQgYnkgYW55Ym9keSBldmU";

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// A password: not shown by `Debug`, wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Secret(SecretString);

impl From<String> for Secret {
    fn from(password: String) -> Self {
        Secret(password.into())
    }
}

impl From<&str> for Secret {
    fn from(password: &str) -> Self {
        Secret(password.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[a password]")
    }
}

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

/// The turn of one password. Others wait until its work has ended, also when nobody waits for the result any more.
pub(crate) struct Turn {
    _permit: Option<SemaphorePermit<'static>>,
}

/// Waits until it is the turn of one more password.
pub(crate) async fn turn() -> Turn {
    // The semaphore is never closed.
    Turn { _permit: TURNS.acquire().await.ok() }
}

impl Turn {
    /// The hash of a password, with a salt of its own, in the PHC format.
    pub(crate) async fn hash(self, password: Secret) -> Result<String> {
        self.run(move || {
            let mut salt = [0_u8; 16];
            OsRng.try_fill_bytes(&mut salt).map_err(|error| failed(&error))?;
            let salt = SaltString::encode_b64(&salt).map_err(|error| failed(&error))?;
            let hash = hasher()?.hash_password(password.bytes(), &salt).map_err(|error| failed(&error))?;
            Ok(hash.to_string())
        })
        .await?
    }

    /// Whether this is the password with that hash. `judged` is told on the thread that found it out, also when the
    /// caller has gone; what it answers is the answer.
    pub(crate) async fn verify<T: Send + 'static>(
        self,
        password: Secret,
        hash: String,
        judged: impl FnOnce(bool) -> T + Send + 'static,
    ) -> Result<T> {
        self.run(move || {
            // The parameters are those of the hash.
            let right = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.bytes(), &hash).is_ok());
            judged(right)
        })
        .await
    }

    async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let work = move || {
            let result = work();
            drop(self);
            result
        };
        if tokio::runtime::Handle::try_current().is_err() {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))
    }
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| failed(&error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn failed(error: &dyn fmt::Display) -> Error {
    ErrorKind::Unsupported(format!("hash a password now: {error}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn verify(password: &str, hash: &str) -> bool {
        turn().await.verify(password.into(), hash.to_owned(), |right| right).await.unwrap()
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_no_other_is() {
        let hash = turn().await.hash("letmein".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("letmein", &hash).await);
        assert!(!verify("letmeout", &hash).await);
        assert!(!verify("letmein", "Something").await);
        assert_ne!(hash, turn().await.hash("letmein".into()).await.unwrap(), "each has a salt of its own");
        assert_eq!(format!("{:?}", Secret::from("letmein")), "[a password]");
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let somebody = turn().await.hash("letmein".into()).await.unwrap();
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.params, somebody.params);
        assert_eq!(nobody.algorithm, somebody.algorithm);
        let length = |hash: &PasswordHash<'_>| hash.hash.map(|hash| hash.len());
        assert_eq!(length(&nobody), length(&somebody));
        assert!(!verify("", NOBODY).await);
    }
}
