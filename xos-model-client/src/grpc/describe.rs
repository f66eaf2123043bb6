//! What the core says of its models: the answer of `GetSchema`, as a [`Schema`](crate::Schema).
//!
//! Names, wire numbers, plurals, ways back and options come from the descriptors, never from constants: they move
//! with what other services have loaded (xos-framework.md §3.2). What no descriptor says - chain, defaults, choices,
//! help, recipe keys - comes from the models that the program knows; a chain that it does not know is inferred.

mod chain;
mod define;
mod differences;
mod inflate;
mod messages;
mod methods;

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

pub use self::differences::Difference;
use self::messages::Message;
pub use self::methods::{Method, Paths};
use crate::error::{Error, Result};
use crate::model::{ModelDef, ModelName};
use crate::schema::{ModelId, Schema, SchemaFault, Told};

/// The models of a core, as it told of them.
#[derive(Clone, Debug)]
pub struct RemoteSchema {
    /// The models. When nothing changed, re-reading keeps the very same one.
    pub schema: Arc<Schema>,
    /// What is not in the schema, by id.
    served: Arc<[Option<Served>]>,
    /// All names there ever were, by id: a model that comes back gets its id back.
    names: Arc<[ModelName]>,
    fingerprint: u64,
    source: u64,
}

/// What a core says of a model besides its definition.
#[derive(Clone, Debug)]
pub struct Served {
    /// The number of the items in a list of objects.
    pub items: u16,
    /// Where its calls are.
    pub paths: Paths,
    /// Fields that this program cannot read, and why.
    pub unread: Vec<String>,
}

impl RemoteSchema {
    /// No models: before any core was reached.
    pub fn empty() -> Self {
        RemoteSchema {
            schema: Arc::new(Schema::default()),
            served: Arc::default(),
            names: Arc::default(),
            fingerprint: 0,
            source: 0,
        }
    }

    /// The models of an answer of `GetSchema`.
    ///
    /// `known` are models that the program knows more of than a descriptor says; of several with one name the first
    /// counts. With the schema read before, models keep their ids, and one that went leaves a gap.
    ///
    /// # Errors
    ///
    /// Bytes that are no answer of `GetSchema`, that inflate to more than 64 MiB, or without the service `xos.xos`.
    pub fn read(answer: &[u8], known: &[&ModelDef], previous: Option<&RemoteSchema>) -> Result<Self> {
        Self::find(answer, known, previous)?.ok_or_else(|| {
            fault(format!("no file of the answer of GetSchema has the service {}", messages::SERVICE))
        })
    }

    /// Like [`read`](RemoteSchema::read); `None` when the core serves no models: it could not build them.
    ///
    /// # Errors
    ///
    /// As [`read`](RemoteSchema::read), but for the missing service.
    pub fn find(answer: &[u8], known: &[&ModelDef], previous: Option<&RemoteSchema>) -> Result<Option<Self>> {
        for set in inflate::descriptor_sets(answer)? {
            if let Some(messages) = messages::read(&set?)? {
                return build(&messages, known, previous, hash_of([answer].into_iter())).map(Some);
            }
        }
        Ok(None)
    }

    /// The schema of a core that serves no models now; those that were there get their ids back with them.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn without_models(previous: Option<&RemoteSchema>) -> Result<Self> {
        build(&[], &[], previous, 0)
    }

    /// The models of plain file descriptors: what server reflection answers. The files may be in any order, and a
    /// file may come twice.
    ///
    /// # Errors
    ///
    /// As [`read`](RemoteSchema::read).
    pub fn read_files(
        files: &[Vec<u8>],
        known: &[&ModelDef],
        previous: Option<&RemoteSchema>,
    ) -> Result<Self> {
        match messages::read(&inflate::set_of(files)?)? {
            Some(messages) => build(&messages, known, previous, hash_of(files.iter().map(Vec::as_slice))),
            None => Err(fault(format!("no file has the service {}", messages::SERVICE))),
        }
    }

    /// Whether it was read from just these bytes: the cheap question before reading them again.
    pub fn is_of(&self, answer: &[u8]) -> bool {
        self.source == hash_of([answer].into_iter())
    }

    /// A number that two schemas have in common when their models mean the same.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// What the core says of a model besides its definition; `None` for `XOSBase`, which has no calls.
    pub fn served(&self, model: ModelId) -> Option<&Served> {
        self.served.get(model.0 as usize)?.as_ref()
    }
}

/// An answer that cannot be understood.
fn fault(problem: String) -> Error {
    SchemaFault { model: "xos.xos".into(), field: None, problem }.into()
}

fn build(
    messages: &[Message],
    known: &[&ModelDef],
    previous: Option<&RemoteSchema>,
    source: u64,
) -> Result<RemoteSchema> {
    let mut by_name: HashMap<&str, &ModelDef> = HashMap::new();
    for def in known {
        by_name.entry(def.name.as_ref()).or_insert(def);
    }
    let xos_base = chain::xos_base(messages, &by_name);
    let bases = chain::bases(messages, &xos_base, &by_name);
    let models = define::models(messages, &xos_base, &bases, &by_name);

    // `XOSBase` is behind the others, but comes first in a new schema, as it does in our own.
    let mut names: Vec<ModelName> = previous.map(|previous| previous.names.to_vec()).unwrap_or_default();
    let mut places: HashMap<ModelName, usize> =
        names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
    for told in models.last().into_iter().chain(&models) {
        if !places.contains_key(&told.def.name) {
            places.insert(told.def.name.clone(), names.len());
            names.push(told.def.name.clone());
        }
    }
    if names.len() > usize::from(u16::MAX) {
        return Err(fault(format!("the core has had {} models; 65535 are the most", names.len())));
    }
    let mut told: Vec<Option<Told>> = vec![None; names.len()];
    let mut served: Vec<Option<Served>> = vec![None; names.len()];
    for (at, model) in models.into_iter().enumerate() {
        let Some(place) = places.get(&model.def.name).copied() else { continue };
        served[place] = messages.get(at).map(|message| Served {
            items: message.items,
            paths: Paths::new(&message.name, &message.methods),
            unread: message.unread.clone(),
        });
        told[place] = Some(model);
    }
    let fingerprint = fingerprint(&told, &served);
    let same = previous.filter(|previous| previous.fingerprint == fingerprint);
    let schema = match same {
        Some(previous) => previous.schema.clone(),
        None => Arc::new(Schema::told(&told)?),
    };
    Ok(RemoteSchema { schema, served: served.into(), names: names.into(), fingerprint, source })
}

fn hash_of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

/// Writes into a hash.
struct Hashed(DefaultHasher);

impl fmt::Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn fingerprint(models: &[Option<Told>], served: &[Option<Served>]) -> u64 {
    let mut hashed = Hashed(DefaultHasher::new());
    // Writing into a hash cannot fail.
    let _ = write!(hashed, "{models:?}{served:?}");
    hashed.0.finish()
}
