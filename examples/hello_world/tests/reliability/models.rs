//! The models of the program, as a second process knows them.

use xos_sync::prelude::*;

/// Says hello to everybody.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world")]
pub(crate) struct HelloWorldService {
    #[xos(base)]
    pub(crate) service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub(crate) hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService)]
pub(crate) struct HelloWorldServiceInstance {
    #[xos(base)]
    pub(crate) service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub(crate) hello_to: String,
}

/// A new greeting.
pub(crate) fn greeting(name: &str, hello_to: &str) -> HelloWorldServiceInstance {
    let service_instance = ServiceInstance { name: Some(name.into()), ..Default::default() };
    HelloWorldServiceInstance { service_instance, hello_to: hello_to.into() }
}
