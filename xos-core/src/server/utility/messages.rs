//! The messages of `xos.utility`, with the core's names and numbers.

/// Has no text form: it holds a password.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct LoginRequest {
    #[prost(string, tag = "1")]
    pub(super) username: String,
    #[prost(string, tag = "2")]
    pub(super) password: String,
}

impl std::fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginRequest")
    }
}

/// Has no text form: it holds a session.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct LoginResponse {
    #[prost(string, tag = "1")]
    pub(super) sessionid: String,
}

impl std::fmt::Debug for LoginResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginResponse")
    }
}

/// An `ID`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Id {
    #[prost(int32, tag = "1")]
    pub(super) id: i32,
}

/// Which models are meant: a name, a pattern such as `Hello*`, or all when it is empty.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelFilter {
    #[prost(string, tag = "1")]
    pub(super) class_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelListEntry {
    #[prost(string, tag = "1")]
    pub(super) class_name: String,
    #[prost(int32, tag = "2")]
    pub(super) id: i32,
    /// Why it could not be done.
    #[prost(string, tag = "3")]
    pub(super) info: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModelList {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<ModelListEntry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct XProtos {
    #[prost(string, tag = "1")]
    pub(super) xproto: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct VersionInfo {
    #[prost(string, tag = "1")]
    pub(super) version: String,
    #[prost(string, tag = "2")]
    pub(super) python_version: String,
    #[prost(string, tag = "3")]
    pub(super) git_commit: String,
    #[prost(string, tag = "4")]
    pub(super) build_time: String,
    #[prost(string, tag = "5")]
    pub(super) os: String,
    #[prost(string, tag = "6")]
    pub(super) arch: String,
    #[prost(string, tag = "7")]
    pub(super) django_version: String,
}

/// Whether the database answers.
#[derive(Copy, Clone, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum DatabaseStatus {
    Unknown = 0,
    Operational = 1,
    Error = 2,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct DatabaseInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) connection: String,
    #[prost(string, tag = "3")]
    pub(super) version: String,
    #[prost(enumeration = "DatabaseStatus", tag = "4")]
    pub(super) status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PopulatedServiceInstance {
    #[prost(int32, optional, tag = "1")]
    pub(super) id: Option<i32>,
    #[prost(string, optional, tag = "2")]
    pub(super) leaf_model_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) name: Option<String>,
    #[prost(int32, optional, tag = "4")]
    pub(super) owner_id: Option<i32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) provided_service_instances: Vec<i32>,
    #[prost(int32, repeated, tag = "6")]
    pub(super) subscribed_service_instances: Vec<i32>,
    #[prost(int32, repeated, tag = "7")]
    pub(super) subscribed_service: Vec<i32>,
    #[prost(int32, repeated, tag = "8")]
    pub(super) subscribed_network: Vec<i32>,
}
