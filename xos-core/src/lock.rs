//! One process owns a database file.

use std::fmt;
use std::fs::{File, Metadata, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xos_model_client::{Error, ErrorKind, Result, StoreTrouble};

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
    database: PathBuf,
    locked: Identity,
    opened: Option<Opened>,
}

/// A database that is open: it has to stay where it is.
///
/// A file that was deleted can be used as long as it is open, and is lost when it is closed: what was stored there must
/// not be called stored. And what another file in its place holds is not what this process knows.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    database: PathBuf,
    file: Option<Identity>,
}

/// Which file something is, whatever it is called.
type Identity = (u64, u64);

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
        let locked = written.and_then(|()| file.metadata()).map_err(|error| unwritable(database, error))?;
        Ok(Lock { file, database: database.to_owned(), locked: identity(&locked), opened: None })
    }

    /// The database is open from now on: it has to stay where it is.
    pub(crate) fn opened(&mut self) {
        self.opened = Some(Opened::at(&self.database));
    }

    /// Whether the database is still the file that was opened, and nobody else can have it: without the file that is
    /// locked, another process could. Then it is locked anew.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(opened) = &self.opened {
            opened.check()?;
        }
        if found_at(&path_of(&self.database)) != Some(self.locked) {
            let mut anew = Lock::take(&self.database)?;
            anew.opened = self.opened.take();
            *self = anew;
        }
        Ok(())
    }
}

impl Opened {
    /// The file that is found there now.
    pub(crate) fn at(database: &Path) -> Self {
        Opened { database: database.to_owned(), file: found_at(database) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.database
    }

    /// Whether it is still the same.
    pub(crate) fn check(&self) -> Result<()> {
        if found_at(&self.database) == self.file {
            return Ok(());
        }
        let problem = "was moved, deleted or replaced while this process has it, nothing was stored; \
             move it back, or stop this process before another file takes its place";
        Err(passing(&self.database, problem.to_owned(), None))
    }
}

#[cfg(unix)]
fn identity(found: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

/// Elsewhere a file that is open cannot be moved or deleted.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}

fn found_at(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|found| identity(&found))
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
    passing(database, problem, Some(in_use.into()))
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
    passing(database, problem, Some(error.into()))
}

/// All of this is about files, not about what is in them.
fn passing(
    database: &Path,
    problem: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let (path, trouble) = (database.display().to_string(), StoreTrouble::Passing);
    ErrorKind::Store { path, problem, trouble, source }.into()
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

    #[cfg(unix)]
    #[test]
    fn a_database_that_is_not_there_any_more_is_noticed_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("core.db"), folder.path().join("away.db"));
        std::fs::write(&path, "one").unwrap();
        let mut lock = Lock::take(&path).unwrap();
        lock.check().unwrap();
        lock.opened();
        lock.check().unwrap();
        std::fs::rename(&path, &away).unwrap();
        let error = lock.check().unwrap_err();
        assert!(error.is_passing_trouble(), "{error}");
        assert!(error.to_string().contains("was moved, deleted or replaced"), "{error}");
        std::fs::write(&path, "one").unwrap();
        assert!(lock.check().is_err(), "another file with the same content");
        std::fs::rename(&away, &path).unwrap();
        lock.check().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_whose_file_was_deleted_is_taken_anew_or_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.db");
        let mut first = Lock::take(&path).unwrap();
        std::fs::remove_file(path_of(&path)).unwrap();
        first.check().unwrap();
        assert!(InUse::of(&Lock::take(&path).unwrap_err()).is_some(), "it is locked again");
        std::fs::remove_file(path_of(&path)).unwrap();
        let second = Lock::take(&path).unwrap();
        assert!(InUse::of(&first.check().unwrap_err()).is_some(), "somebody else was quicker");
        drop(second);
        first.check().unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::take(&folder.path().join("no/core.db")).unwrap_err().to_string();
        assert!(error.contains("there is no folder") && error.contains("create it"), "{error}");
    }
}
