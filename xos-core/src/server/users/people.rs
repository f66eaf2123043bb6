//! The users as the store has them, read once for many calls.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};
use xos_model_client::{
    Condition, Kind, ModelAccessor as _, ObjectId, Operator, Page, Query, Record, Result, Shape, ShapeField,
    Value,
};

use super::Person;
use super::recent::Recent;
use crate::EmbeddedCore;
use crate::passwords::is_hash;

/// For how many seconds a user that was read is taken as it was, when nobody in this process wrote one. Another server
/// of the same database may have.
const FRESH: f64 = 10.0;

/// How many users are held.
const MOST: usize = 8192;

/// No e-mail address is longer, in characters.
const LONGEST: usize = 256;

/// What is known of a user.
pub(super) struct Known {
    pub(super) person: Arc<Person>,
    is_active: bool,
    /// The hash of the password; none for a user who has no password.
    pub(super) hash: Option<String>,
    /// Another one after each change of the password; tells nothing of it.
    pub(super) fingerprint: String,
}

impl Known {
    /// Whether there is a password, and the user may use it.
    pub(super) fn may_log_in(&self) -> bool {
        self.is_active && self.hash.is_some()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("person", &self.person).finish_non_exhaustive()
    }
}

/// Reads users.
pub(super) struct People {
    core: EmbeddedCore,
    by_email: Mutex<Recent<String, Read>>,
    by_id: Mutex<Recent<ObjectId, Read>>,
}

#[derive(Clone)]
struct Read {
    /// What was known of changes before it was read.
    people: u64,
    at: f64,
    known: Option<Arc<Known>>,
}

impl People {
    pub(super) fn new(core: EmbeddedCore) -> Self {
        let (by_email, by_id) = (Mutex::new(Recent::new(MOST)), Mutex::new(Recent::new(MOST)));
        People { core, by_email, by_id }
    }

    /// The live user with this e-mail address: the oldest, should there be several, so that nobody takes the place of
    /// another.
    pub(super) async fn by_email(&self, email: &str) -> Result<Option<Arc<Known>>> {
        if email.chars().nth(LONGEST).is_some() {
            return Ok(None);
        }
        self.read(&self.by_email, email.to_owned(), Value::Text(email.to_owned()), "email").await
    }

    /// The live user with this id.
    pub(super) async fn by_id(&self, id: ObjectId) -> Result<Option<Arc<Known>>> {
        self.read(&self.by_id, id, Value::Int(id.get().into()), "id").await
    }

    async fn read<K: std::hash::Hash + Eq>(
        &self,
        cache: &Mutex<Recent<K, Read>>,
        key: K,
        value: Value,
        field: &'static str,
    ) -> Result<Option<Arc<Known>>> {
        let (people, now) = (self.core.people(), self.core.now().seconds());
        let held = cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(held) = held
            && held.people == people
            && (0.0..FRESH).contains(&(now - held.at))
        {
            return Ok(held.known);
        }
        let condition = Condition { field: field.into(), operator: Operator::Equal, value, invert: false };
        let query = Query::live(shape().clone()).with(condition);
        let found = self.core.find(&query, Page::first(1)).await?.records.pop();
        let known = found.map(|record| Arc::new(known(&record)));
        let read = Read { people, at: now, known: known.clone() };
        cache.lock().unwrap_or_else(PoisonError::into_inner).insert(key, read);
        Ok(known)
    }
}

fn shape() -> &'static Arc<Shape> {
    static SHAPE: OnceLock<Arc<Shape>> = OnceLock::new();
    SHAPE.get_or_init(|| {
        let fields = [
            ("id", Kind::Int32),
            ("email", Kind::Text),
            ("password", Kind::Text),
            ("is_active", Kind::Bool),
            ("is_admin", Kind::Bool),
            ("site", Kind::Link),
        ];
        Arc::new(Shape::new("User", fields.map(|(name, kind)| ShapeField { name: name.into(), kind })))
    })
}

fn known(record: &Record) -> Known {
    let text = |field| record.get(field).and_then(Value::as_text).unwrap_or_default();
    let flag = |field| record.get(field).and_then(Value::as_bool).unwrap_or_default();
    let person = Person { id: record.id(), email: text("email").to_owned(), is_admin: flag("is_admin") };
    let hash = Some(text("password")).filter(|stored| is_hash(stored));
    Known {
        person: Arc::new(person),
        is_active: flag("is_active"),
        fingerprint: hex(&Sha256::digest(hash.unwrap_or_default())),
        hash: hash.map(str::to_owned),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // A text takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
