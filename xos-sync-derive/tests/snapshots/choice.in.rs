/// What a service does.
#[derive(XosChoice, Clone, Debug, PartialEq)]
#[xos(none = "Not said")]
pub enum ServiceKind {
    /// It moves data.
    #[xos(value = "data", label = "Data Plane")]
    Data,
    ControlPlane,
    /// A kind that this program does not know.
    Other(String),
}
