//! The core itself, its GUI, and tags on anything.

use crate::models::{Service, XosBase};
use crate::{Link, XosChoice, XosModel};

/// What a core may be used for.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum MaintenanceMode {
    /// Everything.
    #[xos(value = "NORMAL", label = "NORMAL")]
    Normal,
    /// What is begun is finished, nothing new.
    #[xos(value = "DRAIN", label = "DRAIN")]
    Drain,
    /// Reading.
    #[xos(value = "READONLY", label = "READONLY")]
    ReadOnly,
    /// Nothing.
    #[xos(value = "OFFLINE", label = "OFFLINE")]
    Offline,
    /// One that this program does not know.
    Other(String),
}

/// The core itself.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(name = "XOSCore", app_label = "core", crate = crate)]
pub struct XosCore {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, default = "XOS", max_length = 200, stripped, unique)]
    pub name: String,
    /// What it may be used for
    #[xos(number = 2, default = "NORMAL", max_length = 256, tosca_key)]
    pub maintenance_mode: MaintenanceMode,
}

/// Files that a service adds to the GUI.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(
    name = "XOSGuiExtension", app_label = "core", verbose_name = "XOS GUI Extension",
    policy = "admin_policy", crate = crate
)]
pub struct XosGuiExtension {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped, unique)]
    pub name: String,
    /// The files to load, with a comma between them
    #[xos(number = 2, max_length = 1024, stripped)]
    pub files: String,
}

/// A named value of any object.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "tag_policy", crate = crate)]
pub struct Tag {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The service that understands it
    #[xos(number = 1, reverse = "tags", reverse_number = 1007, index)]
    pub service: Link<Service>,
    /// Its name
    #[xos(number = 2, max_length = 128, index)]
    pub name: String,
    /// Its value
    #[xos(number = 3, max_length = 1024, stripped)]
    pub value: String,
    /// The model of the object that has it
    #[xos(number = 4, max_length = 1024, stripped)]
    pub content_type: String,
    /// The id of the object that has it
    #[xos(number = 5)]
    pub object_id: u32,
}
