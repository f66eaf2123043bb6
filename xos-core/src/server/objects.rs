//! The service `xos.xos`: the objects of each model.
//!
//! What a method does with which model is looked up in a table that is made once for each generation of the schema. A
//! call goes on with the generation that it began with, so that models can be loaded under it.

mod ask;
mod linking;
mod query;
mod reads;
mod served;
mod update;
mod writes;

use std::sync::{Arc, PoisonError, RwLock};

use xos_model_client::ModelAccessor as _;

use self::ask::Ask;
use super::World;
use super::call::{Answer, Call};
use super::status::no_method;

pub use self::query::{Asked, PartOfNumber, asked};
pub(crate) use self::served::Served;

/// How calls become reads and writes.
pub(crate) struct Objects {
    served: RwLock<Option<Arc<Served>>>,
}

/// An operation on the objects of a model.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    List,
    Filter,
    Get,
    Create,
    Update,
    Delete,
}

impl Objects {
    pub(crate) fn new() -> Self {
        Objects { served: RwLock::new(None) }
    }

    /// What is served now.
    pub(crate) fn served(&self, core: &crate::EmbeddedCore) -> Arc<Served> {
        let schema = core.schema();
        let is_now = |served: &Arc<Served>| Arc::ptr_eq(&served.schema, &schema);
        let known = self.served.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(served) = known.filter(is_now) {
            return served;
        }
        let served = Arc::new(Served::new(schema.clone()));
        let mut known = self.served.write().unwrap_or_else(PoisonError::into_inner);
        match known.clone().filter(is_now) {
            // Made by another call meanwhile: only one of them compiles descriptors.
            Some(served) => served,
            None => known.insert(served).clone(),
        }
    }
}

/// Answers a call of it.
pub(super) async fn answer(world: &World, method: &str, call: &Call) -> Answer {
    let served = world.objects.served(&world.core);
    let Some((operation, model)) = served.operation(method) else { return Err(no_method()) };
    let who = world.users.caller(call).await?;
    let ask = Ask { world, served: &served, model, who };
    match operation {
        Operation::List => ask.list(&call.message).await,
        Operation::Filter => ask.filter(&call.message).await,
        Operation::Get => ask.get(&call.message).await,
        Operation::Create => ask.create(&call.message).await,
        Operation::Update => ask.update(call).await,
        Operation::Delete => ask.delete(&call.message).await,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
mod tests;
