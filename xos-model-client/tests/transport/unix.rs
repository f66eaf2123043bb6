//! A core behind a Unix socket.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpStream, UnixListener};
use tokio::task::{JoinHandle, JoinSet};
use xos_model_client::grpc::transport::{CallError, CallKind, Hint, Keeper};
use xos_model_client::grpc::{CoreOptions, Credentials, Password};

use crate::server::{Server, ok};
use crate::{CREATE, GET, authenticated, call, call_with, transport, until};

/// A Unix socket in front of a server.
struct Front {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Front {
    fn new(path: &Path, server: &Server) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let address = server.address;
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (mut inside, _) = listener.accept().await.unwrap();
                open.spawn(async move {
                    let mut outside = TcpStream::connect(address).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                });
            }
        });
        Front { path: path.to_owned(), task }
    }

    /// Ends with all its connections; its file stays, as of a process that was killed.
    async fn kill(self) -> PathBuf {
        self.task.abort();
        let _ = self.task.await;
        self.path
    }
}

fn options(path: &Path) -> CoreOptions {
    CoreOptions::new(format!("unix:{}", path.display()))
}

fn not_sent<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> (Hint, String) {
    match outcome.unwrap_err() {
        CallError::NotSent { reason, hint } => (hint, reason),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn calls_need_no_credentials_and_show_those_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| ok("answer")).await;
    let front = Front::new(&folder.path().join("core.sock"), &server);
    let without = transport(options(&front.path));
    assert_eq!(without.endpoint(), format!("unix:{}", front.path.display()));
    let answer = call_with(&without, CREATE, CallKind::Once, authenticated()).await.unwrap();
    assert_eq!(&answer[..], b"answer");
    let mut options = options(&front.path);
    options.credentials = Some(Credentials::new("admin", Password::literal("letmein")));
    call_with(&transport(options), CREATE, CallKind::Once, authenticated()).await.unwrap();
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].header("authorization"), None);
    assert!(calls[1].header("authorization").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn what_is_wrong_with_a_socket_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.sock");
    let transport = transport(options(&path));
    let (hint, reason) = not_sent(call(&transport, GET, CallKind::Read).await);
    assert_eq!(hint, Hint::Refused);
    let expected = format!(
        "unix:{}: there is no such socket: the core is not running, or it serves another path",
        path.display()
    );
    assert_eq!(reason, expected);

    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let (hint, reason) = not_sent(call(&transport, GET, CallKind::Read).await);
    assert_eq!(hint, Hint::Refused);
    assert!(
        reason.contains("nobody listens there any more") && reason.contains("start it again"),
        "{reason}"
    );

    std::fs::remove_file(&path).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        println!("skipped: this user may open everything");
        return;
    }
    let (hint, reason) = not_sent(call(&transport, GET, CallKind::Read).await);
    assert_eq!(hint, Hint::Other);
    assert!(reason.contains("run as the user who runs the core"), "{reason}");
}

#[tokio::test]
async fn what_is_no_core_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let other = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 smtp.example ready\r\n").await;
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 100]).await;
        }
    });
    let error = call(&transport(options(&path)), GET, CallKind::Read).await.unwrap_err();
    other.abort();
    let (hint, reason) = not_sent::<()>(Err(error));
    assert_eq!(hint, Hint::NotGrpc, "{reason}");
    assert!(reason.contains("no core: check the path"), "{reason}");
}

#[tokio::test]
async fn a_core_that_comes_back_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.sock");
    let server = Server::start(|_| ok("answer")).await;
    let transport = transport(options(&path));
    let keeper = Keeper::new(transport.clone(), Box::new(|_| Box::pin(async { Ok(()) })));
    until("it was tried", || transport.connections() == 0 && !keeper.state().is_up()).await;
    let front = Front::new(&path, &server);
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), keeper.up()).await.unwrap(), 1);
    call(&transport, GET, CallKind::Read).await.unwrap();

    let path = front.kill().await;
    until("it is noticed", || !keeper.state().is_up()).await;
    std::fs::remove_file(&path).unwrap();
    let _front = Front::new(&path, &server);
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), keeper.up()).await.unwrap(), 2);
    call(&transport, GET, CallKind::Read).await.unwrap();
}
