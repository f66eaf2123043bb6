//! Our own server, as a test needs it: an administrator, free ports, TLS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use secrecy::SecretString;
use tempfile::TempDir;
use xos_core::EmbeddedCore;
use xos_core::server::{Accounts, Server, Serving, TlsFiles};
use xos_model_client::grpc::{CoreOptions, Credentials, Password};

use crate::raw::RawClient;
use crate::stand_in::BoxError;

/// The administrator of the recorded core, and of a core that was started here.
pub const ADMIN: &str = "admin@opencord.org";

/// The administrator's password.
pub const PASSWORD: &str = "letmein";

/// A server of an embedded core. Dropped, it is gone.
pub struct OurServer {
    /// What it serves, to arrange and look at objects without the wire.
    pub core: EmbeddedCore,
    /// What listens.
    pub serving: Serving,
    folder: TempDir,
}

impl OurServer {
    /// Serves a core in the clear, with TLS and on a Unix socket, with an administrator and what else a first start
    /// makes.
    ///
    /// # Errors
    ///
    /// Certificates or ports that cannot be had.
    pub async fn start(core: EmbeddedCore) -> Result<Self, BoxError> {
        Accounts::first_start(&core, Some(SecretString::from(PASSWORD))).await?;
        let folder = tempfile::tempdir()?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let serving = Server::new(core.clone())
            .tcp(free)
            .tls(free, certificates(folder.path())?)
            .unix(folder.path().join("core.sock"))
            .start()
            .await?;
        Ok(OurServer { core, serving, folder })
    }

    /// Where it listens in the clear, such as `http://127.0.0.1:40001`.
    pub fn uri(&self) -> String {
        self.serving.tcp_address().map(|address| format!("http://{address}")).unwrap_or_default()
    }

    /// A client of it without credentials.
    ///
    /// # Errors
    ///
    /// None, as long as it listens.
    pub fn raw(&self) -> Result<RawClient, BoxError> {
        RawClient::to(&self.uri())
    }

    /// How its administrator reaches it in the clear.
    pub fn plain(&self) -> CoreOptions {
        Self::options(self.uri())
    }

    /// How its administrator reaches it with TLS.
    pub fn tls(&self) -> CoreOptions {
        let address = self.serving.tls_address().map(|address| format!("https://{address}"));
        let mut options = Self::options(address.unwrap_or_default());
        options.ca_file = Some(self.folder.path().join("ca.pem"));
        options
    }

    /// How somebody on this machine reaches it, who may open its socket.
    pub fn unix(&self) -> CoreOptions {
        let path = self.serving.unix_path().map(|path| format!("unix:{}", path.display()));
        CoreOptions::new(path.unwrap_or_default())
    }

    fn options(endpoint: String) -> CoreOptions {
        let mut options = CoreOptions::new(endpoint);
        options.credentials = Some(Credentials::new(ADMIN, Password::literal(PASSWORD)));
        options
    }
}

/// A certificate for 127.0.0.1 from a new authority, as files.
fn certificates(folder: &Path) -> Result<TlsFiles, BoxError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, "An authority of a test");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let mut params = CertificateParams::new(["localhost", "127.0.0.1"].map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "xos-core");
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    let file = |name: &str, text: String| -> Result<PathBuf, BoxError> {
        let path = folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    };
    file("ca.pem", authority.pem())?;
    let cert = file("cert.pem", certificate.pem())?;
    Ok(TlsFiles { cert, key: file("key.pem", key.serialize_pem())?, client_ca: None })
}
