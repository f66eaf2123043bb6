//! An encrypted way to the server.

use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, Issuer, KeyPair};
use xos_core::{EmbeddedCore, Options};
use xos_model_client::ErrorKind;

use crate::common::*;
use crate::postgres::{Cluster, give};

#[tokio::test]
async fn the_certificate_is_looked_at_as_far_as_the_url_asks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let file = folder.path().join(name);
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        (Issuer::new(params, key), file.display().to_string().replace('/', "%2F"))
    };
    let ((issuer, ours), (_, theirs)) = (authority("ours.pem"), authority("theirs.pem"));
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let (certificate_file, key_file) = (folder.path().join("server.pem"), folder.path().join("server.key"));
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    std::fs::set_permissions(&key_file, PermissionsExt::from_mode(0o600)).unwrap();
    give(&key_file);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cluster = the(Cluster::start(&[
        "-c",
        "fsync=off",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        &format!("port={port}"),
        "-c",
        "ssl=on",
        "-c",
        &format!("ssl_cert_file={}", certificate_file.display()),
        "-c",
        &format!("ssl_key_file={}", key_file.display()),
    ]));
    let connect = |host: &str, parameters: &str| {
        EmbeddedCore::connect(
            &format!("postgres://xos@{host}:{port}/postgres?{parameters}"),
            Options::default(),
        )
    };
    for (host, parameters) in [
        ("127.0.0.1", "sslmode=require"),
        ("127.0.0.1", &*format!("sslmode=verify-ca&sslrootcert={ours}")),
        ("localhost", &*format!("sslmode=verify-full&sslrootcert={ours}")),
        ("127.0.0.1", "sslmode=disable"),
    ] {
        let core = connect(host, parameters).unwrap_or_else(|error| panic!("{host} {parameters}: {error}"));
        a_service(&core, &format!("{host} {parameters}")).await;
        core.close();
    }
    for (host, parameters) in [
        ("localhost", &*format!("sslmode=verify-full&sslrootcert={theirs}")),
        ("127.0.0.1", &*format!("sslmode=verify-full&sslrootcert={ours}")),
        ("127.0.0.1", &*format!("sslmode=verify-ca&sslrootcert={theirs}")),
    ] {
        let error = connect(host, parameters).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Away { .. }) && error.to_string().contains("certificate"),
            "{error}"
        );
    }
    cluster.tell("stop");
}
