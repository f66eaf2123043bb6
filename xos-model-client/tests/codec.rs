//! The rules of the codec and of reading a core's models, one by one, with descriptors made here.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "codec/decode.rs"]
mod decode;
#[path = "codec/describe.rs"]
mod describe;
#[path = "codec/differences.rs"]
mod differences;
#[path = "codec/dynamic.rs"]
mod dynamic;
#[path = "codec/encode.rs"]
mod encode;
#[path = "codec/fuzz.rs"]
mod fuzz;
#[path = "codec/proto.rs"]
mod proto;
#[path = "codec/query.rs"]
mod query;
#[path = "codec/random.rs"]
mod random;

use std::sync::{Arc, LazyLock};

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use xos_model_client::grpc::__codec::{Codec, Plan, RemoteSchema};
use xos_model_client::models::core_models;
use xos_model_client::{FieldPos, ModelDef, Schema, Value};

/// A core with the core's models, read once by us and once by the independent library.
struct World {
    remote: Arc<RemoteSchema>,
    pool: DescriptorPool,
    codec: Codec,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let schema = Schema::new(core_models()).unwrap();
    let (remote, pool) = proto::read(&proto::file_of(&schema), &known());
    World { codec: Codec::new(remote.clone()), remote, pool }
});

fn known() -> Vec<&'static ModelDef> {
    core_models().collect()
}

impl World {
    /// The plan for all fields of a model.
    fn plan(&self, model: &str) -> Arc<Plan> {
        self.codec.plan(&dynamic::full_shape(&self.remote, model)).unwrap()
    }

    fn message(&self, model: &str) -> MessageDescriptor {
        self.pool.get_message_by_name(&format!("xos.{model}")).unwrap()
    }

    fn read(&self, model: &str, bytes: &[u8]) -> DynamicMessage {
        DynamicMessage::decode(self.message(model), bytes).unwrap()
    }
}

/// Fields by name, as positions of a plan.
fn fields(plan: &Plan, fields: &[(&str, Value)]) -> Vec<(FieldPos, Value)> {
    let at = |name: &str| plan.shape().position(name).unwrap_or_else(|| panic!("no {name}")) as FieldPos;
    fields.iter().map(|(name, value)| (at(name), value.clone())).collect()
}
