//! The models that every core has.

mod base;
mod service;

pub use base::XosBase;
pub use service::{Service, ServiceFields, ServiceInstance, ServiceInstanceFields, ServiceKind, Site};

use crate::model::{Model, ModelDef};

/// All models that every core has.
pub fn core_models() -> impl Iterator<Item = &'static ModelDef> {
    [XosBase::def(), Site::def(), Service::def(), ServiceInstance::def()].into_iter()
}
