//! TLS: whom we trust, who trusts us, and what each mistake looks like.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use xos_model_client::grpc::transport::{CallError, CallKind, Hint, Transport};
use xos_model_client::grpc::{ClientCertificate, CoreOptions};

use crate::server::{Server, ok};
use crate::{CREATE, call};

/// A CA with its certificate in a file.
struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

struct Leaf {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), issuer.pem()).unwrap();
        Ca { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    fn certificate(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Leaf { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// Serves under this certificate; asks clients for one of `clients`.
    async fn serve(&self, leaf: &Leaf, clients: Option<&Ca>) -> Server {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.serialize_der()));
        let builder = rustls::ServerConfig::builder();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.issuer.der().clone()).unwrap();
                builder.with_client_cert_verifier(
                    WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap(),
                )
            }
        };
        let mut config = builder.with_single_cert(vec![leaf.certificate.clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Server::listen("127.0.0.1:0", Some(TlsAcceptor::from(Arc::new(config))), |_| ok("x")).await
    }
}

fn options(server: &Server, ca: &Ca) -> CoreOptions {
    let mut options = CoreOptions::new(format!("localhost:{}", server.address.port()));
    options.ca_file = Some(ca.file());
    options
}

async fn refused(options: CoreOptions, expected: Hint, words: &[&str]) {
    let error = call(&Transport::new(options).unwrap(), CREATE, CallKind::Once).await.unwrap_err();
    let CallError::NotSent { reason, hint } = &error else { panic!("{error:?}") };
    assert_eq!(*hint, expected, "{reason}");
    for word in words {
        assert!(reason.contains(word), "no \"{word}\" in: {reason}");
    }
}

#[tokio::test]
async fn a_core_with_a_certificate_of_our_ca_is_trusted() {
    let ca = Ca::new();
    let server = ca.serve(&ca.certificate("localhost", |_| ()), None).await;
    let transport = Transport::new(options(&server, &ca)).unwrap();
    for _ in 0..3 {
        assert_eq!(call(&transport, CREATE, CallKind::Once).await.unwrap(), "x");
    }
    assert_eq!((server.count(CREATE), transport.connections()), (3, 1));
}

#[tokio::test]
async fn an_address_is_a_name_too() {
    let ca = Ca::new();
    let server = ca.serve(&ca.certificate("127.0.0.1", |_| ()), None).await;
    let mut options = options(&server, &ca);
    options.endpoint = format!("https://{}", server.address);
    assert_eq!(call(&Transport::new(options).unwrap(), CREATE, CallKind::Once).await.unwrap(), "x");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_unless_that_name_is_expected() {
    let ca = Ca::new();
    let server = ca.serve(&ca.certificate("xos-core", |_| ()), None).await;
    let mut options = options(&server, &ca);
    refused(options.clone(), Hint::WrongName, &["not for \"localhost\"", "xos-core", "server_name"]).await;
    assert_eq!(server.count(CREATE), 0);
    options.server_name = Some("xos-core".to_owned());
    assert_eq!(call(&Transport::new(options).unwrap(), CREATE, CallKind::Once).await.unwrap(), "x");
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let (ca, other) = (Ca::new(), Ca::new());
    let server = ca.serve(&ca.certificate("localhost", |_| ()), None).await;
    refused(options(&server, &other), Hint::UnknownIssuer, &["not trusted", "ca.crt", "set ca_file"]).await;
    assert_eq!(server.count(CREATE), 0);
    // What needs a person is not tried again at once.
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let ca = Ca::new();
    let old = ca.certificate("localhost", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = ca.serve(&old, None).await;
    refused(options(&server, &ca), Hint::Expired, &["not valid now", "renew it", "clocks"]).await;
    let new = ca.certificate("localhost", |params| params.not_before = date_time_ymd(2200, 1, 1));
    let server = ca.serve(&new, None).await;
    refused(options(&server, &ca), Hint::Expired, &["not valid now"]).await;
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_asked_for() {
    let ca = Ca::new();
    let server = ca.serve(&ca.certificate("localhost", |_| ()), Some(&ca)).await;
    let mut options = options(&server, &ca);
    refused(options.clone(), Hint::ClientCertificate, &["cert_file", "key_file"]).await;

    let client = ca.certificate("synchronizer", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let cert_file = ca.folder.path().join("client.crt");
    let key_file = ca.folder.path().join("client.key");
    std::fs::write(&cert_file, &client.pem).unwrap();
    std::fs::write(&key_file, client.key.serialize_pem()).unwrap();
    options.client_certificate =
        Some(ClientCertificate { cert_file: cert_file.clone(), key_file: key_file.clone() });
    assert_eq!(call(&Transport::new(options.clone()).unwrap(), CREATE, CallKind::Once).await.unwrap(), "x");

    options.client_certificate =
        Some(ClientCertificate { cert_file: cert_file.clone(), key_file: cert_file });
    let error = Transport::new(options).unwrap_err().to_string();
    assert!(error.contains("key_file") && error.contains("no private key"), "{error}");
    assert_eq!(server.count(CREATE), 1);
}

#[tokio::test]
async fn a_missing_ca_file_says_what_was_tried() {
    let mut options = CoreOptions::new("localhost:1");
    options.ca_file = Some("/no/such/ca.crt".into());
    let error = Transport::new(options).unwrap_err().to_string();
    for words in
        ["ca_file /no/such/ca.crt cannot be read", "/usr/local/share/ca-certificates/local_certs.crt"]
    {
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_before_anything_is_sent() {
    let ca = Ca::new();
    let mut options = CoreOptions::new("localhost:1");
    options.ca_file = Some(ca.file());
    options.server_name = Some("not a name".to_owned());
    let error = Transport::new(options).unwrap_err().to_string();
    assert!(error.contains("server_name \"not a name\" is neither a name nor an address"), "{error}");
}

#[tokio::test]
async fn plaintext_and_tls_are_told_apart() {
    let ca = Ca::new();
    let tls = ca.serve(&ca.certificate("localhost", |_| ()), None).await;
    let mut wrong = options(&tls, &ca);
    wrong.endpoint = format!("http://{}", wrong.endpoint);
    refused(wrong, Hint::TlsServer, &["TLS is spoken there", "without http://"]).await;

    let plain = Server::start(|_| ok("x")).await;
    refused(options(&plain, &ca), Hint::PlaintextServer, &["no TLS is spoken there", "50051"]).await;
    assert_eq!(plain.count(CREATE), 0);
}

#[tokio::test]
async fn a_core_that_hangs_up_during_tls_was_not_asked_anything() {
    let ca = Ca::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let mut options = CoreOptions::new(format!("localhost:{port}"));
    options.ca_file = Some(ca.file());
    refused(options, Hint::Other, &["hung up during TLS"]).await;
    closing.abort();
}

#[tokio::test]
async fn a_core_that_never_answers_to_tls_is_given_up() {
    let ca = Ca::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = CoreOptions::new(format!("localhost:{}", listener.local_addr().unwrap().port()));
    options.ca_file = Some(ca.file());
    options.connect_timeout = std::time::Duration::from_millis(200);
    refused(options, Hint::Silent, &["no answer to TLS"]).await;
}
