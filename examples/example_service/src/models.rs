//! The data model of the service.

use xos_sync::prelude::*;

/// The service: it owns the instances.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "exampleservice")]
pub struct ExampleService {
    #[xos(base)]
    pub service: Service,
}

/// What one tenant wants to have shown.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "exampleservice", owner_class = ExampleService)]
pub struct ExampleServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The message to display
    #[xos(number = 1, max_length = 254)]
    pub tenant_message: String,
    /// The web server that shows it
    #[xos(number = 2)]
    pub web_server: Option<Link<WebServer>>,
    /// What the web server showed when it was asked last
    #[xos(number = 3, feedback)]
    pub served_message: Option<String>,
}

/// A place where the page of one instance is served.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "exampleservice")]
pub struct WebServer {
    #[xos(base)]
    pub xos_base: XosBase,
    /// Its name
    #[xos(number = 1, unique)]
    pub name: String,
    /// How often its page was lost and had to be written again
    #[xos(number = 2)]
    pub losses: i32,
    /// Where its page can be read
    #[xos(number = 3, feedback)]
    pub url: Option<String>,
    /// The folder that its page is written to
    #[xos(number = 4, feedback)]
    pub folder: Option<String>,
}

/// The topic on which lost pages are told of.
pub const EVENTS: &str = "exampleservice.events";

/// The page of a web server is gone: the server was restarted, or somebody deleted it.
#[derive(serde::Serialize, serde::Deserialize, Debug)]
pub struct PageLost {
    /// The id of the [`WebServer`].
    pub web_server: i32,
}
