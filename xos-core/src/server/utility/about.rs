//! What this core is. Everybody may ask, so nothing is told that is not everybody's business.

use xos_model_client::ModelAccessor as _;

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
    let status = match world.core.cursor().await {
        Ok(_) => DatabaseStatus::Operational,
        Err(_) => DatabaseStatus::Error,
    };
    let connection = if world.core.path().is_some() { "a file" } else { "memory" };
    DatabaseInfo {
        name: "SQLite".to_owned(),
        connection: connection.to_owned(),
        version: rusqlite::version().to_owned(),
        status: status.into(),
    }
}
