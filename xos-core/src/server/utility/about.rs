//! What this core is. Everybody may ask, so nothing is told that is not everybody's business.

use super::messages::{DatabaseInfo, DatabaseStatus, VersionInfo};
use crate::CORE_VERSION;
use crate::server::World;

/// The version of the core whose rules this one keeps, and what there is of a core's other parts: no Python.
pub(super) fn version() -> VersionInfo {
    let none = || "none".to_owned();
    VersionInfo {
        version: CORE_VERSION.to_owned(),
        python_version: none(),
        git_commit: format!("xos-core {}", env!("CARGO_PKG_VERSION")),
        build_time: "unknown".to_owned(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        django_version: none(),
    }
}

/// The database: which kind, without where it is and who may open it.
pub(super) async fn database(world: &World) -> DatabaseInfo {
    let (name, version, status) = match world.core.database().await {
        Ok((name, version)) => (name, version, DatabaseStatus::Operational),
        Err(_) => ("", String::new(), DatabaseStatus::Error),
    };
    let connection = match (name, world.core.path()) {
        ("SQLite", Some(_)) => "a file",
        ("SQLite", None) => "memory",
        _ => "a server",
    };
    DatabaseInfo { name: name.to_owned(), connection: connection.to_owned(), version, status: status.into() }
}
