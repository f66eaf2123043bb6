//! Services, what they need and what they offer.

use crate::models::{Site, XosBase};
use crate::{Link, XosChoice, XosModel};

/// What a service does.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum ServiceKind {
    /// Anything.
    #[xos(value = "generic", label = "Generic")]
    Generic,
    /// It moves data.
    #[xos(value = "data", label = "Data Plane")]
    Data,
    /// It controls others.
    #[xos(value = "control", label = "Control Plane")]
    Control,
    /// It supports operations.
    #[xos(value = "oss", label = "OSS")]
    Oss,
    /// One that this program does not know.
    Other(String),
}

/// A service: what is offered, once for all subscribers.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", extensible, custom_python, crate = crate)]
pub struct Service {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// What it is, in a sentence
    #[xos(number = 1, text)]
    pub description: Option<String>,
    /// Whether it is to be used
    #[xos(number = 2, default = true, gui_hidden)]
    pub enabled: bool,
    /// What it does
    #[xos(number = 3, default = "generic", max_length = 30, stripped)]
    pub kind: ServiceKind,
    /// Its name, unique among services
    #[xos(number = 4, max_length = 30, stripped, unique)]
    pub name: String,
    /// Its version
    #[xos(number = 5, name = "versionNumber", max_length = 30, stripped)]
    pub version_number: Option<String>,
    /// Whether people may see it
    #[xos(number = 6, default = true, gui_hidden)]
    pub published: bool,
    /// Where its icon is
    #[xos(number = 8, max_length = 1024, stripped, gui_hidden)]
    pub icon_url: Option<String>,
    /// Its public key
    #[xos(number = 9, text, gui_hidden)]
    pub public_key: Option<String>,
    /// The file that has its private key
    #[xos(number = 10, max_length = 4096, stripped, gui_hidden)]
    pub private_key_fn: Option<String>,
    /// What it calls itself
    #[xos(number = 11, max_length = 30, stripped)]
    pub service_specific_id: Option<String>,
    /// What only it understands, as JSON
    #[xos(number = 12, text, gui_hidden)]
    pub service_specific_attribute: Option<String>,
    /// Where it is
    #[xos(number = 13, reverse = "service", reverse_number = 1012, index)]
    pub site: Option<Link<Site>>,
}

/// How a subscriber reaches its provider.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum ConnectMethod {
    /// It does not need to.
    #[xos(value = "none", label = "None")]
    None,
    /// Over a private network.
    #[xos(value = "private", label = "Private")]
    Private,
    /// Over a public network.
    #[xos(value = "public", label = "Public")]
    Public,
    /// One that this program does not know.
    Other(String),
}

/// A service that needs another one.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct ServiceDependency {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The service that is needed
    #[xos(number = 1, reverse = "provided_dependencies", reverse_number = 1004, index, tosca_key)]
    pub provider_service: Link<Service>,
    /// The service that needs it
    #[xos(number = 2, reverse = "subscribed_dependencies", reverse_number = 1005, index, tosca_key)]
    pub subscriber_service: Link<Service>,
    /// How the one reaches the other
    #[xos(number = 3, default = "none", max_length = 30)]
    pub connect_method: ConnectMethod,
}

/// A port that a service is reached at.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct ServicePort {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 128)]
    pub name: String,
    /// The port outside
    #[xos(number = 2)]
    pub external_port: i32,
    /// The port inside
    #[xos(number = 3)]
    pub internal_port: i32,
    /// The protocol, such as `TCP`
    #[xos(number = 4, default = "TCP", max_length = 32)]
    pub protocol: String,
    /// The service
    #[xos(number = 5, reverse = "serviceports", reverse_number = 1002, index)]
    pub service: Link<Service>,
}

/// A named value of a service.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct ServiceAttribute {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name, unique in its service
    #[xos(number = 1, max_length = 128, unique_with = "service")]
    pub name: String,
    /// Its value
    #[xos(number = 2, text)]
    pub value: String,
    /// The service that has it
    #[xos(number = 3, reverse = "serviceattributes", reverse_number = 1003, index)]
    pub service: Link<Service>,
}

/// A hint to the GUI on how to draw the graph of services.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", verbose_name = "Graph Constraint", crate = crate)]
pub struct ServiceGraphConstraint {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Names of services from left to right, as a JSON array; those of an inner array share a column
    #[xos(number = 1, max_length = 1024, stripped, tosca_key)]
    pub constraints: String,
    /// Which one is used when there are several: the highest
    #[xos(number = 2, default = 0)]
    pub priority: Option<i32>,
}
