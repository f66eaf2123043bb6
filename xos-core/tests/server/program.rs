//! The program `xos-core` as a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_xos-core");

/// The password of the administrator in these tests.
pub(crate) const PASSWORD: &str = "letmein of the tests";

/// A server that runs. Dropped, it is killed.
pub(crate) struct Program {
    child: Child,
    doors: Vec<String>,
}

/// The program, with an environment in which nothing is set by chance.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_remove("XOS_CORE_DB").env_remove("XOS_ADMIN_PASSWORD");
    command
}

/// Runs it to its end with this on stdin.
pub(crate) fn run(args: &[&str], input: &str) -> Output {
    let mut child =
        command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Program {
    /// Starts `xos-core serve` and waits until it serves.
    pub(crate) fn serve(db: &str, args: &[&str]) -> Self {
        let mut child = command(&["serve", "--log-level", "warn"])
            .args(args)
            .env("XOS_CORE_DB", db)
            .env("XOS_ADMIN_PASSWORD", PASSWORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut doors = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match line.unwrap().strip_prefix("listening on ") {
                Some(door) => doors.push(door.to_owned()),
                None => return Program { child, doors },
            }
        }
        panic!("the server did not start: {}", child.wait().unwrap());
    }

    /// Its first address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.doors.iter().find_map(|door| door.parse().ok()).unwrap()
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.doors.iter().find(|door| door.starts_with('/')).unwrap().into()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Kills it: no time to finish anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A line of `/proc/PID/status`, in kilobytes, such as `VmRSS` or `VmHWM`.
    pub(crate) fn memory(&self, line: &str) -> Option<u64> {
        let mut status = String::new();
        let path = format!("/proc/{}/status", self.child.id());
        std::fs::File::open(path).ok()?.read_to_string(&mut status).ok()?;
        let value = status.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(':'))?;
        value.trim().trim_end_matches(" kB").parse().ok()
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
