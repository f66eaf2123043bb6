//! Credentials: shown, refused, renewed, and never told.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tracing_subscriber::fmt::MakeWriter;
use xos_model_client::ObjectId;
use xos_model_client::grpc::status::{About, Doing, explain};
use xos_model_client::grpc::transport::{CallError, CallKind, Transport};
use xos_model_client::grpc::{Credentials, LoginBy, Password};

use crate::server::{Call, Reply, Server, ok, xos};
use crate::{CREATE, GET, authenticated, call, call_with, options, transport};

const LOGIN: &str = "/xos.utility/Login";
const USER: &str = "admin@opencord.org";

fn basic(password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}")))
}

/// Refuses as a core 4.0.4 does: with the password in its words.
fn denied(call: &Call) -> Reply {
    match (call.header("authorization"), call.header("x-xossession")) {
        (Some(shown), _) => {
            let shown =
                base64::engine::general_purpose::STANDARD.decode(shown.trim_start_matches("Basic ")).unwrap();
            xos(
                7,
                "XOSPermissionDenied",
                &format!("failed to authenticate {}", String::from_utf8(shown).unwrap()),
            )
        }
        (_, Some(token)) => xos(7, "XOSPermissionDenied", &format!("failed to authenticate token {token}")),
        _ => xos(16, "XOSNotAuthenticated", "This API requires authentication"),
    }
}

/// A core where this password is right, by `Basic` and by session; sessions are numbered, and those before `valid`
/// have expired.
async fn core(password: Arc<Mutex<String>>, valid: Arc<AtomicUsize>) -> Server {
    Server::start(move |call| {
        let password = password.lock().unwrap().clone();
        if call.path == LOGIN {
            let mut expected = vec![0x0a, USER.len() as u8];
            expected.extend(USER.bytes());
            expected.extend([0x12, password.len() as u8]);
            expected.extend(password.bytes());
            if call.message != expected {
                return xos(16, "XOSNotAuthenticated", &format!("Failed to authenticate user {USER}"));
            }
            let session = format!("session-{}", call.before);
            let mut answer = vec![0x0a, session.len() as u8];
            answer.extend(session.bytes());
            return Reply::Ok(answer.into());
        }
        let session =
            call.header("x-xossession").and_then(|shown| shown.strip_prefix("session-")?.parse().ok());
        let by_session = session.is_some_and(|session: usize| session >= valid.load(Ordering::SeqCst));
        if by_session || call.header("authorization") == Some(&basic(&password)) {
            ok("x")
        } else {
            denied(call)
        }
    })
    .await
}

async fn simple_core(password: &str) -> Server {
    core(Arc::new(Mutex::new(password.to_owned())), Arc::default()).await
}

fn with(server: &Server, login: LoginBy, password: Password) -> Transport {
    let mut options = options(server);
    options.login = login;
    options.credentials = Some(Credentials::new(USER, password));
    transport(options)
}

#[tokio::test]
async fn a_password_is_shown_with_each_call() {
    let server = simple_core("letmein").await;
    let transport = with(&server, LoginBy::Auto, Password::literal("letmein"));
    for _ in 0..3 {
        call_with(&transport, GET, CallKind::Read, authenticated()).await.unwrap();
    }
    assert_eq!((server.count(GET), server.count(LOGIN)), (3, 0));
    // What needs no authentication is asked without.
    transport.noop().await.unwrap_err();
    assert_eq!(server.calls().pop().unwrap().header("authorization"), None);
}

#[tokio::test]
async fn a_password_with_a_colon_goes_by_login() {
    let server = simple_core("let:me:in").await;
    let transport = with(&server, LoginBy::Auto, Password::literal("let:me:in"));
    for _ in 0..3 {
        call_with(&transport, CREATE, CallKind::Once, authenticated()).await.unwrap();
    }
    assert_eq!((server.count(CREATE), server.count(LOGIN)), (3, 1));
    assert!(server.calls().iter().all(|call| call.header("authorization").is_none()));
}

#[tokio::test]
async fn a_password_file_with_a_colon_cannot_be_shown_by_basic() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "let:me\n").unwrap();
    let server = simple_core("let:me").await;
    let transport = with(&server, LoginBy::Basic, Password::file(file.path()));
    let error = call_with(&transport, GET, CallKind::Read, authenticated()).await.unwrap_err();
    assert!(error.to_string().contains("colon in the password"), "{error}");
    assert!(!error.to_string().contains("let:me"), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_expired_session_is_one_new_login_for_all_calls() {
    let valid = Arc::new(AtomicUsize::new(0));
    let server = core(Arc::new(Mutex::new("letmein".to_owned())), valid.clone()).await;
    let transport = with(&server, LoginBy::Session, Password::literal("letmein"));
    for expired in 0..3 {
        valid.store(expired, Ordering::SeqCst);
        let calls = (0..20).map(|_| call_with(&transport, CREATE, CallKind::Once, authenticated()));
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.unwrap(), "x");
        }
        assert_eq!(server.count(LOGIN), expired + 1);
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_clear_error_and_is_not_tried_again_and_again() {
    let server = simple_core("letmein").await;
    for login in [LoginBy::Basic, LoginBy::Session] {
        let transport = with(&server, login, Password::literal("wr0ng-password"));
        let calls = (0..20).map(|_| call_with(&transport, GET, CallKind::Read, authenticated()));
        for outcome in futures_util::future::join_all(calls).await {
            let error = outcome.unwrap_err();
            assert!(matches!(&error, CallError::Auth { .. }), "{error:?}");
            assert!(
                error.to_string().contains("as admin@opencord.org with the password as given: check both")
            );
            assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");
        }
    }
    // By session: one login that was refused answers for all calls.
    assert_eq!(server.count(LOGIN), 1);
}

#[tokio::test]
async fn a_password_that_was_changed_is_read_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first-one\n").unwrap();
    let password = Arc::new(Mutex::new("first-one".to_owned()));
    let server = core(password.clone(), Arc::default()).await;
    let transport = with(&server, LoginBy::Auto, Password::file(file.path()));
    call_with(&transport, CREATE, CallKind::Once, authenticated()).await.unwrap();

    *password.lock().unwrap() = "second-one".to_owned();
    let error = call_with(&transport, CREATE, CallKind::Once, authenticated()).await.unwrap_err();
    assert!(error.to_string().contains("password file"), "{error}");
    assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
    assert!(!format!("{error:?}").contains("-one"), "{error:?}");

    // The refusal stands for a second; a new password changes the badge, so calls after it work.
    std::fs::write(file.path(), "second-one\n").unwrap();
    let transport = with(&server, LoginBy::Auto, Password::file(file.path()));
    call_with(&transport, CREATE, CallKind::Once, authenticated()).await.unwrap();

    // With a colon from now on: by login, without a new transport.
    *password.lock().unwrap() = "third:one".to_owned();
    std::fs::write(file.path(), "third:one\n").unwrap();
    call_with(&transport, CREATE, CallKind::Once, authenticated()).await.unwrap();
    assert_eq!(server.count(LOGIN), 1);
}

#[tokio::test]
async fn a_call_that_needs_credentials_says_so_when_there_are_none() {
    let server = simple_core("letmein").await;
    let transport = transport(options(&server));
    let error = call_with(&transport, GET, CallKind::Read, authenticated()).await.unwrap_err();
    assert!(error.to_string().contains("set username and password"), "{error}");
    assert_eq!(server.connections(), 0);
    let error = call(&transport, GET, CallKind::Read).await.unwrap_err();
    assert!(matches!(error, CallError::Auth { .. }), "{error:?}");
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_named_by_its_source() {
    let server = simple_core("letmein").await;
    let transport = with(&server, LoginBy::Auto, Password::file("/no/such/password"));
    let error = call_with(&transport, GET, CallKind::Read, authenticated()).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/password cannot be read"), "{error}");
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that this client and what it stands on write at the most talkative level.
#[tokio::test]
async fn no_error_and_no_log_tells_a_secret() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(captured.clone())
        .finish();
    // This test's thread, and with it its runtime, but not the other tests'.
    let guard = tracing::subscriber::set_default(subscriber);
    let mut told = Vec::new();
    let secrets = ["s3cret-one", "s3cret:two", "s3cret-bad"];
    // The server echoes all it was shown in an error that is none of authentication, too.
    let seen = Mutex::new(String::new());
    let server = Server::start(move |call| {
        let mut seen = seen.lock().unwrap();
        let message = String::from_utf8_lossy(&call.message);
        match (call.path.as_str(), call.header("x-xossession"), call.header("authorization")) {
            (LOGIN, ..) if message.ends_with("bad") => denied(call),
            (LOGIN, ..) => {
                *seen = message[message.find("s3cret").unwrap()..].to_owned();
                Reply::Ok(b"\x0a\x0es3cret-session"[..].to_vec().into())
            }
            (CREATE, session, basic) => {
                let basic = basic.unwrap_or_default().trim_start_matches("Basic ");
                let plain = base64::engine::general_purpose::STANDARD.decode(basic).unwrap();
                let (plain, session) = (String::from_utf8_lossy(&plain), session.unwrap_or_default());
                let logged_in = if session.is_empty() { "" } else { seen.as_str() };
                Reply::Error(
                    2,
                    format!("Exception calling application: {basic} {plain} {session} {logged_in}"),
                )
            }
            (_, Some(_), _) => ok("x"),
            _ => denied(call),
        }
    })
    .await;
    for password in secrets {
        for login in [LoginBy::Auto, LoginBy::Session] {
            // A place that another test's thread came by first may be taken for one that nobody listens to.
            tracing::callsite::rebuild_interest_cache();
            let transport = with(&server, login, Password::literal(password));
            told.push(format!("{transport:?}"));
            for path in [GET, CREATE] {
                let outcome = call_with(&transport, path, CallKind::Once, authenticated()).await;
                told.push(format!("{outcome:?}"));
                if let Err(error) = outcome {
                    let about = About { model: "Site", id: ObjectId::new(1), doing: Doing::Write };
                    let error = explain(error, &about);
                    told.push(format!("{error} {error:?} {:?}", error.kind()));
                }
            }
        }
    }
    let told = told.join(" ");
    drop(guard);
    let logged = String::from_utf8_lossy(&captured.0.lock().unwrap()).into_owned();
    for spoken in ["not encrypted", "h2::codec::framed_write", "h2::hpack", "tonic::"] {
        assert!(logged.contains(spoken), "{spoken} was not captured");
    }
    assert!(told.contains("[secret]"), "nothing was echoed: {told}");
    let basics = secrets.map(|password| basic(password).trim_start_matches("Basic ").to_owned());
    for secret in secrets.iter().copied().chain(basics.iter().map(String::as_str)).chain(["s3cret-session"]) {
        if let Some(at) = told.find(secret) {
            panic!("{secret} in {}", &told[at.saturating_sub(300)..at + secret.len()]);
        }
        // The server's own side of the connection is in this log as well.
        let line = logged.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in the log: {line:.400?}");
    }
}
