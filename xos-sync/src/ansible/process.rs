//! The child process that runs a playbook, with all that it starts.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;
use tracing::debug;

use super::folder::RunFolder;
use super::mask::Mask;
use super::results::{Results, TaskStatus};

/// What runs and ends the program: it outlives a synchronizer that was killed.
const SUPERVISE: &str = include_str!("supervise.sh");

/// How long the supervisor may take to end everything; it needs two seconds at most.
const ENDING: Duration = Duration::from_secs(10);

/// Longer lines are cut: nobody reads them, and memory has an end.
const LONGEST_LINE: u64 = 1 << 20;

/// The last lines of the output, for an error.
const LAST_LINES: usize = 12;

/// The most output that is kept.
const MOST_OUTPUT: usize = 16 << 20;

/// What of the synchronizer's environment a playbook gets: nothing else, so that no password in it gets there.
const ENVIRONMENT: [&str; 17] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "SSH_AUTH_SOCK",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// A playbook that can be run.
pub(super) struct Job {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) environment: Vec<(&'static str, OsString)>,
    pub(super) folder: RunFolder,
    /// Where ssh keeps connections; a short path.
    pub(super) control: Option<tempfile::TempDir>,
    pub(super) keep: bool,
    pub(super) output: Option<PathBuf>,
    pub(super) mask: Mask,
    pub(super) deadline: Option<Duration>,
}

/// How a playbook ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) results: Results,
    pub(super) last_lines: String,
    /// It took longer than it may, and was ended.
    pub(super) timed_out: bool,
    pub(super) folder: RunFolder,
}

/// Runs a playbook to its end.
///
/// # Cancellation
///
/// When it is dropped, the program is ended with all that it started, and its files are removed.
pub(super) async fn run(job: Job) -> std::io::Result<Ended> {
    let Job { program, arguments, environment, folder, control, keep, output, mask, deadline } = job;
    let output = match output {
        Some(path) => Some(
            tokio::task::spawn_blocking(move || super::folder::private(&path))
                .await
                .map_err(std::io::Error::other)??,
        ),
        None => None,
    };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(SUPERVISE).arg("xos-sync-ansible");
    command.arg(folder.path());
    command.arg(control.as_ref().map_or(OsStr::new(""), |control| control.path().as_os_str()));
    command.arg(if keep { "keep" } else { "" });
    command.arg(program).args(arguments);
    command.env_clear().envs(inherited()).envs(environment);
    command.current_dir(folder.path()).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    // The next run on this object waits for this one by it. A few bytes, and no await in between: nobody can be too late.
    if let Some(pid) = child.id() {
        std::fs::write(folder.path().join(super::folder::PID), pid.to_string())?;
    }
    let (results, lines) = (child.stdout.take(), child.stderr.take());
    let alive = child.stdin.take();
    let group = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    let mut running = Running { parts: Some(Parts { child, group, alive, folder, control, keep }) };
    let mut found = Results::default();
    let mut text = Text { output, left: MOST_OUTPUT, last: Vec::new() };
    let (code, timed_out) = {
        let read_results = each_line(results, |line| {
            if let Some(task) = found.add(line, &mask) {
                let status = match task.status {
                    TaskStatus::Failed | TaskStatus::Unreachable => "FAILED",
                    _ => "OK",
                };
                debug!(
                    task = task.task,
                    ansible_status = status,
                    host = task.host,
                    xos_type = "ansible",
                    "Ran Ansible task"
                );
            }
        });
        let read_lines = each_line(lines, |line| text.add(&mask.text(line)));
        let reading = std::pin::pin!(async { tokio::join!(read_results, read_lines) });
        running.until_end(reading, deadline).await?
    };
    let last_lines = text.last.join(" / ");
    text.finish().await;
    let folder = running.folder()?;
    Ok(Ended { code, results: found, last_lines, timed_out, folder })
}

/// A supervisor and what belongs to it. Dropping it ends everything.
struct Running {
    /// `None` when it has ended.
    parts: Option<Parts>,
}

struct Parts {
    child: Child,
    /// The process group, while it may have members.
    group: Option<Pid>,
    /// The supervisor ends everything when this is closed, also when that is because we are no more.
    alive: Option<ChildStdin>,
    folder: RunFolder,
    /// Removed when dropped.
    control: Option<tempfile::TempDir>,
    keep: bool,
}

impl Running {
    /// Waits for the end, and for all that was said until then.
    async fn until_end<F: Future>(
        &mut self,
        mut reading: std::pin::Pin<&mut F>,
        deadline: Option<Duration>,
    ) -> std::io::Result<(Option<i32>, bool)> {
        let Some(parts) = &mut self.parts else { return Err(gone()) };
        let mut is_read = false;
        let mut timed_out = false;
        let mut late = std::pin::pin!(tokio::time::sleep(deadline.unwrap_or_default()));
        let status = loop {
            tokio::select! {
                status = parts.child.wait() => break status?,
                _ = reading.as_mut(), if !is_read => is_read = true,
                () = late.as_mut(), if deadline.is_some() => {
                    if timed_out {
                        parts.kill_group();
                    }
                    timed_out = true;
                    parts.alive = None;
                    late.as_mut().reset(tokio::time::Instant::now() + ENDING);
                }
            }
        };
        // A process of the playbook's own may hold the pipes open, and says nothing for us any more.
        if !is_read {
            let _ = timeout(Duration::from_secs(1), reading).await;
        }
        if status.signal().is_some() && !timed_out {
            // Somebody killed the supervisor: what it ran is still there.
            parts.kill_group();
        }
        Ok((status.code(), timed_out))
    }

    /// The files of the run, when it has ended.
    fn folder(mut self) -> std::io::Result<RunFolder> {
        self.parts.take().map(|parts| parts.folder).ok_or_else(gone)
    }
}

fn gone() -> std::io::Error {
    std::io::Error::other("the run has ended")
}

impl Parts {
    fn kill_group(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    async fn end(mut self) {
        self.alive = None;
        if timeout(ENDING, self.child.wait()).await.is_err() {
            self.kill_group();
            let _ = self.child.wait().await;
        }
        if self.keep {
            self.folder.keep();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(parts) = self.parts.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(parts.end())),
            // The program ends: the supervisor does all by itself, and needs its files for that.
            Err(_) => {
                let Parts { alive, folder, control, .. } = parts;
                drop(alive);
                folder.leave();
                if let Some(control) = control {
                    let _ = control.keep();
                }
            }
        }
    }
}

fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    let locale = || {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let now = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        let utf8 = |value: &String| {
            let value = value.to_ascii_lowercase();
            value.ends_with("utf-8") || value.ends_with("utf8")
        };
        // Ansible does not start without UTF-8.
        now.filter(utf8).unwrap_or_else(|| "C.UTF-8".to_owned())
    };
    let kept = ENVIRONMENT.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    kept.chain([("LC_ALL".into(), locale().into())])
}

/// What people read.
struct Text {
    output: Option<File>,
    left: usize,
    last: Vec<String>,
}

impl Text {
    fn add(&mut self, line: &str) {
        let trimmed = line.trim();
        if !trimmed.is_empty() {
            if self.last.len() == LAST_LINES {
                self.last.remove(0);
            }
            let end = trimmed.char_indices().nth(300).map_or(trimmed.len(), |(at, _)| at);
            self.last.push(trimmed.get(..end).unwrap_or_default().to_owned());
        }
        let Some(file) = &mut self.output else { return };
        // A line at a time, into the page cache: it takes microseconds.
        if line.len() + 1 > self.left {
            let _ = writeln!(file, "... and more, which is not kept");
            self.output = None;
            return;
        }
        self.left -= line.len() + 1;
        let _ = writeln!(file, "{line}");
    }

    async fn finish(self) {
        if let Some(file) = self.output {
            let _ = tokio::task::spawn_blocking(move || file.sync_data()).await;
        }
    }
}

/// Calls `take` with each line, cut where it is too long.
async fn each_line<R: AsyncRead + Unpin>(from: Option<R>, mut take: impl FnMut(&str)) {
    use tokio::io::AsyncReadExt as _;
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        take(text.strip_suffix('\n').unwrap_or(&text));
    }
}

/// Where a program is, if it can be run: a name is looked for on the `PATH`.
pub(super) fn find(program: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 {
        let program = std::path::absolute(program).ok()?;
        return runs(&program).then_some(program);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| runs(path))
}
