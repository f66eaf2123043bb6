//! TLS: the certificates of a server, and how they are renewed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// The files of a listener with TLS, all PEM. They are read when it starts and when it is told to
/// [`reload`](super::Serving::reload) them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server and those that lead from it to its CA.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the CAs whose clients are let in. `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// TLS as it is set up now.
pub(super) struct Secured {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
}

impl Secured {
    /// Reads the files.
    pub(super) fn new(files: TlsFiles) -> Result<Self, String> {
        let config = RwLock::new(Arc::new(read(&files)?));
        Ok(Secured { files, config })
    }

    /// Reads the files again. When they cannot be used, all stays as it is.
    pub(super) fn reload(&self) -> Result<(), String> {
        let config = Arc::new(read(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What new connections are taken with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.cert)?;
    let shown = files.key.display();
    let key = std::fs::read(&files.key).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_| format!("{shown} has no private key in it (a PEM block BEGIN PRIVATE KEY)"))?;
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let config = match &files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => {
            let shown = path.display();
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("{shown} has a certificate that cannot be used: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| format!("{shown} cannot be used for clients: {error}"))?;
            config.with_client_cert_verifier(verifier)
        }
    };
    let mut config = config.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("{shown} is not the key of the certificate in {}", files.cert.display())
        }
        error => format!("{} and {shown} cannot be used: {error}", files.cert.display()),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{shown} is no PEM file: {error}"))?;
    if found.is_empty() {
        return Err(format!("{shown} has no certificate in it (a PEM block BEGIN CERTIFICATE)"));
    }
    Ok(found)
}
