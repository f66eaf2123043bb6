//! Slices, and what their instances are made of.

use crate::models::{Node, Service, Site, User, XosBase};
use crate::{Link, XosChoice, XosModel};

/// Which network the containers of a slice get.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(none = "Default", crate = crate)]
pub enum SliceNetwork {
    /// That of their host.
    #[xos(value = "host", label = "Host")]
    Host,
    /// One of their own, bridged.
    #[xos(value = "bridged", label = "Bridged")]
    Bridged,
    /// None by itself.
    #[xos(value = "noauto", label = "No Automatic Networks")]
    NoAuto,
    /// One that this program does not know.
    Other(String),
}

/// What instances run in.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum Isolation {
    /// A virtual machine.
    #[xos(value = "vm", label = "Virtual Machine")]
    Vm,
    /// A container.
    #[xos(value = "container", label = "Container")]
    Container,
    /// A container in a virtual machine.
    #[xos(value = "container_vm", label = "Container In VM")]
    ContainerVm,
    /// One that this program does not know.
    Other(String),
}

/// Resources of a service or a user, kept apart from those of others.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(
    app_label = "core", custom_python, policy = "slice_policy",
    validator("slice_name_no_spaces", "Slice name contains spaces"),
    validator("slice_has_creator", "Slice has no creator"), crate = crate
)]
pub struct Slice {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name, without spaces
    #[xos(number = 1, max_length = 80, stripped, unique)]
    pub name: String,
    /// Whether it is to be used
    #[xos(number = 2, default = true)]
    pub enabled: bool,
    /// What it is, in a sentence
    #[xos(number = 4, text)]
    pub description: Option<String>,
    /// The site it belongs to
    #[xos(number = 6, reverse = "slices", reverse_number = 1005, index)]
    pub site: Link<Site>,
    /// The most instances it may have
    #[xos(number = 7, default = 10)]
    pub max_instances: i32,
    /// The service it belongs to
    #[xos(number = 8, reverse = "slices", reverse_number = 1006, index)]
    pub service: Option<Link<Service>>,
    /// Which network its containers get
    #[xos(number = 9, max_length = 256)]
    pub network: Option<SliceNetwork>,
    /// The ports that are open to the outside, such as `tcp 80`
    #[xos(number = 10, max_length = 256)]
    pub exposed_ports: Option<String>,
    /// Who made it
    #[xos(number = 12, reverse = "slices", reverse_number = 1004, index)]
    pub creator: Option<Link<User>>,
    /// The size of its instances
    #[xos(number = 13, reverse = "slices", reverse_number = 1002, index)]
    pub default_flavor: Option<Link<Flavor>>,
    /// What its instances start from
    #[xos(number = 14, reverse = "slices", reverse_number = 1005, index)]
    pub default_image: Option<Link<Image>>,
    /// Where its instances run
    #[xos(number = 15, reverse = "slices", reverse_number = 1003, index)]
    pub default_node: Option<Link<Node>>,
    /// The data sets that its instances see
    #[xos(number = 16, default = "GenBank", max_length = 256, stripped)]
    pub mount_data_sets: Option<String>,
    /// What its instances run in
    #[xos(number = 17, default = "vm", max_length = 30)]
    pub default_isolation: Isolation,
    /// The domain its principal is known in
    #[xos(number = 18, reverse = "slices", reverse_number = 1002, index)]
    pub trust_domain: Option<Link<TrustDomain>>,
    /// On whose behalf it runs
    #[xos(number = 19, reverse = "slices", reverse_number = 1001, index)]
    pub principal: Option<Link<Principal>>,
    /// How many instances a controller keeps running
    #[xos(number = 20, default = 0)]
    pub controller_replica_count: Option<i32>,
    /// What keeps its instances running, such as `Deployment`
    #[xos(number = 21, max_length = 256, stripped)]
    pub controller_kind: Option<String>,
}

/// A size of machines.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct Flavor {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 32, stripped, unique)]
    pub name: String,
    /// What it is, in a sentence
    #[xos(number = 2, max_length = 1024, stripped)]
    pub description: Option<String>,
    /// What the infrastructure calls it
    #[xos(number = 3, max_length = 32, stripped)]
    pub flavor: String,
}

/// What an image makes.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum ImageKind {
    /// A virtual machine.
    #[xos(value = "vm", label = "Virtual Machine")]
    Vm,
    /// A container.
    #[xos(value = "container", label = "Container")]
    Container,
    /// One that this program does not know.
    Other(String),
}

/// What a machine starts from.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct Image {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name, unique together with the tag
    #[xos(number = 1, max_length = 256, stripped, unique_with = "tag")]
    pub name: String,
    /// What it makes
    #[xos(number = 2, default = "vm", max_length = 30)]
    pub kind: ImageKind,
    /// The format of its disk
    #[xos(number = 3, max_length = 256, stripped)]
    pub disk_format: Option<String>,
    /// The format of its container
    #[xos(number = 4, max_length = 256, stripped)]
    pub container_format: Option<String>,
    /// Where it is
    #[xos(number = 5, max_length = 256, stripped)]
    pub path: Option<String>,
    /// Its version
    #[xos(number = 6, max_length = 256, stripped)]
    pub tag: Option<String>,
}

/// A scope in which principals are known and names are unique.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct TrustDomain {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 256, index)]
    pub name: String,
    /// The service that made it
    #[xos(number = 2, reverse = "owned_trust_domains", reverse_number = 1011, index)]
    pub owner: Link<Service>,
}

/// Somebody or something known in a trust domain.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct Principal {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 128, index)]
    pub name: String,
    /// The domain it is known in
    #[xos(number = 2, reverse = "principals", reverse_number = 1001, index)]
    pub trust_domain: Link<TrustDomain>,
}
