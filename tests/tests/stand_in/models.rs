//! The models of the hello-world tutorial.

use xos_model_client::models::{Service, ServiceInstance};
use xos_model_client::{Model as _, ModelDef, XosModel};
use xos_sync_tests::stand_in::{Options, StandIn};

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = xos_model_client)]
pub(crate) struct HelloWorldService {
    #[xos(base)]
    pub service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub hello_from: String,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, crate = xos_model_client)]
pub(crate) struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub hello_to: String,
}

pub(crate) fn hello_world() -> Vec<ModelDef> {
    vec![HelloWorldService::def().clone(), HelloWorldServiceInstance::def().clone()]
}

/// A stand-in that is quick, with hello-world loaded.
pub(crate) async fn started() -> StandIn {
    StandIn::start(Options::fast().with_models(&hello_world())).await.unwrap()
}
