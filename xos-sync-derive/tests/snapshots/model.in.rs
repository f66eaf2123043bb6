/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, extensible)]
pub struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1, max_length = 200, stripped, default = "Arya")]
    pub hello_to: String,
    #[xos(number = 2, name = "sendTo", reverse = "greetings", unique_with = "hello_to")]
    address: Option<Link<Self>>,
}
