//! A folder to run the program in, and a reader of its pages.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use xos_sync_tests::program::{PATIENCE, Running, text};

/// The recipe that comes with the example.
pub(crate) const RECIPE: &str = include_str!("../../samples/example-service.yaml");

/// Whether the real program is there that the example runs.
fn has_ansible() -> bool {
    let found = Command::new("ansible-playbook").arg("--version").output();
    let found = found.is_ok_and(|run| run.status.success());
    if !found {
        xos_sync_tests::skipped("ansible-playbook (install: apt-get install ansible-core)");
    }
    found
}

/// A folder with a recipe and a place for a database.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Stage { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(stage.path("temp")).unwrap();
        stage.write("recipe.yaml", RECIPE);
        stage
    }

    /// A new one, with the program at work and its page shown; `None` where Ansible is not installed.
    pub(crate) fn with_page() -> Option<(Self, Running, String)> {
        has_ansible().then(|| {
            let stage = Stage::new();
            let (program, url) = stage.serve();
            shows(&url, "Example Tenant example text");
            (stage, program, url)
        })
    }

    /// Starts the program, and says where it serves its page.
    pub(crate) fn serve(&self) -> (Running, String) {
        let mut program = Running::new(self.command(&[]));
        let url = url_in(&program.wait_for("a page is served here"));
        (program, url)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file at once, as an editor that renames does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// The program, with its temporary files in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_example_service"));
        command.arg("--recipe").arg(self.path("recipe.yaml")).args(arguments);
        command.current_dir(self.folder.path()).env("TMPDIR", self.path("temp"));
        command
    }

    /// What a verb prints.
    pub(crate) fn verb(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_example_service"));
        let output = command.args(arguments).current_dir(self.folder.path()).output().unwrap();
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    }

    /// The only page there is.
    pub(crate) fn page(&self) -> PathBuf {
        let mut found = Vec::new();
        for servers in std::fs::read_dir(self.path("temp")).unwrap().flatten() {
            let name = servers.file_name().to_string_lossy().into_owned();
            if !name.starts_with("example_service-") {
                continue;
            }
            let folders = std::fs::read_dir(servers.path()).into_iter().flatten().flatten();
            found.extend(folders.map(|folder| folder.path().join("index.html")).filter(|page| page.exists()));
        }
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

/// Waits for something.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited for long until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The address in the line that tells of a page.
pub(crate) fn url_in(line: &str) -> String {
    let from = line.find("curl http://").unwrap() + "curl ".len();
    line[from..].split_whitespace().next().unwrap().trim_matches('"').to_owned()
}

/// Waits until the page is this.
pub(crate) fn shows(url: &str, message: &str) {
    let is_shown = || get(url).is_some_and(|page| page.trim_end().ends_with(message));
    until(&format!("{url} shows {message}"), is_shown);
}

/// Waits until nobody serves there any more.
pub(crate) fn nothing_listens_at(url: &str) {
    until(&format!("nothing listens at {url}"), || TcpStream::connect(address(url)).is_err());
}

fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

/// A whole answer, head included.
fn get(url: &str) -> Option<String> {
    let host = address(url);
    let mut stream = TcpStream::connect(host).ok()?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
