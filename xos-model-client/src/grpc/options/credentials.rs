//! As whom to call.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// A user of the core, and where the password comes from.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user, an e-mail address in a core 4.0.4.
    pub username: String,
    /// The password.
    pub password: Password,
}

/// Where a password comes from. A file or a variable is read again when the core refuses what it held, so that a
/// password can be changed under a running program.
#[derive(Clone)]
pub struct Password(Source);

#[derive(Clone)]
enum Source {
    Literal(SecretString),
    File(PathBuf),
    Env(String),
}

/// How credentials are shown to the core.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum LoginBy {
    /// With each call, except where the user or the password has a colon, which a core 4.0.4 cannot read that way: then
    /// by session.
    #[default]
    Auto,
    /// With each call (`authorization: Basic`).
    Basic,
    /// By one login, whose session is shown with each call (`x-xossession`).
    Session,
}

impl Credentials {
    /// This user with this password.
    pub fn new(username: impl Into<String>, password: Password) -> Self {
        Credentials { username: username.into(), password }
    }

    pub(super) fn check(&self, login: LoginBy) -> Result<(), String> {
        if self.username.is_empty() {
            return Err("have no username".to_owned());
        }
        if let (Source::Literal(password), LoginBy::Basic) = (&self.password.0, login) {
            self.check_basic(password)?;
        }
        Ok(())
    }

    /// Whether the core can take this by Basic.
    pub(crate) fn check_basic(&self, password: &SecretString) -> Result<(), String> {
        let what = if self.username.contains(':') {
            "user"
        } else if password.expose_secret().contains(':') {
            "password"
        } else {
            return Ok(());
        };
        Err(format!(
            "have a colon in the {what}, which a core cannot read by Basic; log in by session or auto"
        ))
    }
}

impl Password {
    /// This one. For a program that is tried out; a file can be changed while it runs.
    pub fn literal(password: impl Into<String>) -> Self {
        Password(Source::Literal(SecretString::from(password.into())))
    }

    /// The first line of this file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Password(Source::File(path.into()))
    }

    /// This environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Password(Source::Env(name.into()))
    }

    /// Reads it. The error says what is wrong with the source, never what is in it.
    pub(crate) fn read(&self) -> Result<SecretString, String> {
        let text = match &self.0 {
            Source::Literal(password) => return Ok(password.clone()),
            Source::File(path) => {
                let shown = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("the password file {shown} cannot be read: {error}"))?;
                text.lines().next().unwrap_or_default().trim_end_matches('\r').to_owned()
            }
            Source::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => {
                    return Err(format!(
                        "the environment variable {name}, which holds the password, is not set"
                    ));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(format!(
                        "the environment variable {name}, which holds the password, is no text"
                    ));
                }
            },
        };
        if text.is_empty() {
            return Err(format!("{self:?} is empty"));
        }
        Ok(SecretString::from(text))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Literal(_) => f.write_str("the password as given"),
            Source::File(path) => write!(f, "the password file {}", path.display()),
            Source::Env(name) => write!(f, "the password in the environment variable {name}"),
        }
    }
}

impl From<SecretString> for Password {
    fn from(password: SecretString) -> Self {
        Password(Source::Literal(password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, " top:secret \r\nsecond line\n").unwrap();
        assert_eq!(Password::file(&path).read().unwrap().expose_secret(), " top:secret ");
    }

    #[test]
    fn a_source_without_a_password_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        assert!(Password::file(&path).read().unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "\nnot this\n").unwrap();
        let problem = Password::file(&path).read().unwrap_err();
        assert!(problem.ends_with("password is empty"), "{problem}");
        assert!(!problem.contains("not this"));
        let problem = Password::env("XOS_NO_SUCH_VARIABLE").read().unwrap_err();
        assert!(problem.contains("XOS_NO_SUCH_VARIABLE"), "{problem}");
    }

    #[test]
    fn a_colon_needs_a_session() {
        let with = |user: &str, password: &str, login| {
            Credentials::new(user, Password::literal(password)).check(login)
        };
        assert!(with("admin", "a:b", LoginBy::Basic).unwrap_err().contains("colon in the password"));
        assert!(with("ad:min", "ab", LoginBy::Basic).unwrap_err().contains("colon in the user"));
        assert_eq!(with("admin", "a:b", LoginBy::Auto), Ok(()));
        assert_eq!(with("admin", "a:b", LoginBy::Session), Ok(()));
        assert_eq!(with("admin", "ab", LoginBy::Basic), Ok(()));
        assert!(with("", "ab", LoginBy::Basic).is_err());
    }
}
