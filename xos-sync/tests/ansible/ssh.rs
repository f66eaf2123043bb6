//! Over ssh, to a server of our own on this machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use xos_sync::ansible::{HostKeys, Jump};
use xos_sync::config::Proxy;
use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::{Lab, WRITE, has, until};

const NEEDED: &[&str] = &["ansible-playbook", "sshd", "ssh-keygen"];

/// An ssh server for one key. Ends when it is dropped.
struct Server {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["host_key", "key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(name))
                .status();
            assert!(made.unwrap().success());
        }
        std::fs::copy(path("key.pub"), path("authorized_keys")).unwrap();
        // sshd wants a folder that it needs not.
        let _ = std::fs::create_dir("/run/sshd");
        // A port that is free now: sshd cannot be told to take any.
        for _ in 0..20 {
            let port = free_port();
            let shown = folder.path().display();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host_key\nAuthorizedKeysFile \
                 {shown}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication \
                 no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n"
            );
            std::fs::write(path("sshd_config"), config).unwrap();
            let mut server = Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(path("sshd_config"))
                .stderr(std::fs::File::create(path("sshd.log")).unwrap())
                .stdin(Stdio::null())
                .spawn()
                .unwrap();
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(30) && server.try_wait().unwrap().is_none() {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let host_key = std::fs::read_to_string(path("host_key.pub")).unwrap();
                    std::fs::write(path("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
                    return Server { child: server, port, folder };
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(path("sshd.log")).unwrap_or_default());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn known(&self) -> HostKeys {
        HostKeys::KnownIn(self.path("known_hosts"))
    }

    fn target(&self) -> Target {
        Target::host("127.0.0.1")
            .named("mysite-1")
            .port(self.port)
            .user(user())
            .key(self.path("key"))
            .host_keys(self.known())
            .python("/usr/bin/python3")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[xos_sync::test]
async fn a_host_is_configured_over_ssh() {
    if !has(NEEDED) {
        return;
    }
    let server = Server::start();
    let mut lab = Lab::new(WRITE);
    lab.step.target = server.target();
    let mut site = lab.site("Hello").await;
    assert_eq!(lab.status(&site).await, "OK", "{}", server.log());
    assert_eq!(lab.read("index.html"), "Hello");
    assert_eq!(lab.lines("Ran Ansible playbook")[0]["host"], "mysite-1");
    site = lab.core.get(site.id).await.unwrap();
    site.name = "Edited".into();
    lab.core.save(&mut site).await.unwrap();
    assert_eq!(lab.status(&site).await, "OK");
    assert_eq!((lab.read("index.html").as_str(), lab.runs()), ("Edited", 2));
    // The connection that ssh keeps for the next task is closed.
    until("all processes are gone", || lab.processes().is_empty()).await;
}

#[xos_sync::test]
async fn a_host_that_is_not_known_is_refused() {
    if !has(NEEDED) {
        return;
    }
    let server = Server::start();
    let mut lab = Lab::new(WRITE);
    let empty = server.path("empty");
    std::fs::write(&empty, "").unwrap();
    lab.step.target = server.target().host_keys(HostKeys::KnownIn(empty.clone()));
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert!(
        status.starts_with("mysite-1: unreachable: ") && status.contains("Host key verification failed"),
        "{status}"
    );
    assert_eq!(lab.runs(), 0);
    // Believed when it is told so, and known from then on.
    let mut lab = Lab::new(WRITE);
    lab.step.target = server.target().host_keys(HostKeys::AcceptNew(empty.clone()));
    let site = lab.site("Hello").await;
    assert_eq!(lab.status(&site).await, "OK");
    assert!(std::fs::read_to_string(&empty).unwrap().contains("ssh-ed25519"));
}

#[xos_sync::test]
async fn a_key_that_others_can_read_is_named_with_its_mode() {
    if !has(NEEDED) {
        return;
    }
    let server = Server::start();
    let mut lab = Lab::new(WRITE);
    lab.step.target = server.target();
    let key = server.path("key");
    set_mode(&key, 0o644);
    let site = lab.site("Hello").await;
    let shown = key.display();
    assert_eq!(
        lab.status(&site).await,
        format!(
            "the ssh key {shown} has mode 0644, so that others may use it, and ssh refuses it; run: chmod 600 {shown}"
        )
    );
    lab.config.ansible.node_key = Some(key.clone());
    let error = lab.once().await.unwrap_err();
    assert!(error.starts_with(&format!("node_key: the ssh key {shown} has mode 0644")), "{error}");
    // A key that the server does not know.
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(server.path("other"))
        .status();
    assert!(made.unwrap().success());
    let mut lab = Lab::new(WRITE);
    lab.step.target = server.target().key(server.path("other"));
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert!(
        status.starts_with("mysite-1: unreachable: ") && status.contains("Permission denied"),
        "{status}"
    );
}

#[xos_sync::test]
async fn a_host_that_does_not_answer_is_no_success() {
    if !has(NEEDED) {
        return;
    }
    let server = Server::start();
    let mut lab = Lab::new(WRITE);
    lab.step.target = server.target().port(free_port());
    let site = lab.site("Hello").await;
    let status = lab.status(&site).await;
    assert!(
        status.starts_with("mysite-1: unreachable: ") && status.contains("Connection refused"),
        "{status}"
    );
}

#[xos_sync::test]
async fn a_host_is_reached_through_another_one() {
    if !has(NEEDED) {
        return;
    }
    let (gate, server) = (Server::start(), Server::start());
    // Both are known in one file, and each takes a key of its own.
    let both = server.path("both");
    let read = |server: &Server| std::fs::read_to_string(server.path("known_hosts")).unwrap();
    std::fs::write(&both, read(&gate) + &read(&server)).unwrap();
    let mut lab = Lab::new(WRITE);
    lab.config.ansible.proxy = proxy(gate.path("key"));
    lab.step.target =
        server.target().host_keys(HostKeys::KnownIn(both)).through(Jump::host("127.0.0.1").port(gate.port));
    let site = lab.site("Hello").await;
    assert_eq!(lab.status(&site).await, "OK", "{} {}", gate.log(), server.log());
    assert!(gate.log().contains("Accepted publickey"), "{}", gate.log());
    assert_eq!(lab.read("index.html"), "Hello");
}

/// `proxy_ssh` as a file says it.
fn proxy(key: PathBuf) -> Proxy {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    let text = format!("proxy_ssh: {{enabled: true, user: {}, key: {}}}\n", user(), key.display());
    std::fs::write(&file, text).unwrap();
    Config::load_with(&file, &xos_sync::config::Environment::empty()).unwrap().ansible.proxy
}

#[xos_sync::test]
async fn a_cancelled_run_closes_its_connection() {
    if !has(NEEDED) {
        return;
    }
    let server = Server::start();
    // What runs on the host goes on for a while: nobody there is told.
    let mut lab = Lab::new("  - name: note\n    shell: echo begun >> {{ folder }}/runs; sleep 20\n");
    lab.config.once = false;
    lab.config.engine.grace_period = Duration::ZERO;
    lab.step.target = server.target();
    lab.site("Hello").await;
    let begun = until("the task runs", || lab.runs() == 1);
    run_on(lab.core.accessor(), lab.config.clone(), lab.service(), begun).await.unwrap();
    until("all processes here are gone", || lab.processes().is_empty()).await;
}
