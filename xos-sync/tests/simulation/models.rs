//! The models of the simulation.

use xos_sync::prelude::*;

/// A service.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "sim")]
pub(crate) struct SimService {
    #[xos(base)]
    pub(crate) service: Service,
    /// Changes with each change
    #[xos(number = 1)]
    pub(crate) note: String,
}

/// An instance of it.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "sim", owner_class = SimService)]
pub(crate) struct SimInstance {
    #[xos(base)]
    pub(crate) service_instance: ServiceInstance,
    /// Changes with each change
    #[xos(number = 1)]
    pub(crate) note: String,
}

/// What no step takes.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "sim")]
pub(crate) struct SimBadge {
    #[xos(base)]
    pub(crate) base: XosBase,
    /// Changes with each change
    #[xos(number = 1)]
    pub(crate) note: String,
}
