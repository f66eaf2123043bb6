//! Networks, who is on them, and addresses.

use crate::models::{Service, ServiceInstance, Slice, XosBase};
use crate::{Link, Links, XosChoice, XosModel};

/// A network of a slice.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "network_policy", crate = crate)]
pub struct Network {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 32, unique)]
    pub name: String,
    /// What it has in common with others
    #[xos(number = 2, reverse = "network", reverse_number = 1001, index)]
    pub template: Link<NetworkTemplate>,
    /// Its range of addresses
    #[xos(number = 3, max_length = 32)]
    pub subnet: Option<String>,
    /// The first address to give out
    #[xos(number = 4, max_length = 32)]
    pub start_ip: Option<String>,
    /// The last address to give out
    #[xos(number = 5, max_length = 32)]
    pub end_ip: Option<String>,
    /// The ports that are open, such as `tcp/80`
    #[xos(number = 6, max_length = 1024)]
    pub ports: Option<String>,
    /// Words that it can be found by
    #[xos(number = 7, max_length = 1024)]
    pub labels: Option<String>,
    /// The slice that it belongs to
    #[xos(number = 8, reverse = "ownedNetworks", reverse_number = 1004, index)]
    pub owner: Link<Slice>,
    /// Whether every slice may use it
    #[xos(number = 10, default = false)]
    pub permit_all_slices: bool,
    /// Whether instances of a slice on it are connected by themselves
    #[xos(number = 17, default = true)]
    pub autoconnect: bool,
    /// The slices that may use it
    #[xos(number = 18, reverse = "availableNetworks", reverse_number = 1005)]
    pub permitted_slices: Links<Slice>,
}

/// From where the networks of a template can be reached.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum Visibility {
    /// From everywhere.
    #[xos(value = "public", label = "public")]
    Public,
    /// From inside only.
    #[xos(value = "private", label = "private")]
    Private,
    /// One that this program does not know.
    Other(String),
}

/// Whether addresses are translated.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum Translation {
    /// They are not.
    #[xos(value = "none", label = "none")]
    None,
    /// They are.
    #[xos(value = "NAT", label = "NAT")]
    Nat,
    /// One that this program does not know.
    Other(String),
}

/// How services reach each other over a network.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(none = "None", crate = crate)]
pub enum Access {
    /// Through an address that stands for the service.
    #[xos(value = "indirect", label = "Indirect")]
    Indirect,
    /// Each instance on its own.
    #[xos(value = "direct", label = "Direct")]
    Direct,
    /// One that this program does not know.
    Other(String),
}

/// What a network looks like.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum TopologyKind {
    /// One big switch.
    #[xos(value = "bigswitch", label = "BigSwitch")]
    BigSwitch,
    /// The cables as they are.
    #[xos(value = "physical", label = "Physical")]
    Physical,
    /// Something else.
    #[xos(value = "custom", label = "Custom")]
    Custom,
    /// One that this program does not know.
    Other(String),
}

/// What controls a network.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(none = "None", crate = crate)]
pub enum ControllerKind {
    /// ONOS.
    #[xos(value = "onos", label = "ONOS")]
    Onos,
    /// Something else.
    #[xos(value = "custom", label = "Custom")]
    Custom,
    /// One that this program does not know.
    Other(String),
}

/// What a network is to VTN.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum VtnKind {
    /// A network of one tenant.
    #[xos(value = "PRIVATE", label = "Private")]
    Private,
    /// A network with a way to the outside.
    #[xos(value = "PUBLIC", label = "Public")]
    Public,
    /// Management from the same host.
    #[xos(value = "MANAGEMENT_LOCAL", label = "Management Local")]
    ManagementLocal,
    /// Management from other hosts.
    #[xos(value = "MANAGEMENT_HOST", label = "Management Host")]
    ManagementHost,
    /// A network of subscriber gateways.
    #[xos(value = "VSG", label = "VSG")]
    Vsg,
    /// A network of access agents.
    #[xos(value = "ACCESS_AGENT", label = "Access Agent")]
    AccessAgent,
    /// A network without tenants.
    #[xos(value = "FLAT", label = "Flat")]
    Flat,
    /// One that this program does not know.
    Other(String),
}

/// What networks of a kind have in common.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct NetworkTemplate {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 32, unique)]
    pub name: String,
    /// What it is, in a sentence
    #[xos(number = 2, max_length = 1024)]
    pub description: Option<String>,
    /// From where its networks can be reached
    #[xos(number = 4, default = "private", max_length = 30)]
    pub visibility: Visibility,
    /// Whether addresses are translated
    #[xos(number = 5, default = "none", max_length = 30)]
    pub translation: Translation,
    /// How services reach each other over its networks
    #[xos(number = 6, max_length = 30)]
    pub access: Option<Access>,
    /// The name of the network that all share
    #[xos(number = 7, max_length = 30)]
    pub shared_network_name: Option<String>,
    /// The id of the network that all share
    #[xos(number = 8, max_length = 256)]
    pub shared_network_id: Option<String>,
    /// What its networks look like
    #[xos(number = 9, default = "bigswitch", max_length = 30)]
    pub topology_kind: TopologyKind,
    /// What controls its networks
    #[xos(number = 10, max_length = 30)]
    pub controller_kind: Option<ControllerKind>,
    /// What its networks are to VTN
    #[xos(number = 11, default = "PRIVATE", max_length = 30)]
    pub vtn_kind: Option<VtnKind>,
}

/// A slice on a network.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(
    app_label = "core", policy = "network_slice_policy",
    validator("network_slice_validator", "Slice {obj.slice.name} is not allowed to connect to networks {obj.network}"),
    crate = crate
)]
pub struct NetworkSlice {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The network
    #[xos(
        number = 1,
        reverse = "networkslices",
        reverse_number = 1002,
        unique_with = "slice",
        index,
        tosca_key
    )]
    pub network: Link<Network>,
    /// The slice
    #[xos(number = 2, reverse = "networkslices", reverse_number = 1006, index, tosca_key)]
    pub slice: Link<Slice>,
}

/// The place where a service instance is plugged into a network.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "port_policy", crate = crate)]
pub struct Port {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The network
    #[xos(number = 1, reverse = "links", reverse_number = 1003, unique_with = "service_instance", index)]
    pub network: Link<Network>,
    /// The IP address
    #[xos(number = 3, max_length = 39, ip)]
    pub ip: Option<String>,
    /// The id that the infrastructure gave it
    #[xos(number = 4, max_length = 256)]
    pub port_id: Option<String>,
    /// The MAC address
    #[xos(number = 5, max_length = 256)]
    pub mac: Option<String>,
    /// Whether XOS made it
    #[xos(number = 6, default = false)]
    pub xos_created: bool,
    /// What is plugged in
    #[xos(number = 7, reverse = "ports", reverse_number = 1001, index)]
    pub service_instance: Option<Link<ServiceInstance>>,
}

/// A kind of network parameter.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct NetworkParameterType {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 128, unique, index)]
    pub name: String,
    /// What it is, in a sentence
    #[xos(number = 2, max_length = 1024)]
    pub description: Option<String>,
}

/// A value that something has for a network parameter.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct NetworkParameter {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Which parameter it is
    #[xos(number = 1, reverse = "networkparameters", reverse_number = 1001, index)]
    pub parameter: Link<NetworkParameterType>,
    /// Its value
    #[xos(number = 2, max_length = 1024)]
    pub value: String,
    /// The model of the object that has it
    #[xos(number = 4, max_length = 1024, stripped)]
    pub content_type: String,
    /// The id of the object that has it
    #[xos(number = 5)]
    pub object_id: u32,
}

/// Addresses that a service gives out.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", custom_python, crate = crate)]
pub struct AddressPool {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 32, unique)]
    pub name: String,
    /// The free addresses with a space between them; one CIDR is replaced by its addresses
    #[xos(number = 2, text)]
    pub addresses: Option<String>,
    /// The IP address of the gateway
    #[xos(number = 3, max_length = 32)]
    pub gateway_ip: String,
    /// The MAC address of the gateway
    #[xos(number = 4, max_length = 32)]
    pub gateway_mac: String,
    /// The range the addresses are from
    #[xos(number = 5, max_length = 32)]
    pub cidr: String,
    /// The addresses in use, with a space between them
    #[xos(number = 6, text)]
    pub inuse: Option<String>,
    /// The service that gives them out
    #[xos(number = 7, reverse = "addresspools", reverse_number = 1001, index)]
    pub service: Option<Link<Service>>,
}
