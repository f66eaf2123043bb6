//! How a core on the network is described.

use std::time::Duration;

use super::super::testing::{Folder, error, load};
use super::super::*;

#[test]
fn of_two_keys_that_belong_together_none_stands_alone() {
    for (given, missing) in [("username", "password"), ("password", "username"), ("cert_file", "key_file")] {
        assert_eq!(
            error(&format!("accessor:\n  endpoint: a:1\n  {given}: x\n")),
            format!("config.yaml:3: accessor.{given} needs accessor.{missing}")
        );
    }
}

/// The block of the example's README.
#[test]
fn a_remote_core_takes_four_lines() {
    let text = "\
name: hello-world
accessor:
  endpoint: xos-core:50051
  username: admin@opencord.org
  password: letmein
";
    let config = load(text).unwrap();
    assert_eq!(config.accessor.kind, AccessorKind::Grpcapi);
    assert!(config.warnings.is_empty());
}

#[test]
fn how_to_reach_a_remote_core() {
    let text = "accessor:
  endpoint: a:1
  username: u
  password: '@secret'
  login: session
  ca_file: ca.crt
  server_name: xos-core
  call_deadline: 5 s
  list_deadline: 1 min
  in_flight: 2
  max_message_size: 100
";
    let folder = Folder::with(&[("config.yaml", text), ("secret", "hunter2")]);
    let accessor = folder.load(&[]).unwrap().accessor;
    assert_eq!(accessor.login, Login::Session);
    assert_eq!(accessor.ca_file, Some(folder.path("ca.crt")));
    assert_eq!(accessor.password_file, Some(folder.path("secret")));
    assert_eq!(accessor.server_name.as_deref(), Some("xos-core"));
    assert_eq!(accessor.call_deadline, Duration::from_secs(5));
    assert_eq!(accessor.list_deadline, Duration::from_secs(60));
    assert_eq!((accessor.in_flight, accessor.max_message_size), (2, 100));
    let default = Accessor::default();
    assert_eq!((default.in_flight, default.max_message_size), (4, 64));
    assert_eq!(accessor.connect_timeout, default.connect_timeout);
}
