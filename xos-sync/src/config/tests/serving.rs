//! Where an embedded core is served, and where its objects are.

use std::path::Path;

use secrecy::ExposeSecret;

use super::super::testing::{Folder, error, load, warnings};
use super::super::*;

#[test]
fn nothing_listens_unless_it_is_told_to() {
    let serving = load("").unwrap().accessor.serving;
    assert!(serving.listen.is_none() && serving.socket.is_none() && serving.admin_password.is_none());
}

#[test]
fn an_address_with_and_without_a_certificate() {
    let text = "accessor:
  database: a.db
  socket: run/core.sock
  listen: 0.0.0.0:50051
  listen_cert: core.crt
  listen_key: core.key
  admin_password: '@secret'
";
    let folder = Folder::with(&[("config.yaml", text), ("secret", "hunter2\n")]);
    let config = folder.load(&[]).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let serving = config.accessor.serving;
    assert_eq!(serving.socket, Some(folder.path("run/core.sock")));
    assert_eq!(serving.listen.map(|at| at.to_string()).as_deref(), Some("0.0.0.0:50051"));
    assert_eq!(serving.listen_cert, Some(folder.path("core.crt")));
    assert_eq!(serving.admin_password.as_ref().unwrap().expose_secret(), "hunter2");
    assert!(!format!("{serving:?}").contains("hunter2"));
    for (written, expected) in [("localhost:0", "127.0.0.1:0"), ("'[::1]:7'", "[::1]:7")] {
        let config = load(&format!("accessor: {{listen: {written}}}")).unwrap();
        assert_eq!(config.accessor.serving.listen.unwrap().to_string(), expected);
    }
}

#[test]
fn what_is_missing_for_the_network_is_named() {
    let check = |text: &str, expected: &str| {
        assert_eq!(error(&format!("accessor:\n  {text}\n")), format!("config.yaml:2: {expected}"));
    };
    check(
        "listen: 0.0.0.0:50051",
        "accessor.listen: at 0.0.0.0:50051 passwords would cross the network in the clear (give \
         accessor.listen_cert and accessor.listen_key, or listen at 127.0.0.1)",
    );
    check(
        "listen: 50051x",
        "accessor.listen must be an address of this machine and a port, not \"50051x\" (write 127.0.0.1:50055 for \
         programs of this machine, 0.0.0.0:50051 for all)",
    );
    check("listen_cert: a\n  listen: 127.0.0.1:1", "accessor.listen_cert needs accessor.listen_key");
    check("admin_password: hunter2", "accessor.admin_password needs accessor.listen");
    check(
        "admin_password: '@nowhere'\n  listen: 127.0.0.1:1",
        "cannot read the password file nowhere: No such file or directory (os error 2)",
    );
    assert_eq!(
        warnings("accessor: {endpoint: 'a:1', socket: x.sock}"),
        ["config.yaml:1: accessor.socket means nothing with accessor.kind: grpcapi"]
    );
}

#[test]
fn a_url_is_a_postgresql_database_and_is_not_shown() {
    const URL: &str = "postgres://xos:s3cr3t@db:5432/xos";
    let from_file = load(&format!("accessor: {{database: '{URL}'}}")).unwrap();
    let from_variable =
        Folder::with(&[("config.yaml", "")]).load(&[("XOS_SYNC_ACCESSOR__DATABASE", URL)]).unwrap();
    for config in [from_file, from_variable] {
        assert_eq!(config.accessor.database, None);
        let CoreChoice::Postgres { url } = config.core("x") else { panic!("{config:?}") };
        assert_eq!(url.expose_secret(), URL);
        assert!(!format!("{config:?} {:?}", config.core("x")).contains("s3cr3t"));
    }
    assert_eq!(
        error("accessor: {database: 'mysql://xos:s3cr3t@db/xos'}"),
        "config.yaml:1: accessor.database must be a path, or a URL that begins with postgres://"
    );
}

#[test]
fn a_url_on_the_command_line_has_no_password() {
    let load = |db: &str| {
        let args = Args { db: Some(db.into()), ..Args::default() };
        Folder::with(&[]).load_args(args, &[])
    };
    assert!(matches!(load("postgres://xos@db/xos").unwrap().core("x"), CoreChoice::Postgres { .. }));
    let error = load("postgres://xos:s3cr3t@db/xos").unwrap_err();
    assert!(error.contains("command line") && error.contains("PGPASSWORD") && !error.contains("s3cr3t"));
    assert!(matches!(load("x.db").unwrap().core("x"),
        CoreChoice::Embedded { database, .. } if database == Path::new("x.db")));
}
