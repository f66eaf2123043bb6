use xos_model_client::models::{Node, Service, Site, XosBase};
use xos_model_client::{Link, Links, Timestamp, XosChoice, XosModel};

/// The values of `kind`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(crate = xos_model_client)]
pub enum Kind {
    #[xos(value = "a-b", label = "A B")]
    AB,
    #[xos(value = "NAT")]
    Nat,
    Other,
    #[xos(value = "it's", label = "Mine")]
    ItS,
    /// A value that this program does not know
    Unknown(String),
}

/// The values of `plane`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(none = "Default", crate = xos_model_client)]
pub enum Plane {
    ControlPlane,
    /// A value that this program does not know
    Other(String),
}

/// A thing with everything
// xproto also says: option sync_implemented = "True";
#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "all-of-it",
    plural = "Widgetry",
    verbose_name = "Big Widget",
    policy = "all_policy",
    validator("all_name_ok", "The name has spaces"),
    validator("all_policy", "Only for admins"),
    extensible,
    crate = xos_model_client
)]
pub struct Widget {
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 200, stripped, unique_with("kind", "site"))]
    pub name: String,
    #[xos(number = 2, max_length = 30, default = "NAT")]
    pub kind: Kind,
    #[xos(number = 3, max_length = 30, default = none)]
    pub plane: Option<Plane>,
    #[xos(number = 4, name = "dataPlaneIp", max_length = 39, ip)]
    pub data_plane_ip: String,
    #[xos(number = 5, max_length = 200, url)]
    pub url: Option<String>,
    // xproto also says: min_value = -5
    // xproto also says: max_value = 5
    #[xos(number = 6, default = -3)]
    pub count: i32,
    #[xos(number = 7, default = 7)]
    pub size: Option<u32>,
    #[xos(number = 8, default = 0.25)]
    pub ratio: f32,
    #[xos(number = 9)]
    pub weight: Option<f32>,
    #[xos(number = 10, default = true, gui_hidden)]
    pub enabled: bool,
    #[xos(number = 11)]
    pub perhaps: Option<bool>,
    #[xos(number = 12, text, default = "say \"hi\" \\ now", unique)]
    pub r#type: String,
    #[xos(number = 13, auto_now_add)]
    pub created_at: Timestamp,
    #[xos(number = 14, default = none, feedback)]
    pub seen: Option<Timestamp>,
    #[xos(number = 15, default = now, bookkeeping)]
    pub changed: Timestamp,
    #[xos(
        number = 16,
        default = first,
        index,
        tosca_key,
        reverse = "widgets",
        reverse_number = 1101
    )]
    pub site: Link<Site>,
    #[xos(
        number = 17,
        tosca_key_one_of = "owner",
        reverse = "children",
        reverse_number = 1001
    )]
    pub parent: Option<Link<Widget>>,
    #[xos(number = 18)]
    pub owner: Option<Link<Service>>,
    #[xos(number = 19, reverse = "widgets", reverse_number = 1101)]
    pub nodes: Links<Node>,
    #[xos(number = 20, name = "self", text)]
    pub self_field: String,
    // xproto also says: choices = "(('', 'Empty'), ('x', 'X'))"
    #[xos(number = 21, max_length = 9)]
    pub odd: Option<String>,
}

/// The values of `quality`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(crate = xos_model_client)]
pub enum Quality {
    A,
    /// A value that this program does not know
    Other(String),
}

/// The values of `plane_of_it`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(none = "Default", crate = xos_model_client)]
pub enum PlaneOfIt {
    ControlPlane,
    /// A value that this program does not know
    Other(String),
}

/// Inherits, and has a field with the name of what it inherits.
#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "all-of-it",
    owner_class = LinkModel,
    crate = xos_model_client
)]
pub struct WidgetPlus {
    #[xos(base)]
    pub base: Widget,
    #[xos(number = 1, max_length = 10)]
    pub widget: String,
    #[xos(number = 2, max_length = 10, index)]
    pub quality: Quality,
    #[xos(number = 3, max_length = 30)]
    pub plane_of_it: Option<PlaneOfIt>,
}

/// The values of `quality`.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(crate = xos_model_client)]
pub enum LowerCaseQuality {
    B,
    C,
    /// A value that this program does not know
    Other(String),
}

#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "all-of-it",
    name = "lower_case",
    abstract,
    crate = xos_model_client
)]
pub struct LowerCase {
    #[xos(base)]
    pub base: XosBase,
    #[xos(number = 1, max_length = 10)]
    pub quality: LowerCaseQuality,
}

#[derive(XosModel, Clone, Debug)]
#[xos(
    app_label = "all-of-it",
    name = "Link",
    custom_python,
    crate = xos_model_client
)]
pub struct LinkModel {
    #[xos(base)]
    pub service: Service,
    #[xos(number = 1, index, reverse = "links", reverse_number = 1001)]
    pub lower: Option<Link<LowerCase>>,
}
