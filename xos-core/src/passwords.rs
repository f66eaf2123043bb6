//! Passwords of users on their way into the store: hashed, never as they are.
//!
//! The field `password` of a `User` holds, as in the core, a hash, or its default `Something` when the user has no
//! password and cannot log in. Whoever writes it, in process or over the network, gives the password itself:
//!
//! - a password is hashed (argon2id) before the store sees it; the one that the user has already changes nothing;
//! - the stored hash itself, as a client sends it back that read it, changes nothing;
//! - any other hash is refused: nobody can give a user a password that was never hashed here, and a hash that is stale
//!   is not taken for a password;
//! - `Something` takes the password away.
//!
//! A core that was built without the feature `server` has nothing to hash with, and refuses passwords.

#[cfg(feature = "server")]
pub(crate) mod hash;

use std::sync::{Arc, OnceLock};

use xos_model_client::{
    Error, FieldFault, FieldPos, Kind, ModelAccessor as _, ObjectId, Op, Result, Schema, Shape, ShapeField,
    Target, Value, Write, Written,
};

use crate::EmbeddedCore;

/// The model's default: no password.
pub(crate) const NONE: &str = "Something";

/// The longest password, in characters: what the model permits.
pub(crate) const LONGEST: usize = 256;

/// How a hash begins.
const HASH: &str = "$argon2";

/// Makes writes; the passwords among them are hashed first.
pub(crate) async fn write(core: &EmbeddedCore, writes: Vec<Write>) -> Vec<Result<Written>> {
    let schema = core.schema();
    let people = concerns_people(&schema, &writes);
    let answers = if writes.iter().any(|write| is_user(&schema, write) && sets_password(write)) {
        write_hashed(core, &schema, writes).await
    } else {
        core.store(writes).await
    };
    if people {
        core.people_changed();
    }
    answers
}

async fn write_hashed(core: &EmbeddedCore, schema: &Schema, writes: Vec<Write>) -> Vec<Result<Written>> {
    let mut refused: Vec<Option<Error>> = Vec::with_capacity(writes.len());
    let mut ready = Vec::with_capacity(writes.len());
    // One after the other: of the few passwords that are hashed at once, a long list takes one place.
    for write in writes {
        let write = if is_user(schema, &write) { hashed(core, write).await } else { Ok(write) };
        match write {
            Ok(write) => {
                ready.push(write);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    let mut answers = core.store(ready).await.into_iter();
    let lost = || Error::away("the write was not answered");
    refused
        .into_iter()
        .map(|error| error.map_or_else(|| answers.next().unwrap_or_else(|| Err(lost())), Err))
        .collect()
}

/// Whether a write may change who somebody is: a deletion may take users along.
fn concerns_people(schema: &Schema, writes: &[Write]) -> bool {
    writes.iter().any(|write| matches!(write.op, Op::Delete) || is_user(schema, write))
}

fn is_user(schema: &Schema, write: &Write) -> bool {
    let model = write.shape.model();
    model == "User"
        || schema
            .model("User")
            .filter(|user| user.family.len() > 1)
            .zip(schema.model(model))
            .is_some_and(|(user, model)| model.chain.contains(&user.id))
}

fn sets_password(write: &Write) -> bool {
    let (Op::Create(fields) | Op::Set { fields, .. }) = &write.op else { return false };
    fields.iter().any(|(position, _)| is_password(&write.shape, *position))
}

fn is_password(shape: &Shape, position: FieldPos) -> bool {
    shape.fields().get(usize::from(position)).is_some_and(|field| field.name == "password")
}

/// The write with a hash in place of the password, or without it when it changes nothing.
async fn hashed(core: &EmbeddedCore, mut write: Write) -> Result<Write> {
    let id = match write.target {
        Target::New => ObjectId::UNSET,
        Target::Object(id) => id,
    };
    let (Op::Create(fields) | Op::Set { fields, .. }) = &mut write.op else { return Ok(write) };
    // The last one counts.
    let Some(at) = fields.iter().rposition(|(position, _)| is_password(&write.shape, *position)) else {
        return Ok(write);
    };
    let (position, given) = fields[at].clone();
    fields.retain(|(position, _)| !is_password(&write.shape, *position));
    let given = match given {
        Value::Text(text) => text,
        Value::Secret(secret) => secret.expose().to_owned(),
        other => {
            // The store says what it expects.
            fields.push((position, other));
            return Ok(write);
        }
    };
    let stored = if id.is_set() { stored(core, id).await? } else { None };
    if stored.as_deref() == Some(given.as_str()) {
        return Ok(write);
    }
    if given.is_empty() || given == NONE {
        fields.push((position, Value::Text(given)));
        return Ok(write);
    }
    check(&given).map_err(|problem| {
        Error::invalid(write.shape.model().clone(), id, vec![FieldFault::of("password", problem)])
    })?;
    if let Some(hash) = replacement(given, stored).await? {
        fields.push((position, Value::Text(hash)));
    }
    Ok(write)
}

/// What is wrong with a password.
pub(crate) fn check(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if password.starts_with(HASH) {
        return Err("looks like a hash; give the password itself, it is hashed here".to_owned());
    }
    if length > LONGEST {
        return Err(format!("Ensure this value has at most {LONGEST} characters (it has {length})."));
    }
    Ok(())
}

/// Whether this is a hash, so that somebody can log in.
#[cfg(feature = "server")]
pub(crate) fn is_hash(stored: &str) -> bool {
    stored.starts_with(HASH)
}

/// The hash of a password, or nothing when it is the one that is stored.
#[cfg(feature = "server")]
async fn replacement(password: String, stored: Option<String>) -> Result<Option<String>> {
    let turn = hash::turn().await;
    let password = hash::Secret::from(password);
    let Some(stored) = stored.filter(|stored| is_hash(stored)) else {
        return turn.hash(password).await.map(Some);
    };
    if turn.verify(password.clone(), stored, |right| right).await? {
        return Ok(None);
    }
    hash::turn().await.hash(password).await.map(Some)
}

#[cfg(not(feature = "server"))]
async fn replacement(password: String, _stored: Option<String>) -> Result<Option<String>> {
    drop(password);
    let what = "store a password: it was built without the feature `server` of xos-core, which hashes them";
    Err(xos_model_client::ErrorKind::Unsupported(what.to_owned()).into())
}

/// What is in the field now.
async fn stored(core: &EmbeddedCore, id: ObjectId) -> Result<Option<String>> {
    static SHAPE: OnceLock<Arc<Shape>> = OnceLock::new();
    let shape = SHAPE.get_or_init(|| {
        let password = ShapeField { name: "password".into(), kind: Kind::Text };
        Arc::new(Shape::new("User", [password]))
    });
    let found = core.get(shape, &[id]).await?.pop().flatten();
    Ok(found.and_then(|record| record.get("password").and_then(Value::as_text).map(str::to_owned)))
}
