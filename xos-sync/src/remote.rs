//! A core on the network, as the configuration describes it.

use std::ffi::OsStr;
use std::io::ErrorKind as Io;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tracing::{info, warn};
use xos_model_client::grpc::{ClientCertificate, CoreClient, CoreOptions, Credentials, LoginBy, Password};
use xos_model_client::{Error, ServiceFile, ServiceFiles};

use crate::config::{Config, Login};
use crate::error::{ErrorKind, Result};

/// How long a verb waits for a core.
const SOON: Duration = Duration::from_secs(10);

/// Connects to the core; waits until it is there.
pub(crate) async fn connect(config: &Config, endpoint: String) -> Result<CoreClient> {
    let client = CoreClient::new(options(config, endpoint))?;
    client.ready().await?;
    Ok(client)
}

/// The same, for somebody who waits in front of a screen.
pub(crate) async fn connect_soon(config: &Config, endpoint: String) -> Result<CoreClient> {
    connect_within(config, endpoint, SOON).await
}

pub(crate) async fn connect_within(
    config: &Config,
    endpoint: String,
    patience: Duration,
) -> Result<CoreClient> {
    let client = CoreClient::new(options(config, endpoint))?;
    match tokio::time::timeout(patience, client.ready()).await {
        Ok(ready) => ready?,
        Err(_) => return Err(client.why_away().unwrap_or_else(|| Error::away("it does not answer")).into()),
    }
    Ok(client)
}

pub(crate) fn options(config: &Config, endpoint: String) -> CoreOptions {
    let accessor = &config.accessor;
    let mut options = CoreOptions::new(endpoint);
    options.server_name.clone_from(&accessor.server_name);
    options.ca_file.clone_from(&accessor.ca_file);
    if let (Some(cert_file), Some(key_file)) = (&accessor.cert_file, &accessor.key_file) {
        options.client_certificate =
            Some(ClientCertificate { cert_file: cert_file.clone(), key_file: key_file.clone() });
    }
    options.credentials = match (&accessor.username, &accessor.password, &accessor.password_file) {
        (Some(username), _, Some(file)) => Some(Credentials::new(username, Password::file(file))),
        (Some(username), Some(password), None) => {
            Some(Credentials::new(username, Password::literal(password.expose_secret())))
        }
        // The configuration was read with both or neither.
        _ => None,
    };
    options.login = match accessor.login {
        Login::Auto => LoginBy::Auto,
        Login::Basic => LoginBy::Basic,
        Login::Session => LoginBy::Session,
    };
    options.call_deadline = accessor.call_deadline;
    options.list_deadline = accessor.list_deadline;
    options.connect_timeout = accessor.connect_timeout;
    options.in_flight = accessor.in_flight;
    options.max_message_size = accessor.max_message_size << 20;
    options
}

/// The files of an existing service, as the Python framework sends them. None when there is no such folder.
///
/// # Errors
///
/// A file that is there and cannot be read.
pub(crate) fn service_files(models_dir: &Path) -> Result<ServiceFiles> {
    if !models_dir.is_dir() {
        info!(
            models_dir = %models_dir.display(),
            "there is no folder models_dir: the models are those of the program"
        );
        return Ok(ServiceFiles::default());
    }
    let is_code = |name: &str| !name.contains("test");
    let attics = files(&models_dir.join("attic"), "py", |_| true)?;
    if !attics.is_empty() {
        warn!("Attics are deprecated, please use the legacy=True option in xProto");
    }
    Ok(ServiceFiles {
        xprotos: files(models_dir, "xproto", |_| true)?,
        decls: files(models_dir, "py", |name| name == "models.py")?,
        attics,
        convenience_methods: files(&models_dir.join("convenience"), "py", is_code)?,
        migrations: files(&models_dir.join("..").join("migrations"), "py", is_code)?,
    })
}

/// The files of a folder with this extension, by name; none when there is no such folder.
fn files(folder: &Path, extension: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<ServiceFile>> {
    let cannot = |path: &Path, error: std::io::Error| ErrorKind::File {
        path: path.display().to_string(),
        problem: format!("cannot be read: {error}"),
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == Io::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(folder, error).into()),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot(folder, error))?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if path.extension() != Some(OsStr::new(extension)) || !wanted(name) || !path.is_file() {
            continue;
        }
        let contents = std::fs::read_to_string(&path).map_err(|error| cannot(&path, error))?;
        files.push(ServiceFile { name: name.to_owned(), contents });
    }
    // The core's fingerprint of the models depends on the order.
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[ServiceFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn the_files_of_a_service_are_found_as_the_python_framework_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "models/b.xproto",
            "models/a.xproto",
            "models/models.py",
            "models/other.py",
            "models/attic/old.py",
            "models/convenience/ways.py",
            "models/convenience/test_ways.py",
            "models/convenience/notes.txt",
            "migrations/__init__.py",
            "migrations/0001_initial.py",
            "migrations/0001_test.py",
        ] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let found = service_files(&folder.path().join("models")).unwrap();
        assert_eq!(names(&found.xprotos), ["a.xproto", "b.xproto"]);
        assert_eq!(names(&found.decls), ["models.py"]);
        assert_eq!(names(&found.attics), ["old.py"]);
        assert_eq!(names(&found.convenience_methods), ["ways.py"]);
        assert_eq!(names(&found.migrations), ["0001_initial.py", "__init__.py"]);
        assert_eq!(found.xprotos[0].contents, "models/a.xproto");
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(service_files(&folder.path().join("nothing")).unwrap(), ServiceFiles::default());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.xproto"), [0xff, 0xfe]).unwrap();
        let error = service_files(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a.xproto") && error.contains("cannot be read"), "{error}");
    }
}
