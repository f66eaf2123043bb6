//! The Unix socket: only who may read and write the database's file can open it.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Plain;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{UnixListener, UnixStream};
use xos_model_client::Result;

use super::listen::fault;

/// How many bytes the path of a socket may have, on every Unix.
const LONGEST: usize = 103;

/// A socket that a server listens on. Dropped, its file is removed.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file: what is removed is ours.
    file: Option<(u64, u64)>,
}

impl Socket {
    /// Listens on a path. What is left of a server that died is replaced.
    pub(super) fn bind(path: &Path) -> Result<Self> {
        let told = |problem: String, source| fault(path.display(), problem, source);
        let length = path.as_os_str().len();
        if length > LONGEST {
            let problem = format!(
                "the path has {length} bytes, the path of a Unix socket at most {LONGEST}: choose a shorter one"
            );
            return Err(told(problem, None));
        }
        check(path)?;
        make(path).map_err(|error| {
            let folder = folder_of(path);
            let problem = match error.kind() {
                io::ErrorKind::NotFound => {
                    format!("there is no folder {}: create it, or choose another path", folder.display())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("{error}: make the folder {} writable, or choose another path", folder.display())
                }
                _ => format!("{error}: choose another path"),
            };
            told(problem, Some(error))
        })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.file.is_some() && self.file == identity(&self.path).ok() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Fails when something is there that must not be replaced.
fn check(path: &Path) -> Result<()> {
    let told = |problem: &str, source| Err(fault(path.display(), problem, source));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // What is wrong with the folder is told when the socket is made.
        Err(_) => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            return told("there is a file that is no socket: remove it, or choose another path", None);
        }
        Ok(_) => {}
    }
    match Plain::connect(path) {
        Ok(_) => told("another server listens there: stop it, or choose another path", None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // Removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            let problem = format!(
                "there is a socket, and whether a server listens there cannot be found out ({error}): remove it, \
                 or choose another path"
            );
            told(&problem, Some(error))
        }
    }
}

/// Makes the socket where nobody else can reach it, and puts it in its place when it is closed to others. So there is
/// no moment in which somebody else can open it, and what was there is replaced at once.
fn make(path: &Path) -> io::Result<Socket> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = folder_of(path).join(format!(".{:x}.{number:x}", std::process::id()));
    // What is left of a process with our number that died.
    let _ = fs::remove_dir_all(&folder);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let made = (|| {
        let hidden = folder.join("s");
        let listener = UnixListener::bind(&hidden)?;
        fs::set_permissions(&hidden, Permissions::from_mode(0o600))?;
        fs::rename(&hidden, path)?;
        Ok(Socket { listener, file: identity(path).ok(), path: path.to_owned() })
    })();
    let _ = fs::remove_dir_all(&folder);
    made
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path) -> String {
        Socket::bind(path).map(|_| ()).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_socket_is_its_owners_and_is_removed_with_its_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.db.sock");
        let socket = Socket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        let (client, server) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert!(client.is_ok() && server.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_dead_server_left_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("core.db.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead server leaves its socket");
        let first = Socket::bind(&path).unwrap();
        let expected = format!(
            "cannot serve the core on {}: another server listens there: stop it, or choose another path",
            path.display()
        );
        assert_eq!(problem(&path), expected);
        // The first one must not remove what somebody else put in its place.
        fs::remove_file(&path).unwrap();
        let second = Socket::bind(&path).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_a_socket_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("core.db");
        fs::write(&file, "precious").unwrap();
        assert!(problem(&file).contains("a file that is no socket: remove it"), "{}", problem(&file));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        let missing = folder.path().join("no/core.db.sock");
        assert!(problem(&missing).contains("there is no folder"), "{}", problem(&missing));
        let long = folder.path().join("x".repeat(100));
        assert!(problem(&long).contains("at most 103: choose a shorter one"), "{}", problem(&long));
    }
}
