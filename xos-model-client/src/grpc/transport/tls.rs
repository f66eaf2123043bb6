//! Whom to trust, and as whom to be trusted.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::error::Result;
use crate::grpc::options::{CoreOptions, fault};

/// Where XOS containers keep the certificate of their own CA.
const LOCAL_CERTS: &str = "/usr/local/share/ca-certificates/local_certs.crt";

/// The certificates that are trusted.
pub(super) enum Trust {
    File(PathBuf, Vec<u8>),
    System,
}

impl Trust {
    /// The configured file, else the one of XOS containers, else the system's.
    pub(super) fn find(options: &CoreOptions) -> Result<Self> {
        Trust::look(options.ca_file.as_deref(), Path::new(LOCAL_CERTS))
    }

    fn look(configured: Option<&Path>, local: &Path) -> Result<Self> {
        let Some(path) = configured else {
            return if local.exists() { Trust::read(local, "") } else { Ok(Trust::System) };
        };
        let others = if local.exists() {
            format!("; without it {} would be used", local.display())
        } else {
            format!("; tried too: {}, which does not exist", local.display())
        };
        Trust::read(path, &others)
    }

    fn read(path: &Path, others: &str) -> Result<Self> {
        let pem = read_certificates(path).map_err(|problem| {
            let text =
                format!("{} {problem}; expected the CA of the core's certificate{others}", path.display());
            fault("ca_file", text)
        })?;
        Ok(Trust::File(path.to_owned(), pem))
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trust::File(path, _) => write!(f, "the certificates in {}", path.display()),
            Trust::System => write!(f, "the certificates of this system, as {LOCAL_CERTS} does not exist"),
        }
    }
}

/// Reads a file and checks that there are certificates in it.
fn read_certificates(path: &Path) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("is no PEM file: {error}"))?;
    if found.is_empty() {
        return Err("has no certificate in it (a PEM block BEGIN CERTIFICATE)".to_owned());
    }
    let mut roots = rustls::RootCertStore::empty();
    match roots.add_parsable_certificates(found) {
        (0, _) => Err("has no certificate in it that can be read".to_owned()),
        _ => Ok(pem),
    }
}

/// What tonic needs to know of TLS.
pub(super) fn config(options: &CoreOptions, trust: Trust, server_name: &str) -> Result<ClientTlsConfig> {
    if ServerName::try_from(server_name).is_err() {
        let option = if options.server_name.is_some() { "server_name" } else { "endpoint" };
        let problem =
            format!("\"{server_name}\" is neither a name nor an address; expected one, such as xos-core");
        return Err(fault(option, problem));
    }
    let mut config = ClientTlsConfig::new().domain_name(server_name).timeout(options.connect_timeout);
    config = match trust {
        Trust::File(_, pem) => config.ca_certificate(Certificate::from_pem(pem)),
        Trust::System => config.with_native_roots(),
    };
    let Some(own) = &options.client_certificate else { return Ok(config) };
    let certificate = read_certificates(&own.cert_file)
        .map_err(|problem| fault("cert_file", format!("{} {problem}", own.cert_file.display())))?;
    let key_fault = |problem: String| fault("key_file", format!("{} {problem}", own.key_file.display()));
    let key = std::fs::read(&own.key_file).map_err(|error| key_fault(format!("cannot be read: {error}")))?;
    PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| key_fault("has no private key in it (a PEM block BEGIN PRIVATE KEY)".to_owned()))?;
    Ok(config.identity(Identity::from_pem(certificate, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(configured: Option<&Path>, local: &Path) -> String {
        Trust::look(configured, local).map_or_else(|error| error.to_string(), |trust| trust.to_string())
    }

    #[test]
    fn the_first_of_three_places_is_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(["xos-core".to_owned()]).unwrap();
        let (own, local) = (folder.path().join("own.crt"), folder.path().join("local.crt"));
        assert!(problem(None, &local).contains("of this system"));
        std::fs::write(&local, key.cert.pem()).unwrap();
        assert_eq!(problem(None, &local), format!("the certificates in {}", local.display()));
        std::fs::write(&own, key.cert.pem()).unwrap();
        assert_eq!(problem(Some(&own), &local), format!("the certificates in {}", own.display()));
    }

    #[test]
    fn a_file_without_certificates_is_named_with_those_tried() {
        let folder = tempfile::tempdir().unwrap();
        let (own, local) = (folder.path().join("own.crt"), folder.path().join("local.crt"));
        let text = problem(Some(&own), &local);
        assert!(text.contains("own.crt cannot be read"), "{text}");
        assert!(text.contains("tried too") && text.contains("local.crt, which does not exist"), "{text}");
        for (contents, expected) in [
            ("", "has no certificate in it"),
            ("hello", "has no certificate in it"),
            ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "is no PEM file"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "that can be read"),
        ] {
            std::fs::write(&own, contents).unwrap();
            let text = problem(Some(&own), &local);
            assert!(text.contains(expected), "{contents}: {text}");
        }
        std::fs::write(&local, "").unwrap();
        assert!(problem(None, &local).contains("local.crt has no certificate"));
    }
}
