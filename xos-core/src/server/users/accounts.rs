//! The users of a core, for the program that serves it.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use xos_model_client::models::{Site, User};
use xos_model_client::{
    Caller, Error, ErrorKind, FieldFault, Link, ModelAccessor, ModelClient, ObjectId, Result,
};

use super::first_start::{self, FirstStart};
use crate::EmbeddedCore;
use crate::passwords;

/// A password shorter than this, in characters, is warned of.
const SHORT: usize = 8;

/// Adds users, changes their passwords and lists them: over an embedded core, or over a client of one that is served.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use xos_core::server::{Accounts, NewAccount};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> xos_model_client::Result<()> {
/// let core = xos_core::EmbeddedCore::in_memory()?;
/// Accounts::first_start(&core, Some("a long password".into())).await?;
/// let accounts = Accounts::new(Arc::new(core));
/// accounts.add(NewAccount::new("joe@example.com", "another password".into())).await?;
/// let emails: Vec<String> = accounts.list().await?.into_iter().map(|account| account.email).collect();
/// assert_eq!(emails, ["admin@opencord.org", "joe@example.com"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Accounts {
    client: ModelClient,
}

/// A user to be added.
pub struct NewAccount {
    /// The e-mail address, by which they log in.
    pub email: String,
    /// The password: from 1 to 256 characters.
    pub password: SecretString,
    /// Whether they may do everything. Default: no.
    pub is_admin: bool,
    /// The given name. Default: what stands before the `@`.
    pub firstname: String,
    /// The family name. Default: what stands behind the `@`.
    pub lastname: String,
    /// The name of their site. Default: the first one.
    pub site: Option<String>,
}

/// A user, as they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The id of the `User`.
    pub id: ObjectId,
    /// The e-mail address.
    pub email: String,
    /// Whether they may do everything.
    pub is_admin: bool,
    /// Whether they may log in, when they have a password.
    pub is_active: bool,
    /// The id of their site.
    pub site: ObjectId,
}

impl NewAccount {
    /// A user with this e-mail address and password, and defaults for the rest.
    pub fn new(email: impl Into<String>, password: SecretString) -> Self {
        let email = email.into();
        let (first, last) = email.split_once('@').unwrap_or((&email, &email));
        let (firstname, lastname) = (first.to_owned(), last.to_owned());
        NewAccount { firstname, lastname, email, password, is_admin: false, site: None }
    }
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewAccount({}, admin: {})", self.email, self.is_admin)
    }
}

impl Accounts {
    /// The users of this core.
    pub fn new(core: Arc<dyn ModelAccessor>) -> Self {
        Accounts { client: ModelClient::new(core, Caller::Client) }
    }

    /// Creates what clients expect of a core, where it is missing: the site `mysite` (id 1 in an empty database), the
    /// roles `admin` of a site and `admin` and `access` of a slice, and, when no administrator has a password, the
    /// administrator `admin@opencord.org` with this one. To be called at each start.
    ///
    /// # Guarantees
    ///
    /// Called again it changes nothing. A password is used only while there is no administrator with one; later it is
    /// ignored, and that is logged. On an empty SQLite database all is made in one transaction.
    ///
    /// # Errors
    ///
    /// No administrator has a password and none was given, or one that is empty, the word `Something`, a hash, or
    /// longer than 256 characters. What the store says when it cannot be read or written.
    pub async fn first_start(core: &EmbeddedCore, password: Option<SecretString>) -> Result<FirstStart> {
        first_start::first_start(core, password).await
    }

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`]: there is a user with that e-mail address, no such site, or the password cannot be used.
    pub async fn add(&self, account: NewAccount) -> Result<ObjectId> {
        let email = account.email.trim();
        if email.is_empty() || email.contains(':') {
            let problem = "expected an e-mail address: not empty, without a colon";
            return Err(invalid(ObjectId::UNSET, "email", problem));
        }
        if self.find(email).await?.is_some() {
            return Err(invalid(ObjectId::UNSET, "email", format!("there is a user {email} already")));
        }
        let password = checked(ObjectId::UNSET, email, &account.password)?;
        let site = match &account.site {
            Some(name) => self.client.objects::<Site>().filter(Site::NAME.eq(name.as_str())).first().await?,
            None => self.client.objects::<Site>().first().await?,
        };
        let Some(site) = site else {
            let named = account.site.map_or_else(|| "at all".to_owned(), |name| format!("named {name}"));
            return Err(invalid(
                ObjectId::UNSET,
                "site",
                format!("there is no site {named}: create it first"),
            ));
        };
        let user = User {
            email: email.to_owned(),
            password,
            firstname: account.firstname,
            lastname: account.lastname,
            is_admin: account.is_admin,
            site: Link::to(site.id),
            ..User::default()
        };
        Ok(self.client.create(user).await?.id)
    }

    /// Gives a user another password. Their sessions end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotOne`] when there is no such user; [`ErrorKind::Invalid`] when the password cannot be used.
    pub async fn set_password(&self, email: &str, password: &SecretString) -> Result<()> {
        let Some(mut user) = self.find(email).await? else {
            return Err(ErrorKind::NotOne { model: "User".into(), found: 0 }.into());
        };
        user.password = checked(user.id, email, password)?;
        self.client.save(&mut user).await
    }

    /// All live users, by ascending id.
    ///
    /// # Errors
    ///
    /// A core that is away.
    pub async fn list(&self) -> Result<Vec<Account>> {
        let users = self.client.objects::<User>().all().await?;
        Ok(users.into_iter().map(Account::from).collect())
    }

    async fn find(&self, email: &str) -> Result<Option<User>> {
        self.client.objects::<User>().filter(User::EMAIL.eq(email)).first().await
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Account {
            id: user.id,
            is_admin: user.is_admin,
            is_active: user.is_active,
            site: user.site.id(),
            email: user.email,
        }
    }
}

fn checked(id: ObjectId, email: &str, password: &SecretString) -> Result<String> {
    let password = password.expose_secret();
    usable(password).map_err(|problem| invalid(id, "password", problem))?;
    if password.chars().count() < SHORT {
        tracing::warn!(user = ?email, "the password is shorter than {SHORT} characters: easy to guess");
    }
    Ok(password.to_owned())
}

/// Whether somebody can log in with a password.
pub(super) fn usable(password: &str) -> std::result::Result<(), String> {
    if password.is_empty() {
        return Err("is empty; give at least one character".to_owned());
    }
    if password == passwords::NONE {
        return Err(format!("cannot be the word {}: the core takes that for none", passwords::NONE));
    }
    passwords::check(password)
}

fn invalid(id: ObjectId, field: &str, problem: impl Into<String>) -> Error {
    Error::invalid("User", id, vec![FieldFault::of(field, problem)])
}
