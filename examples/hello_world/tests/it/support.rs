//! Running the program, and looking at its database from a second connection.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long something may take before the test has failed; nothing is asserted on shorter times.
const PATIENCE: Duration = Duration::from_secs(30);

/// The recipe that comes with the example.
pub(crate) const RECIPE: &str = include_str!("../../samples/hello-world.yaml");

/// A folder with a recipe and a place for a database.
pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A stage with the recipe that comes with the example.
    pub(crate) fn new() -> Self {
        let stage = Stage { folder: tempfile::tempdir().unwrap() };
        stage.write("recipe.yaml", RECIPE);
        stage
    }

    /// A file of the stage.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the stage, at once as an editor that renames does.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path("new"), text).unwrap();
        std::fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// The program with these flags, on this stage's recipe and database.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        self.command_with("recipe.yaml", flags)
    }

    /// The same with another recipe of the stage.
    pub(crate) fn command_with(&self, recipe: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hello_world"));
        command.arg("--db").arg(self.path("hello.db")).arg("--recipe").arg(self.path(recipe)).args(flags);
        command.current_dir(self.folder.path());
        command
    }

    /// The program with these flags, on this stage's recipe and the core that its `config.yaml` names.
    pub(crate) fn remote_command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hello_world"));
        command
            .arg("-C")
            .arg(self.path("config.yaml"))
            .arg("--recipe")
            .arg(self.path("recipe.yaml"))
            .args(flags);
        command.current_dir(self.folder.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, flags: &[&str]) -> Output {
        self.command(flags).output().unwrap()
    }

    /// Starts the program, to be stopped.
    pub(crate) fn start(&self, flags: &[&str]) -> Running {
        Running::new(self.command(flags))
    }

    /// Starts the program on the core that `config.yaml` names, to be stopped.
    pub(crate) fn start_remote(&self, flags: &[&str]) -> Running {
        Running::new(self.remote_command(flags))
    }

    /// Starts the program with exactly these arguments, in this stage's folder.
    pub(crate) fn start_plain(&self, arguments: &[&str]) -> Running {
        Running::new(self.plain(arguments))
    }

    /// The program with exactly these arguments, in this stage's folder.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hello_world"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs a verb on this stage's database: whether it succeeded, and what it printed.
    pub(crate) fn verb(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let database = self.path("hello.db").display().to_string();
        let output = self.plain(&[arguments, &["--db", &database]].concat()).output().unwrap();
        (output.status.code(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    }

    /// The same, of a verb that has to succeed.
    pub(crate) fn good(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.verb(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {printed}");
        printed
    }

    /// The same, of a verb that has to fail, and to say all this.
    pub(crate) fn bad(&self, arguments: &[&str], code: i32, says: &[&str]) {
        let (found, printed) = self.verb(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {printed}");
        for part in says {
            assert!(printed.contains(part), "{arguments:?}: expected {part:?} in: {printed}");
        }
    }

    /// What `--show` prints.
    pub(crate) fn show(&self) -> String {
        let shown = self.run(&["--show"]);
        assert!(shown.status.success(), "{}", text(&shown.stderr));
        text(&shown.stdout)
    }
}

/// The program while it runs.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Running { child, lines, log: Vec::new() }
    }

    /// Waits until the log has a line with this, and gives that line.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(_) if self.child.try_wait().unwrap().is_some() => break,
                Err(_) => {}
            }
        }
        panic!("expected a line with {part:?}; the log is:\n{}", self.log.join("\n"));
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    pub(crate) fn interrupt(mut self) -> (ExitStatus, String) {
        let id = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        // Up to the end: what was printed last may not have come through yet.
        self.log.extend(self.lines.iter());
        (status, self.log.join("\n"))
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a file is somewhere that this user cannot write to.
pub(crate) fn is_writable(path: &Path) -> bool {
    std::fs::OpenOptions::new().append(true).open(path).is_ok()
}
