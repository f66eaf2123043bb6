use xos_model_client::XosModel;
use xos_model_client::models::{Service, ServiceInstance};

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = xos_model_client)]
pub struct HelloWorldService {
    #[xos(base)]
    pub service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub hello_from: String,
}

#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "hello-world",
    owner_class = HelloWorldService,
    crate = xos_model_client
)]
pub struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub hello_to: String,
}
