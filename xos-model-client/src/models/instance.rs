//! What services do for their subscribers, and how that is chained.

use crate::models::{Image, Network, Service, Slice, XosBase};
use crate::{Link, XosChoice, XosModel};

/// What a service does for one subscriber.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", extensible, custom_python, crate = crate)]
pub struct ServiceInstance {
    /// What it inherits
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

/// A service instance that runs on a machine.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", extensible, crate = crate)]
pub struct ComputeServiceInstance {
    /// What it inherits
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The slice it runs in
    #[xos(number = 1, reverse = "computeserviceinstances", reverse_number = 1001, index)]
    pub slice: Link<Slice>,
    /// The image it starts from
    #[xos(number = 2, reverse = "computeserviceinstances", reverse_number = 1001, index)]
    pub image: Link<Image>,
}

/// A named value of a service instance.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct ServiceInstanceAttribute {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name, unique in its instance
    #[xos(number = 1, max_length = 128, unique_with = "service_instance")]
    pub name: String,
    /// Its value
    #[xos(number = 2, text)]
    pub value: String,
    /// The instance that has it
    #[xos(number = 3, reverse = "service_instance_attributes", reverse_number = 1006, index)]
    pub service_instance: Link<ServiceInstance>,
}

/// A subscriber that uses a service instance.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", custom_python, crate = crate)]
pub struct ServiceInstanceLink {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// What is used
    #[xos(number = 1, reverse = "provided_links", reverse_number = 1003, index, tosca_key)]
    pub provider_service_instance: Link<ServiceInstance>,
    /// The interface it is used through
    #[xos(number = 2, reverse = "provided_links", reverse_number = 1004, index)]
    pub provider_service_interface: Option<Link<ServiceInterface>>,
    /// The instance that uses it; one of the three subscribers at most
    #[xos(number = 3, reverse = "subscribed_links", reverse_number = 1005, index)]
    pub subscriber_service_instance: Option<Link<ServiceInstance>>,
    /// The service that uses it; one of the three subscribers at most
    #[xos(
        number = 4,
        reverse = "subscribed_links",
        reverse_number = 1010,
        index,
        tosca_key_one_of = "subscriber_service_instance"
    )]
    pub subscriber_service: Option<Link<Service>>,
    /// The network that uses it; one of the three subscribers at most
    #[xos(
        number = 5,
        reverse = "subscribed_links",
        reverse_number = 1004,
        index,
        tosca_key_one_of = "subscriber_service_instance"
    )]
    pub subscriber_network: Option<Link<Network>>,
}

/// Which way an interface faces.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum Direction {
    /// To providers.
    #[xos(value = "in", label = "In")]
    In,
    /// To subscribers.
    #[xos(value = "out", label = "Out")]
    Out,
    /// One that this program does not know.
    Other(String),
}

/// A kind of service interface.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct InterfaceType {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name, unique for its direction
    #[xos(number = 1, max_length = 200, stripped, unique_with = "direction")]
    pub name: String,
    /// Which way it faces
    #[xos(number = 2, max_length = 30, stripped)]
    pub direction: Direction,
}

/// Where a service can be connected to others.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct ServiceInterface {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The service that has it
    #[xos(number = 1, reverse = "service_interfaces", reverse_number = 1008, index, tosca_key)]
    pub service: Link<Service>,
    /// What kind it is
    #[xos(number = 2, reverse = "service_interfaces", reverse_number = 1001, index, tosca_key)]
    pub interface_type: Link<InterfaceType>,
}
