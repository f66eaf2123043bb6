//! The models of the hello-world tutorial, as tests and second processes know them.

use xos_sync::model_client::{Model as _, ModelDef};
use xos_sync::prelude::*;

/// Says hello to everybody.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world")]
pub struct HelloWorldService {
    #[xos(base)]
    pub service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService)]
pub struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub hello_to: String,
}

/// A new service, named after who says hello.
pub fn service(from: &str) -> HelloWorldService {
    service_named(from, from)
}

/// A new service of this name.
pub fn service_named(name: &str, from: &str) -> HelloWorldService {
    HelloWorldService {
        service: Service { name: name.into(), ..Default::default() },
        hello_from: from.into(),
    }
}

/// A new greeting, named after who is greeted.
pub fn greeting(to: &str) -> HelloWorldServiceInstance {
    greeting_named(to, to)
}

/// A new greeting of this name.
pub fn greeting_named(name: &str, to: &str) -> HelloWorldServiceInstance {
    HelloWorldServiceInstance {
        service_instance: ServiceInstance { name: Some(name.into()), ..Default::default() },
        hello_to: to.into(),
    }
}

/// The models of the tutorial.
pub fn models() -> [&'static ModelDef; 2] {
    [HelloWorldService::def(), HelloWorldServiceInstance::def()]
}
