//! The models that every core has.
//!
//! Names, numbers and options are those of the core 4.0.4. Services extend some of them: a model of your own starts
//! with a field `#[xos(base)]` of type [`Service`], [`ServiceInstance`], [`ComputeServiceInstance`] or [`XosBase`].
//!
//! # Examples
//!
//! ```
//! use xos_model_client::models::{Slice, SliceNetwork};
//!
//! let slice = Slice { name: "mysite_demo1".into(), network: Some(SliceNetwork::Host), ..Default::default() };
//! assert_eq!(slice.max_instances, 10);
//! assert_eq!(slice.backend_status, "Provisioning in progress");
//! ```
#![allow(clippy::struct_excessive_bools)] // The core's models have the bools that they have.

mod backup;
mod base;
mod instance;
mod network;
mod service;
mod site;
mod slice;
mod system;
mod user;

pub use backup::{
    BackupAction, BackupComponent, BackupFile, BackupFileStatus, BackupOperation, BackupStatus,
};
pub use base::{XosBase, XosBaseFields};
pub use instance::{
    ComputeServiceInstance, ComputeServiceInstanceFields, Direction, InterfaceType, ServiceInstance,
    ServiceInstanceAttribute, ServiceInstanceFields, ServiceInstanceLink, ServiceInterface,
};
pub use network::{
    Access, AddressPool, ControllerKind, Network, NetworkParameter, NetworkParameterType, NetworkSlice,
    NetworkTemplate, Port, TopologyKind, Translation, Visibility, VtnKind,
};
pub use service::{
    ConnectMethod, Service, ServiceAttribute, ServiceDependency, ServiceFields, ServiceGraphConstraint,
    ServiceKind, ServicePort,
};
pub use site::{Node, NodeLabel, Site};
pub use slice::{Flavor, Image, ImageKind, Isolation, Principal, Slice, SliceNetwork, TrustDomain};
pub use system::{MaintenanceMode, Tag, XosCore, XosGuiExtension};
pub use user::{Privilege, Role, User};

use crate::model::{Model, ModelDef};

/// All models that every core has, in the order in which the core declares them.
pub fn core_models() -> impl Iterator<Item = &'static ModelDef> {
    const ALL: [fn() -> &'static ModelDef; 35] = [
        XosBase::def,
        User::def,
        Privilege::def,
        AddressPool::def,
        BackupFile::def,
        BackupOperation::def,
        ComputeServiceInstance::def,
        Flavor::def,
        Image::def,
        Network::def,
        NetworkParameter::def,
        NetworkParameterType::def,
        NetworkSlice::def,
        NetworkTemplate::def,
        Node::def,
        NodeLabel::def,
        Port::def,
        Principal::def,
        Role::def,
        Service::def,
        ServicePort::def,
        ServiceAttribute::def,
        ServiceDependency::def,
        Site::def,
        Slice::def,
        Tag::def,
        InterfaceType::def,
        ServiceInterface::def,
        ServiceInstance::def,
        ServiceInstanceLink::def,
        ServiceInstanceAttribute::def,
        TrustDomain::def,
        XosCore::def,
        XosGuiExtension::def,
        ServiceGraphConstraint::def,
    ];
    ALL.iter().map(|def| def())
}
