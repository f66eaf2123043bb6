//! Unix sockets beside databases.

use std::io;
use std::path::{Path, PathBuf};

/// The longest path of a socket that every system takes, in bytes.
pub(crate) const LONGEST: usize = 100;

/// Who is at the other end of a socket.
#[derive(Debug)]
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "nobody goes through it"))]
pub(crate) enum Found {
    /// Somebody listens.
    Served,
    /// There is no socket, or one that was left behind.
    Nobody,
    /// It cannot be opened.
    Forbidden(io::Error),
}

/// Looks who is at the other end of a socket.
#[cfg(unix)]
pub(crate) fn look(socket: &Path) -> Found {
    use std::io::ErrorKind as Io;
    match std::os::unix::net::UnixStream::connect(short(socket)) {
        Ok(_) => Found::Served,
        Err(error) if error.kind() == Io::PermissionDenied => Found::Forbidden(error),
        Err(_) => Found::Nobody,
    }
}

#[cfg(not(unix))]
pub(crate) fn look(_socket: &Path) -> Found {
    Found::Nobody
}

/// The path of a socket as it is opened: absolute, so that it can be told to other programs, unless only the relative
/// one is short enough.
pub(crate) fn short(socket: &Path) -> PathBuf {
    match std::path::absolute(socket) {
        Ok(absolute) if absolute.as_os_str().len() <= LONGEST => absolute,
        _ => socket.to_owned(),
    }
}

/// Why a path cannot be that of a socket.
#[cfg(any(feature = "serve", test))]
pub(crate) fn too_long(socket: &Path) -> Option<String> {
    let length = short(socket).as_os_str().len();
    (length > LONGEST).then(|| {
        format!(
            "the path of a socket has {LONGEST} bytes at most, and {} has {length}; name a shorter one with \
             accessor.socket",
            socket.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_shortened_where_that_is_possible() {
        assert!(short(Path::new("a.sock")).is_absolute());
        let long = format!("/{}/a.sock", "x".repeat(LONGEST));
        assert_eq!(short(Path::new(&long)), Path::new(&long));
        let problem = too_long(Path::new(&long)).unwrap();
        assert!(problem.contains("108") && problem.contains("accessor.socket"), "{problem}");
        assert_eq!(too_long(Path::new("a.sock")), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_that_was_left_behind_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        assert!(matches!(look(&path), Found::Nobody));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(look(&path), Found::Served));
        drop(listener);
        assert!(path.exists() && matches!(look(&path), Found::Nobody));
    }
}
