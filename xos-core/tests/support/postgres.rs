//! A PostgreSQL of its own for tests: in a temporary folder, on a Unix socket, gone with the process that started it.
//!
//! `PG_BIN` names the folder of its programs; else they are looked for in `PATH` and where Debian puts them. It
//! refuses to run as root: then it runs as the user `postgres` or `nobody`.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "shared by several programs of tests, which fail by panicking"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// A cluster of databases.
pub(crate) struct Cluster {
    folder: PathBuf,
    /// The shell that watches over it: it ends the cluster and removes the folder when this process is gone.
    shell: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _shell: Child,
    /// The database that new ones are copied from is made with the first of them.
    original: OnceLock<()>,
}

/// A database of a cluster with the tables of the core. Dropped, it is gone, whoever is connected.
pub(crate) struct Database {
    cluster: &'static Cluster,
    name: String,
}

/// Starts, stops and kills the server as it is told to, line by line; and for good at the end of its input.
const WATCH: &str = r#"
folder=$1; bin=$2; shift 2
start() { "$bin/postgres" -D "$folder/data" -k "$folder" "$@" >>"$folder/log" 2>&1 </dev/null & server=$!; }
end() { kill "-$1" "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
umask 022
"$bin/initdb" -D "$folder/data" -U xos -A trust -E UTF8 --locale=C --no-sync --no-instructions >"$folder/log" 2>&1 || { echo failed; exit 1; }
echo made
while read -r what; do
  case $what in
    start) start "$@" ;;
    stop) end INT ;;
    crash) end QUIT ;;
    kill)
      # Stopped first, it makes no more of them; all have to be gone before their shared memory can be had again.
      kill -STOP "$server"
      children=$(cat "/proc/$server/task/$server/children")
      kill -9 "$server" $children
      wait "$server" 2>/dev/null
      for child in $children; do
        while grep -qs '^State:.[^ZX]' "/proc/$child/status"; do sleep 0.01; done
      done ;;
  esac
  echo "$what"
done
end INT
rm -rf "$folder"
"#;

impl Cluster {
    /// The cluster that the tests of this process share, or `None` when PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<&'static Cluster> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(&["-c", "fsync=off"])).as_ref()
    }

    /// A cluster of its own, with these arguments of the server.
    pub(crate) fn start(arguments: &[&str]) -> Option<Cluster> {
        let cluster = Cluster::make(arguments)?;
        cluster.tell("start");
        Some(cluster)
    }

    /// One that is not started yet.
    pub(crate) fn make(arguments: &[&str]) -> Option<Cluster> {
        let bin = programs()?;
        let folder = tempfile::Builder::new().prefix("xos-pg").tempdir().expect("a temporary folder").keep();
        let mut command = unprivileged(&folder);
        command.args(["sh", "-c", WATCH, "sh"]).arg(&folder).arg(bin);
        // Small, and without a port: many of them run at once.
        command.args(["-c", "listen_addresses=", "-c", "shared_buffers=32MB", "-c", "max_connections=200"]);
        command.args(arguments).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().expect("a shell");
        let pipes =
            (shell.stdin.take().expect("a pipe"), BufReader::new(shell.stdout.take().expect("a pipe")));
        let cluster = Cluster { folder, shell: Mutex::new(pipes), _shell: shell, original: OnceLock::new() };
        let answer = cluster.answer();
        assert_eq!(answer, "made", "initdb failed: {}", cluster.log());
        Some(cluster)
    }

    /// The folder of its socket. What is put there is for its user too.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of a database with these parameters (`key=value`, joined by `&`).
    pub(crate) fn url(&self, parameters: &str) -> String {
        self.url_of("postgres", parameters)
    }

    fn url_of(&self, database: &str, parameters: &str) -> String {
        let folder = self.folder.to_str().expect("a plain path").replace('/', "%2F");
        format!("postgres://xos@{folder}/{database}?{parameters}")
    }

    /// A database of a core that was just made. A copy of one that is made once.
    pub(crate) fn database(&'static self) -> Database {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        self.original.get_or_init(|| {
            self.run("CREATE DATABASE original");
            let url = self.url_of("original", "");
            let core = xos_core::EmbeddedCore::connect(&url, xos_core::Options::default());
            core.expect("a new database takes a core").close();
        });
        let name = format!("copy_{}", LAST.fetch_add(1, Ordering::Relaxed));
        self.run(&format!("CREATE DATABASE {name} TEMPLATE original"));
        Database { cluster: self, name }
    }

    /// Runs a statement of an administrator.
    fn run(&self, sql: &str) {
        let url = self.url("");
        let work = async {
            let (client, connection) =
                tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("the cluster runs");
            let connection = tokio::spawn(connection);
            client.batch_execute(sql).await.expect("an administrator may do this");
            drop(client);
            let _ = connection.await;
        };
        // On a thread of its own: this one may be driving another runtime.
        std::thread::scope(|scope| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            scope.spawn(move || runtime.expect("a runtime").block_on(work)).join().expect("it is done");
        });
    }

    /// `start`, `stop`, `crash` (its own way to end at once) or `kill` (of all its processes); it is ready, or gone,
    /// when this returns.
    pub(crate) fn tell(&self, what: &str) {
        let ready = || self.log().matches("ready to accept connections").count();
        let before = ready();
        {
            let mut shell = self.shell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            writeln!(shell.0, "{what}").expect("the shell listens");
        }
        assert_eq!(self.answer(), what);
        let until = Instant::now() + Duration::from_secs(60);
        while what == "start" && ready() == before {
            assert!(Instant::now() < until, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn answer(&self) -> String {
        let mut line = String::new();
        let mut shell = self.shell.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shell.1.read_line(&mut line).expect("the shell answers");
        line.trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Database {
    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.cluster.url_of(&self.name, "")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cluster.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// The folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let named = std::env::var_os("PG_BIN").map(PathBuf::from);
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    named.into_iter().chain(std::env::split_paths(&in_path)).chain(debian.into_iter().rev()).find(complete)
}

/// Who PostgreSQL runs as, when not as who runs the tests.
fn other_user() -> Option<(u32, u32)> {
    let number = |of: &str, user: &[&str]| -> Option<u32> {
        let told = Command::new("id").arg(of).args(user).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(told.stdout).ok()?.trim().parse().ok()
    };
    if number("-u", &[]) != Some(0) {
        return None;
    }
    let found = ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((number("-u", &[name])?, number("-g", &[name])?)));
    Some(found.expect("a user that is not root: postgres or nobody"))
}

/// Makes a file or folder theirs.
pub(crate) fn give(path: &Path) {
    if let Some((user, group)) = other_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may give a file away");
    }
}

/// A command for them; the folder becomes theirs.
fn unprivileged(folder: &Path) -> Command {
    let Some((user, group)) = other_user() else { return Command::new("env") };
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder, open).expect("root may open a folder");
    give(folder);
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).args(["--clear-groups", "--"]);
    command
}
