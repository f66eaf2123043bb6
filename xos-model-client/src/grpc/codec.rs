//! From records to bytes and back, by a table that is made once per shape and schema.
//!
//! A core's message goes straight into the values of a [`Record`](crate::Record): a table says for each number where
//! in the shape its value belongs, and what the shape does not ask for is left out without being looked at. On the
//! way to a core only what is to be stored is written.

mod decode;
mod encode;
mod plan;
mod query;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use self::decode::{Fault, read};
pub use self::encode::{SetMessage, encode_id};
pub use self::plan::{Plan, Type};
use crate::error::Result;
use crate::grpc::describe::RemoteSchema;
use crate::record::Shape;

/// A caller that makes a new shape for each call must not fill the memory.
const MOST_PLANS: usize = 1024;

/// What happens to a text with characters outside of ASCII, on its way to the core.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum NonAscii {
    /// It is an error that names the field. A core 4.0.4 stores such a text, and from then on fails every list and
    /// query of the model, for everybody, until the object is changed or deleted.
    #[default]
    Refused,
    /// It is sent: the core can hold it.
    Sent,
}

/// From records to bytes and back, in one schema.
#[derive(Debug)]
pub struct Codec {
    remote: Arc<RemoteSchema>,
    non_ascii: NonAscii,
    plans: RwLock<HashMap<u64, Arc<Plan>>>,
}

impl Codec {
    /// The codec of a schema. When the core's models change, a new codec is made.
    pub fn new(remote: Arc<RemoteSchema>) -> Self {
        Codec { remote, non_ascii: NonAscii::default(), plans: RwLock::default() }
    }

    /// The same for a core that holds other texts, or does not.
    pub fn with_non_ascii(mut self, non_ascii: NonAscii) -> Self {
        self.non_ascii = non_ascii;
        self
    }

    /// The models.
    pub fn remote(&self) -> &Arc<RemoteSchema> {
        &self.remote
    }

    /// What a shape means in this schema: made once, then looked up.
    ///
    /// # Errors
    ///
    /// A model or a field that the core does not have; a model without calls.
    pub fn plan(&self, shape: &Arc<Shape>) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&shape.id()) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(Plan::new(self.remote.clone(), self.non_ascii, shape)?);
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= MOST_PLANS {
            plans.clear();
        }
        plans.insert(shape.id(), plan.clone());
        Ok(plan)
    }
}
