//! TLS: certificates, clients that must show one, and certificates that are renewed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use xos_core::EmbeddedCore;
use xos_core::server::{Server, Serving, TlsFiles};
use xos_model_client::grpc::transport::Transport;
use xos_model_client::grpc::{ClientCertificate, CoreOptions};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes a certificate of this authority, and its key.
fn issue(authority: &Authority, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, authority).unwrap();
    let (cert, secret) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    std::fs::write(&cert, certificate.pem()).unwrap();
    std::fs::write(&secret, key.serialize_pem()).unwrap();
    (cert, secret)
}

fn trusted(authority: &Authority, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(format!("{name}.ca"));
    std::fs::write(&path, authority.pem()).unwrap();
    path
}

async fn secured(files: TlsFiles) -> Result<Serving, String> {
    let server = Server::new(EmbeddedCore::in_memory().unwrap()).tls(([127, 0, 0, 1], 0).into(), files);
    server.start().await.map_err(|error| error.to_string())
}

fn options(server: &Serving, ca: &Path) -> CoreOptions {
    let mut options = CoreOptions::new(server.tls_address().unwrap().to_string());
    options.ca_file = Some(ca.to_owned());
    options
}

/// Reaches the server and gets any answer of it, or says why not.
async fn reach(options: CoreOptions) -> Result<(), String> {
    let transport = Transport::new(options).unwrap();
    transport.get_schema().await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_certificate_is_shown_and_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (one, two) = (authority("one"), authority("two"));
    let (one_ca, two_ca) = (trusted(&one, folder, "one"), trusted(&two, folder, "two"));
    let (cert, key) = issue(&one, folder, "server");
    let server = secured(TlsFiles { cert: cert.clone(), key, client_ca: None }).await.unwrap();
    assert_eq!(server.tcp_address(), None);
    reach(options(&server, &one_ca)).await.unwrap();
    assert!(reach(options(&server, &two_ca)).await.unwrap_err().contains("not trusted"));

    // Broken files change nothing.
    std::fs::write(&cert, "half of a fi").unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(
        error.contains("server.crt has no certificate in it") && error.contains("the old ones stay"),
        "{error}"
    );
    reach(options(&server, &one_ca)).await.unwrap();

    issue(&two, folder, "server");
    server.reload().unwrap();
    reach(options(&server, &two_ca)).await.unwrap();
    assert!(reach(options(&server, &one_ca)).await.unwrap_err().contains("not trusted"));
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn clients_show_a_certificate_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (own, others) = (authority("own"), authority("others"));
    let ca = trusted(&own, folder, "own");
    let (cert, key) = issue(&own, folder, "server");
    let server = secured(TlsFiles { cert, key, client_ca: Some(ca.clone()) }).await.unwrap();
    let error = reach(options(&server, &ca)).await.unwrap_err();
    assert!(error.contains("does not accept this client"), "{error}");
    for (authority, accepted) in [(&own, true), (&others, false)] {
        let (cert_file, key_file) = issue(authority, folder, "client");
        let mut options = options(&server, &ca);
        options.client_certificate = Some(ClientCertificate { cert_file, key_file });
        assert_eq!(reach(options).await.is_ok(), accepted);
    }
    server.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let own = authority("own");
    let (cert, key) = issue(&own, folder, "server");
    let (other_cert, other_key) = issue(&own, folder, "other");
    let empty = folder.join("empty");
    std::fs::write(&empty, "").unwrap();
    let files = |cert: &Path, key: &Path, client_ca: Option<&Path>| TlsFiles {
        cert: cert.to_owned(),
        key: key.to_owned(),
        client_ca: client_ca.map(Path::to_owned),
    };
    for (files, expected) in [
        (files(&folder.join("no.crt"), &key, None), "no.crt cannot be read"),
        (files(&empty, &key, None), "empty has no certificate in it"),
        (files(&cert, &empty, None), "empty has no private key in it"),
        (files(&cert, &cert, None), "server.crt has no private key in it"),
        (files(&cert, &other_key, None), "other.key is not the key of the certificate in"),
        (files(&other_cert, &other_key, Some(&empty)), "empty has no certificate in it"),
    ] {
        let error = secured(files).await.map(|_| ()).unwrap_err();
        assert!(
            error.contains(expected) && error.starts_with("cannot serve the core on 127.0.0.1:0"),
            "{error}"
        );
    }
}
