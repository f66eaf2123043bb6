//! What a database has before anybody calls: an administrator, a site, roles.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use xos_model_client::models::{Role, Site, User};
use xos_model_client::{
    Caller, ErrorKind, FieldPos, Guard, Model, ModelAccessor as _, ModelClient, ObjectId, Op, Result, Target,
    Value, Write, Written,
};

use super::accounts::usable;
use crate::EmbeddedCore;
use crate::passwords::is_hash;

/// The administrator that clients of XOS log in as.
const ADMIN: &str = "admin@opencord.org";

/// The site that they expect: `Site` 1 of an empty database.
const SITE: &str = "mysite";

/// What the policies of the core ask for by name: the permission `role:admin` on a site or on a slice, and any on a
/// slice.
const ROLES: [(&str, &str, &str); 3] = [
    ("site", "admin", "May change the site, its users and its slices"),
    ("slice", "admin", "May change the slice"),
    ("slice", "access", "May use the slice"),
];

/// What [`first_start`](super::Accounts::first_start) found or did.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FirstStart {
    /// There was no administrator: one was created, with the password.
    Created,
    /// The administrator had no password yet: it was set.
    PasswordSet,
    /// An administrator with a password is there. A password that was given was not used.
    Unchanged,
}

/// Creates what is missing.
pub(super) async fn first_start(core: &EmbeddedCore, password: Option<SecretString>) -> Result<FirstStart> {
    let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
    let admins = client.objects::<User>().filter(User::IS_ADMIN.eq(true)).all().await?;
    let known = client.objects::<User>().filter(User::EMAIL.eq(ADMIN)).first().await?;
    let has_one = admins.iter().any(|admin| admin.is_active && is_hash(&admin.password));
    let password = match (has_one, password) {
        (true, given) => {
            if given.is_some() {
                tracing::info!(
                    "there is an administrator with a password: the one that was given is not used"
                );
            }
            None
        }
        (false, Some(given)) => {
            usable(given.expose_secret()).map_err(|problem| cannot(&format!("the password {problem}")))?;
            Some(given)
        }
        (false, None) => {
            let what =
                "there is no administrator with a password: give one in a file or in XOS_ADMIN_PASSWORD";
            return Err(cannot(what));
        }
    };
    let sites = client.objects::<Site>();
    let site = match client.objects::<Site>().filter(Site::NAME.eq(SITE)).first().await? {
        Some(site) => Some(site.id),
        None => sites.first().await?.map(|site| site.id),
    };
    let roles = client.objects::<Role>().all().await?;
    let mut writes = Vec::new();
    if site.is_none() {
        writes.push(create::<Site>(&[
            ("name", SITE.into()),
            ("login_base", SITE.into()),
            ("abbreviated_name", SITE.into()),
            ("site_url", "http://opencord.org/".into()),
        ]));
    }
    for (kind, name, what) in ROLES {
        if !roles.iter().any(|role| role.role_type == kind && role.role.as_deref() == Some(name)) {
            let fields = [("role_type", kind.into()), ("role", name.into()), ("description", what.into())];
            writes.push(create::<Role>(&fields));
        }
    }
    let others = writes.len();
    // The first object of an empty database has the id 1. Where it does not, the administrator follows.
    let at = site.unwrap_or(ObjectId::new(1));
    let admin = match (&password, &known) {
        (Some(password), None) => {
            writes.push(admin(password, at));
            FirstStart::Created
        }
        (Some(_), Some(_)) => FirstStart::PasswordSet,
        (None, _) => FirstStart::Unchanged,
    };
    let mut answers = if writes.is_empty() { Vec::new() } else { core.write(writes).await };
    let created = answers.drain(others.min(answers.len())..).next();
    let mut made = site;
    for written in answers {
        made = made.or(Some(written?.id));
    }
    if let (Some(password), Some(Err(_)), Some(site)) = (&password, created, made) {
        one(core.write(vec![self::admin(password, site)]).await)?;
    }
    if let (Some(password), Some(mut user)) = (password, known) {
        password.expose_secret().clone_into(&mut user.password);
        (user.is_admin, user.is_active) = (true, true);
        client.save(&mut user).await?;
    }
    if admin != FirstStart::Unchanged {
        tracing::info!(user = ADMIN, "the administrator has a password now");
    }
    Ok(admin)
}

fn admin(password: &SecretString, site: ObjectId) -> Write {
    create::<User>(&[
        ("email", ADMIN.into()),
        ("password", password.expose_secret().into()),
        ("firstname", "XOS".into()),
        ("lastname", "admin".into()),
        ("is_admin", true.into()),
        ("site", Value::Link(site)),
    ])
}

fn create<M: Model>(fields: &[(&str, Value)]) -> Write {
    let shape = M::shape();
    let placed = fields.iter().filter_map(|(name, value)| {
        let at = FieldPos::try_from(shape.position(name)?).ok()?;
        Some((at, value.clone()))
    });
    let op = Op::Create(placed.collect());
    Write { shape: shape.clone(), target: Target::New, op, by: Caller::Client, guard: Guard::None }
}

fn one(answers: Vec<Result<Written>>) -> Result<()> {
    answers.into_iter().try_for_each(|written| written.map(drop))
}

fn cannot(why: &str) -> xos_model_client::Error {
    ErrorKind::Unsupported(format!("be served: {why}")).into()
}
