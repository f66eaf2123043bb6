//! Services, and what they do for one subscriber.

use crate::models::XosBase;
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
    /// A kind that this program does not know.
    Other(String),
}

/// A logical grouping of nodes at one location.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "site_policy", crate = crate)]
pub struct Site {
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped)]
    pub name: String,
}

/// A service: what is offered, once for all subscribers.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", extensible, custom_python, crate = crate)]
pub struct Service {
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

/// What a service does for one subscriber.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", extensible, custom_python, crate = crate)]
pub struct ServiceInstance {
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped)]
    pub name: Option<String>,
    /// The service it belongs to
    #[xos(number = 2, reverse = "service_instances", reverse_number = 1009, index)]
    pub owner: Link<Service>,
    /// What its service calls it
    #[xos(number = 3, max_length = 30, stripped, gui_hidden)]
    pub service_specific_id: Option<String>,
    /// What only its service understands, as JSON
    #[xos(number = 10, text, gui_hidden)]
    pub service_specific_attribute: Option<String>,
    /// How many links to it were deleted
    #[xos(number = 11, default = 0, gui_hidden)]
    pub link_deleted_count: Option<u32>,
    /// The instance that this one is part of
    #[xos(number = 12, reverse = "child_serviceinstances", reverse_number = 1002, gui_hidden)]
    pub master_serviceinstance: Option<Link<ServiceInstance>>,
}
