//! The messages of `xos.dynamicload`, with the core's names and numbers.

use xos_model_client::{ServiceFile, ServiceFiles};

/// `Xproto`, `DeclFile`, `AtticFile`, `APIConvenienceFile`, `MigrationFile`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct File {
    #[prost(string, tag = "1")]
    filename: String,
    #[prost(string, tag = "2")]
    contents: String,
}

impl File {
    pub(super) fn of(file: ServiceFile) -> Self {
        File { filename: file.name, contents: file.contents }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LoadModelsRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) xprotos: Vec<File>,
    #[prost(message, repeated, tag = "4")]
    pub(super) decls: Vec<File>,
    #[prost(message, repeated, tag = "5")]
    pub(super) attics: Vec<File>,
    #[prost(message, repeated, tag = "6")]
    pub(super) convenience_methods: Vec<File>,
    #[prost(message, repeated, tag = "7")]
    pub(super) migrations: Vec<File>,
    #[prost(string, tag = "8")]
    pub(super) core_version: String,
}

impl LoadModelsRequest {
    /// Its files, taken out of it.
    pub(super) fn take_files(&mut self) -> ServiceFiles {
        let files = |files: &mut Vec<File>| {
            let files = std::mem::take(files).into_iter();
            files.map(|file| ServiceFile { name: file.filename, contents: file.contents }).collect()
        };
        ServiceFiles {
            xprotos: files(&mut self.xprotos),
            decls: files(&mut self.decls),
            attics: files(&mut self.attics),
            convenience_methods: files(&mut self.convenience_methods),
            migrations: files(&mut self.migrations),
        }
    }
}

/// How a load or an unload ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Status {
    Success = 0,
    NothingChanged = 1,
    TryAgain = 201,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LoadModelsReply {
    #[prost(enumeration = "Status", tag = "1")]
    pub(super) status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct UnloadModelsRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// What a core notes of a service that it never had; here nothing is.
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(int32, tag = "3")]
    pub(super) cleanup_behavior: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ServiceModelStatus {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
    #[prost(string, tag = "3")]
    pub(super) state: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LoadStatusReply {
    #[prost(int32, tag = "1")]
    pub(super) model_status: i32,
    #[prost(string, tag = "2")]
    pub(super) model_output: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) services: Vec<ServiceModelStatus>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListConvenienceMethodsReply {
    #[prost(message, repeated, tag = "1")]
    pub(super) convenience_methods: Vec<File>,
}
