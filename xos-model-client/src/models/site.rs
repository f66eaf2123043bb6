//! Sites and their machines.

use crate::models::XosBase;
use crate::{Link, Links, XosModel};

/// A logical grouping of nodes at one location.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "site_policy", crate = crate)]
pub struct Site {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped, unique)]
    pub name: String,
    /// A page about it
    #[xos(number = 2, max_length = 512, url)]
    pub site_url: Option<String>,
    /// Whether it is to be used
    #[xos(number = 3, default = true)]
    pub enabled: bool,
    /// Whether it has nodes
    #[xos(number = 4, default = true)]
    pub hosts_nodes: bool,
    /// Whether it has users
    #[xos(number = 5, default = true)]
    pub hosts_users: bool,
    /// Degrees east
    #[xos(number = 6)]
    pub longitude: Option<f32>,
    /// Degrees north
    #[xos(number = 7)]
    pub latitude: Option<f32>,
    /// What the names of its slices start with
    #[xos(number = 8, max_length = 50, stripped)]
    pub login_base: String,
    /// Whether everybody may see it
    #[xos(number = 9, default = true)]
    pub is_public: bool,
    /// Its short name
    #[xos(number = 10, max_length = 80, stripped)]
    pub abbreviated_name: String,
}

/// A machine that instances run on.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct Node {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped, unique)]
    pub name: String,
    /// The id of its bridge
    #[xos(number = 3, name = "bridgeId", max_length = 200, stripped)]
    pub bridge_id: Option<String>,
    /// The interface of the data plane
    #[xos(number = 4, name = "dataPlaneIntf", max_length = 200, stripped)]
    pub data_plane_intf: Option<String>,
    /// The address in the data plane, with its prefix length
    #[xos(number = 5, name = "dataPlaneIp", max_length = 200, stripped)]
    pub data_plane_ip: Option<String>,
    /// The interface it is managed through
    #[xos(number = 6, name = "hostManagementIface", max_length = 200, stripped)]
    pub host_management_iface: Option<String>,
    /// Where it is
    #[xos(number = 7, reverse = "nodes", reverse_number = 1006, default = first, index)]
    pub site: Link<Site>,
}

/// A label that nodes have.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", custom_python, crate = crate)]
pub struct NodeLabel {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// What it says
    #[xos(number = 1, max_length = 200, stripped, unique)]
    pub name: String,
    /// The nodes that have it
    #[xos(number = 2, reverse = "nodelabels", reverse_number = 1002)]
    pub node: Links<Node>,
}
