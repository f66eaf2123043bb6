//! The world outside, as a script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use xos_model_client::{Model, ObjectKey};

use super::handlers::at_work;
use super::oracle::Oracle;
use super::trouble::Trouble;
use super::world::{Life, Owner};

/// The longest that a slow answer takes.
const SLOW: Duration = Duration::from_secs(5);

/// After how long a caller gives up whose answer is lost.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The world outside: keyed resources that survive the death of the program. A client of the real backend is replaced by one
/// that calls this.
///
/// Each resource belongs to the object whose handler made it. In a simulation every call may be slow, fail before or
/// after it took effect, never come back, and be the last thing that the program does.
///
/// # Cancellation
///
/// When the future is dropped, the call may have taken effect or not.
///
/// # Examples
///
/// A client, and its stand-in:
///
/// ```
/// use xos_sync::prelude::*;
/// use xos_sync::testing::Backend;
///
/// enum Tenants {
///     Folder(std::path::PathBuf),
///     Simulated(Backend),
/// }
///
/// impl Tenants {
///     async fn make(&self, name: &str) -> StepResult {
///         match self {
///             Tenants::Folder(folder) => Ok(tokio::fs::create_dir_all(folder.join(name)).await?),
///             Tenants::Simulated(backend) => Ok(backend.put(format!("tenant/{name}"), "").await?),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Backend {
    life: Arc<Life>,
    owner: Owner,
}

/// A call of the [`Backend`] that failed. The caller does not know whether it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BackendError(&'static str);

/// What is there outside.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Things>);

#[derive(Default)]
struct Things {
    resources: BTreeMap<String, Vec<Resource>>,
    /// How often something was changed.
    changes: u64,
}

/// One thing outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) value: String,
    pub(super) owner: Owner,
}

impl Shelf {
    fn things(&self) -> MutexGuard<'_, Things> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> u64 {
        self.things().changes
    }

    /// All there is, by key.
    pub(super) fn all(&self) -> Vec<(String, Resource)> {
        let things = self.things();
        let each = things.resources.iter();
        each.flat_map(|(key, all)| all.iter().map(|one| (key.clone(), one.clone()))).collect()
    }
}

impl Backend {
    pub(super) fn new(life: Arc<Life>) -> Self {
        Backend { life, owner: None }
    }

    /// The same backend, for calls on behalf of this object: for what a handler gives to a task of its own. Elsewhere the
    /// object is known.
    pub fn of(&self, object: &impl Model) -> Self {
        Backend { life: self.life.clone(), owner: key_of(&self.life, object) }
    }

    /// Makes a resource, like a `POST`: when there is one of this key, then there are two.
    ///
    /// # Errors
    ///
    /// A trouble of the simulation.
    pub async fn create(&self, key: impl Into<String>, value: impl Into<String>) -> Result<(), BackendError> {
        let (key, value) = (key.into(), value.into());
        let life = self.life.clone();
        self.call("create", |things, owner| {
            let there = things.resources.entry(key.clone()).or_default();
            life.world.judge.check(Oracle::CreatedOnce, there.is_empty(), || {
                format!("the backend's resource {key:?} is created, and is there already")
            });
            there.push(Resource { value, owner });
            things.changes += 1;
        })
        .await
    }

    /// Makes a resource, or changes it, like a `PUT`: the same call a second time changes nothing.
    ///
    /// # Errors
    ///
    /// A trouble of the simulation.
    pub async fn put(&self, key: impl Into<String>, value: impl Into<String>) -> Result<(), BackendError> {
        let (key, value) = (key.into(), value.into());
        self.call("put", |things, owner| {
            let there = things.resources.entry(key).or_default();
            match there.first_mut() {
                Some(first) if first.value == value => return,
                Some(first) => first.value = value,
                None => there.push(Resource { value, owner }),
            }
            things.changes += 1;
        })
        .await
    }

    /// What a resource is, `None` when there is none.
    ///
    /// # Errors
    ///
    /// A trouble of the simulation.
    pub async fn get(&self, key: &str) -> Result<Option<String>, BackendError> {
        let found = |things: &mut Things, _| {
            things.resources.get(key).and_then(|all| all.first()).map(|one| one.value.clone())
        };
        self.call("get", found).await
    }

    /// Removes the resources of a key. Whether there were any.
    ///
    /// # Errors
    ///
    /// A trouble of the simulation.
    pub async fn delete(&self, key: &str) -> Result<bool, BackendError> {
        self.call("delete", |things, _| {
            let removed = things.resources.remove(key).is_some_and(|all| !all.is_empty());
            things.changes += u64::from(removed);
            removed
        })
        .await
    }

    /// The resources whose key begins like this, in the order of their keys.
    ///
    /// # Errors
    ///
    /// A trouble of the simulation.
    pub async fn list(&self, prefix: &str) -> Result<Vec<(String, String)>, BackendError> {
        let listed = |things: &mut Things, _| {
            let from = things.resources.range(prefix.to_owned()..);
            from.take_while(|(key, _)| key.starts_with(prefix))
                .flat_map(|(key, all)| all.iter().map(|one| (key.clone(), one.value.clone())))
                .collect()
        };
        self.call("list", listed).await
    }

    /// Whether something else goes wrong here, once in so many times: for troubles of one's own. Never in the run without
    /// troubles, nor when they have ended.
    ///
    /// ```
    /// # use xos_sync::prelude::*;
    /// # use xos_sync::testing::Backend;
    /// fn quota(backend: &Backend) -> StepResult {
    ///     if backend.one_in(50) { Err(StepError::deferred("no quota left")) } else { Ok(()) }
    /// }
    /// ```
    pub fn one_in(&self, bound: u64) -> bool {
        self.life.world.weather.strikes_once_in(Trouble::Own, bound)
    }

    /// A time shorter than this, from the seed; none in the run without troubles, nor when they have ended.
    pub fn delay(&self, bound: Duration) -> Duration {
        let world = &self.life.world;
        if world.weather.is_calm() { Duration::ZERO } else { world.random.time(bound) }
    }

    /// One call with its troubles.
    async fn call<T>(
        &self,
        name: &'static str,
        act: impl FnOnce(&mut Things, Owner) -> T,
    ) -> Result<T, BackendError> {
        let world = &self.life.world;
        self.life.point().await;
        if world.weather.strikes(Trouble::BackendSlow) {
            tokio::time::sleep(world.random.time(SLOW)).await;
            self.life.point().await;
        }
        if world.is_backend_down() {
            return Err(BackendError("the backend is down (simulated)"));
        }
        if world.weather.strikes(Trouble::BackendFails) {
            return Err(BackendError("the backend failed (simulated)"));
        }
        let owner = self.owner.or_else(at_work);
        world.note((name, owner));
        let answer = act(&mut world.shelf.things(), owner);
        self.life.point().await;
        if world.weather.strikes(Trouble::BackendHangs) {
            std::future::pending::<()>().await;
        }
        if world.weather.strikes(Trouble::BackendAnswerLost) {
            tokio::time::sleep(TIMEOUT).await;
            return Err(BackendError("no answer from the backend (simulated)"));
        }
        Ok(answer)
    }
}

fn key_of<M: Model>(life: &Life, object: &M) -> Owner {
    let root = life.world.schema().model(M::MODEL_NAME)?.root;
    Some(ObjectKey { root, id: object.id() })
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backend")
    }
}
