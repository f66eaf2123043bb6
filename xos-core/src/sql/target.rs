//! Where a database of PostgreSQL is, and how it is reached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use xos_model_client::{Error, ErrorKind, Result};

use super::dialect;

/// The schema of the tables when the URL names none.
const SCHEMA: &str = "xos";

/// How long a connection may take to be made, when the URL does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After so long a server that answers nothing at all counts as gone.
const SILENCE: Duration = Duration::from_secs(20);

/// A database, parsed once. It holds the password: only `name` may be shown.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
    /// The schema of the tables.
    pub(crate) schema: String,
    /// User, host and database, for people.
    pub(crate) name: String,
}

/// How far the server's certificate is looked at.
#[derive(Copy, Clone, PartialEq)]
enum Trust {
    /// The connection is encrypted; who the server is, is not asked. As `sslmode=require` everywhere.
    Anybody,
    /// An authority vouches for it.
    Authority,
    /// And it has the name that was asked for.
    Name,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?key=value`. Besides the keys of libpq that `tokio-postgres`
    /// knows: `schema`, `sslmode` up to `verify-full`, and `sslrootcert`.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let authority =
            address.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        if !is_postgres(url) {
            return Err(wrong(
                "begins with postgres:// or postgresql://, as in postgres://user@host/database",
            ));
        }
        if authority.matches('@').count() > 1 {
            return Err(wrong(
                "has more than one \"@\" before the database: write %40 for one in a user or password",
            ));
        }
        let (mut schema, mut mode, mut roots) = (SCHEMA.to_owned(), None, None);
        let mut rest: Vec<&str> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "schema" => schema = decoded(key, value)?,
                "sslmode" => mode = Some(decoded(key, value)?),
                "sslrootcert" => roots = Some(decoded(key, value)?),
                _ => rest.push(pair),
            }
        }
        if schema.is_empty() || schema.len() > 63 || schema.contains('\0') || schema.starts_with("pg_") {
            return Err(wrong(
                "names a schema that cannot be: give one of 1 to 63 bytes that does not begin with pg_",
            ));
        }
        let plain =
            if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) };
        let mut config: tokio_postgres::Config = plain.parse().map_err(|error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            wrong(&format!("cannot be read{cause}; expected postgres://user:password@host:port/database"))
        })?;
        let (mode, trust) = match mode.as_deref() {
            None | Some("prefer") => (SslMode::Prefer, Trust::Anybody),
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            // With a certificate at hand libpq looks at it, also when it only has to encrypt.
            Some("require") if roots.is_some() => (SslMode::Require, Trust::Authority),
            Some("require") => (SslMode::Require, Trust::Anybody),
            Some("verify-ca") => (SslMode::Require, Trust::Authority),
            Some("verify-full") => (SslMode::Require, Trust::Name),
            Some(_) => {
                return Err(wrong(
                    "has an unknown sslmode: expected disable, prefer, require, verify-ca or verify-full",
                ));
            }
        };
        config.ssl_mode(mode);
        config.application_name(config.get_application_name().unwrap_or("xos-core").to_owned());
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_keepalives_idle() == Duration::from_secs(2 * 60 * 60) {
            config.keepalives_idle(SILENCE / 2).keepalives_interval(SILENCE / 4);
        }
        let name = name(&config, &schema);
        let tls = MakeRustlsConnect::new(tls(trust, roots.as_deref())?);
        Ok(Target { config, tls, schema, name })
    }

    /// A number for this schema: of its lock, and in the name of its channel.
    pub(crate) fn number(&self) -> i32 {
        dialect::number_of(&self.schema) as i32
    }

    /// The channel on which servers tell each other of their commits.
    pub(crate) fn channel(&self) -> String {
        format!("xos_{:08x}", self.number())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Whether a text is the URL of a database of PostgreSQL.
pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn wrong(problem: &str) -> Error {
    ErrorKind::Connection { option: "the database's URL", problem: problem.to_owned() }.into()
}

fn name(config: &tokio_postgres::Config, schema: &str) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = config.get_ports().get(at).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(host) => format!("{host}:{port}"),
            #[cfg(unix)]
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    let user = config.get_user().unwrap_or("");
    let database = config.get_dbname().unwrap_or(user);
    let schema = if schema == SCHEMA { String::new() } else { format!(" (schema {schema})") };
    format!("postgres://{user}@{}/{database}{schema}", hosts.join(","))
}

fn decoded(key: &str, value: &str) -> Result<String> {
    let bad = || wrong(&format!("has a \"{key}\" that cannot be read: write %25 for a percent sign"));
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits =
                after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(bad)?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

fn tls(trust: Trust, file: Option<&str>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&format!("asks for a TLS that is not there: {error}")))?;
    if trust == Trust::Anybody {
        let verifier = Arc::new(Lenient { provider, authority: None });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let roots = Arc::new(roots(file)?);
    if trust == Trust::Name {
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    }
    let authority = rustls::client::WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| wrong(&format!("names authorities that cannot be used: {error}")))?;
    let verifier = Arc::new(Lenient { provider, authority: Some(authority) });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The authorities in a file, or those of the operating system.
fn roots(file: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        Some(path) => {
            let unreadable = |why: String| {
                wrong(&format!(
                    "has an sslrootcert, {path}, that cannot be read: {why}; expected a file of certificates (PEM)"
                ))
            };
            let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("it has no certificate".to_owned()));
            }
        }
        None => {
            let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(wrong(
                    "asks to check the server's certificate, but this system has no authorities: install ca-certificates, or give sslrootcert",
                ));
            }
        }
    }
    Ok(roots)
}

/// Checks less than a name: for `sslmode=require` and `verify-ca`, which promise no more.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Who must have signed the certificate; nobody when it is not looked at.
    authority: Option<Arc<rustls::client::WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(certificate, between, name, ocsp, now) {
            // The name is looked at last: all else was good.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let target =
            Target::parse("postgres://me:s3cret@db.example:5433/objects?schema=a%20b&sslmode=require")
                .unwrap();
        let shown = format!("{target:?} {}", target.name);
        assert!(
            !shown.contains("s3cret") && shown.contains("me@db.example:5433/objects (schema a b)"),
            "{shown}"
        );
        for bad in [
            "postgres://me:s3cret@x@host/db",
            "postgres://me:s3cret@host:port/db",
            "postgres://me:s3cret@host/db?colour=red",
            "postgres://me:s3cret@host/db?sslmode=maybe",
            "postgres://me:s3cret@host/db?schema=%zz",
            "postgres://me:s3cret@host/db?sslmode=verify-full&sslrootcert=/no/such/file",
            "mysql://me:s3cret@host/db",
        ] {
            let error = Target::parse(bad).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
            assert!(error.to_string().contains("the database's URL"), "{error}");
        }
    }
}
