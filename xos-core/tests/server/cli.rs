//! The program `xos-core`, as its users see it.

use std::io::Read as _;
use std::process::Stdio;

use crate::limits::{HELLO, say};
use crate::program::{PASSWORD, Program, command, run, text};
use crate::{raw, until};

#[test]
fn it_explains_itself() {
    let output = run(&["--version"], "");
    assert_eq!(text(&output.stdout), format!("xos-core {}\n", env!("CARGO_PKG_VERSION")));
    let output = run(&[], "");
    assert_eq!(output.status.code(), Some(2));
    let help = text(&output.stderr);
    assert!(help.contains("serve") && help.contains("user") && help.contains("Exit codes"), "{help}");
    let help = text(&run(&["serve", "--help"], "").stdout);
    for expected in [
        "--db",
        "--listen",
        "--tls-listen",
        "--unix",
        "--admin-password-file",
        "XOS_ADMIN_PASSWORD",
        "SIGHUP",
    ] {
        assert!(help.contains(expected), "{expected}: {help}");
    }
    let help = text(&run(&["user", "add", "--help"], "").stdout);
    assert!(help.contains("--admin") && help.contains("stdin"), "{help}");
}

#[test]
fn a_wrong_command_line_is_told_before_anything_happens() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    let db = db.to_str().unwrap();
    for (args, expected) in [
        (&["serve"][..], "no database: expected --db FILE or XOS_CORE_DB"),
        (&["serve", "--db", db, "--no-unix"], "nowhere to listen"),
        (&["serve", "--db", db, "--listen", "50055"], "invalid value '50055'"),
        (&["serve", "--db", db, "--tls-listen", "127.0.0.1:0"], "--tls-cert"),
        (&["serve", "--db", db, "--max-connections", "0"], "expected a number from 1"),
        (&["serve", "--db", "postgres://me:hush@h/xos"], "the URL in --db has a password"),
        (&["user"], "Usage"),
    ] {
        let output = run(args, "");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected) && !error.contains("hush"), "{args:?}: {error}");
    }
    assert!(!std::path::Path::new(db).exists());
}

#[test]
fn a_database_that_cannot_be_served_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    let db = db.to_str().unwrap();
    let output = run(&["serve", "--db", db], "");
    assert_eq!(output.status.code(), Some(1), "no password was given");
    assert!(text(&output.stderr).contains("password"), "{}", text(&output.stderr));
    let output = run(&["serve", "--db", db, "--admin-password-file", "/no/such/file"], "");
    assert!(text(&output.stderr).contains("/no/such/file cannot be read"), "{}", text(&output.stderr));
    let output = run(&["user", "list", "--db", "/no/such/core.db"], "");
    assert!(
        text(&output.stderr).contains("there is no database /no/such/core.db"),
        "{}",
        text(&output.stderr)
    );

    let first = Program::serve(db, &[]);
    let mut second = command(&["serve", "--db", db]);
    let second = second.env("XOS_ADMIN_PASSWORD", PASSWORD).stderr(Stdio::piped()).output().unwrap();
    let error = text(&second.stderr);
    assert!(second.status.code() == Some(1) && error.contains("in use by process"), "{error}");
    assert!(!error.contains(PASSWORD), "{error}");
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_stops_it_and_a_second_one_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    let db = db.to_str().unwrap();
    for signal in ["TERM", "INT"] {
        let server = Program::serve(db, &["--listen", "127.0.0.1:0"]);
        let socket = server.socket();
        let channel = raw::connect_unix(&socket).await;
        raw::call(&channel, crate::limits::SCHEMA, "").await.unwrap();
        server.signal("HUP");
        raw::call(&channel, crate::limits::SCHEMA, "").await.unwrap();
        server.signal(signal);
        assert_eq!(server.end(), Some(0), "{signal}");
        assert!(!socket.exists());
    }
    let server = Program::serve(db, &["--listen", "127.0.0.1:0", "--grace", "600"]);
    // A call that never ends: its headers, and no message. `:method: POST`, `:scheme: http`, `:path: /`, and the type.
    let kind = b"\x0f\x10\x10application/grpc";
    let mut words = HELLO.to_vec();
    words.extend([0, 0, 3 + kind.len() as u8, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84]);
    words.extend(kind);
    // A ping is answered after what came before it was read.
    words.extend([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let mut stream = say(server.address(), &words);
    let mut read: Vec<u8> = Vec::new();
    while !read.windows(8).any(|found| found == [1, 2, 3, 4, 5, 6, 7, 8]) {
        let mut more = [0; 100];
        let count = stream.read(&mut more).unwrap();
        assert!(count > 0, "the connection was closed: {read:?}");
        read.extend(&more[..count]);
    }
    let address = server.address();
    server.signal("TERM");
    until("it stops", || std::net::TcpStream::connect(address).is_err()).await;
    let mut server = server;
    assert!(server.runs(), "it waits for the call");
    server.signal("TERM");
    assert_eq!(server.end(), Some(3));
}

#[test]
fn users_are_added_and_listed_with_and_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    let db = db.to_str().unwrap();
    let server = Program::serve(db, &[]);
    let ok = |args: &[&str], input: &str| {
        let output = run(args, input);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    // Through the server, which has the file.
    assert!(
        ok(&["user", "add", "joe@example.com", "--db", db], "joes secret\n")
            .starts_with("added joe@example.com")
    );
    let listed = ok(&["user", "list", "--db", db], "");
    assert!(listed.contains("joe@example.com     no     yes"), "{listed}");
    let again = run(&["user", "add", "joe@example.com", "--db", db], "other\n");
    assert_eq!(again.status.code(), Some(1));
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
    // By opening the file.
    let file = folder.path().join("password");
    std::fs::write(&file, "anns secret\n").unwrap();
    let file = file.to_str().unwrap();
    ok(&["user", "add", "ann@example.com", "--admin", "--password-file", file, "--db", db], "");
    ok(&["user", "passwd", "joe@example.com", "--db", db], "joes new secret\n");
    let listed = ok(&["user", "list", "--db", db], "");
    assert!(listed.contains("ann@example.com     yes    yes"), "{listed}");
    let nobody = run(&["user", "passwd", "nobody@example.com", "--db", db], "x\n");
    assert_eq!(nobody.status.code(), Some(1));
    let stored = std::fs::read(db).unwrap();
    for secret in ["joes secret", "joes new secret", "anns secret", PASSWORD] {
        let found = stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        assert!(!found, "{secret} is in the file");
    }
}
