//! Backups of the core.

use crate::models::XosBase;
use crate::{Link, Timestamp, XosChoice, XosModel};

/// Where a backup file is on its way.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum BackupFileStatus {
    /// It was fetched.
    #[xos(value = "retrieved", label = "retrieved")]
    Retrieved,
    /// It was sent.
    #[xos(value = "sent", label = "sent")]
    Sent,
    /// It is on its way.
    #[xos(value = "inprogress", label = "inprogress")]
    InProgress,
    /// One that this program does not know.
    Other(String),
}

/// A file with a backup.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct BackupFile {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// Its name
    #[xos(number = 1, max_length = 256)]
    pub name: String,
    /// Where it is
    #[xos(number = 2, max_length = 1024)]
    pub uri: String,
    /// Its checksum
    #[xos(number = 3, max_length = 1024)]
    pub checksum: Option<String>,
    /// Where it is on its way
    #[xos(number = 4, max_length = 32, feedback)]
    pub status: Option<BackupFileStatus>,
    /// The name it has on disk
    #[xos(number = 5, max_length = 1024, feedback)]
    pub backend_filename: Option<String>,
}

/// What a backup is of.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum BackupComponent {
    /// The database of the core.
    #[xos(value = "xos", label = "XOS")]
    Xos,
    /// One that this program does not know.
    Other(String),
}

/// What is to be done with a backup.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum BackupAction {
    /// Make it.
    #[xos(value = "create", label = "create")]
    Create,
    /// Put it back.
    #[xos(value = "restore", label = "restore")]
    Restore,
    /// Look whether it is sound.
    #[xos(value = "verify", label = "verify")]
    Verify,
    /// One that this program does not know.
    Other(String),
}

/// How far a backup operation is.
#[derive(XosChoice, Clone, Debug, PartialEq, Eq)]
#[xos(crate = crate)]
pub enum BackupStatus {
    /// The backup was made.
    #[xos(value = "created", label = "created")]
    Created,
    /// The backup was put back.
    #[xos(value = "restored", label = "restored")]
    Restored,
    /// It failed.
    #[xos(value = "failed", label = "failed")]
    Failed,
    /// It is being done.
    #[xos(value = "inprogress", label = "in progress")]
    InProgress,
    /// It is not known to the core any more.
    #[xos(value = "orphaned", label = "orphaned")]
    Orphaned,
    /// One that this program does not know.
    Other(String),
}

/// Something to be done with a backup.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", custom_python, crate = crate)]
pub struct BackupOperation {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The file it is about, none when one is to be made
    #[xos(number = 1, reverse = "operations", reverse_number = 1001)]
    pub file: Option<Link<BackupFile>>,
    /// What the backup is of
    #[xos(number = 2, default = "xos", max_length = 32)]
    pub component: BackupComponent,
    /// What is to be done
    #[xos(number = 3, max_length = 32)]
    pub operation: BackupAction,
    /// How far it is
    #[xos(number = 4, max_length = 32, feedback)]
    pub status: Option<BackupStatus>,
    /// Why it failed
    #[xos(number = 5, max_length = 4096, feedback)]
    pub error_msg: Option<String>,
    /// When it took effect
    #[xos(number = 6, feedback)]
    pub effective_date: Option<Timestamp>,
    /// What it is known by outside the database
    #[xos(number = 7, max_length = 80, bookkeeping)]
    pub uuid: Option<String>,
}
