//! One process owns a database file.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xos_model_client::{Error, ErrorKind, Result};

/// A database that another process has: the source of that error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InUse {
    /// The process that has it, where it is known.
    pub pid: Option<u32>,
}

impl InUse {
    /// What an error of [`EmbeddedCore::open`](crate::EmbeddedCore::open) says of another process that has the file;
    /// `None` for any other error.
    pub fn of(error: &Error) -> Option<&InUse> {
        let ErrorKind::Store { source: Some(source), .. } = error.kind() else { return None };
        source.downcast_ref()
    }
}

impl std::error::Error for InUse {}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "in use by process {pid}"),
            None => f.write_str("in use by another process"),
        }
    }
}

/// The lock on a database, held as long as this lives. The operating system frees it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of this database.
    pub(crate) fn take(database: &Path) -> Result<Self> {
        let path = path_of(database);
        let mut file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| unwritable(database, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(database, &mut file)),
            Err(TryLockError::Error(error)) => {
                return Err(store_error(
                    database,
                    format!("cannot be locked: {error}; put it on a file system that has locks"),
                    error,
                ));
            }
        }
        let pid = format!("{}\n", std::process::id());
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes()));
        written.map_err(|error| unwritable(database, error))?;
        Ok(Lock { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file frees the lock as well; an empty file tells a person who looks that nobody holds it.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

/// The file beside the database that is locked: never the database itself, whose locks belong to SQLite.
fn path_of(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn taken(database: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(32).read_to_string(&mut text));
    let in_use = InUse { pid: text.trim().parse().ok() };
    let problem = format!("is {in_use}; stop that process first, or give this one another database");
    ErrorKind::Store { path: database.display().to_string(), problem, source: Some(in_use.into()) }.into()
}

fn unwritable(database: &Path, error: std::io::Error) -> Error {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = if folder.is_dir() {
        format!(
            "cannot be opened for writing: {error}; make the folder {} writable, or give another database",
            folder.display()
        )
    } else {
        format!(
            "cannot be opened: there is no folder {}; create it, or give another database",
            folder.display()
        )
    };
    store_error(database, problem, error)
}

fn store_error(database: &Path, problem: String, error: std::io::Error) -> Error {
    ErrorKind::Store { path: database.display().to_string(), problem, source: Some(error.into()) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_names_the_process_that_has_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.db");
        let first = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err();
        assert_eq!(InUse::of(&error).unwrap().pid, Some(std::process::id()));
        assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
        drop(first);
        Lock::take(&path).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::take(&folder.path().join("no/core.db")).unwrap_err().to_string();
        assert!(error.contains("there is no folder") && error.contains("create it"), "{error}");
    }
}
