//! A folder with a database, a config file and a recipe, and the program on it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xos_core::{EmbeddedCore, Options};
use xos_sync::model_client::grpc::{CoreClient, CoreOptions};
use xos_sync::model_client::{Caller, ModelAccessor as _, ModelClient, Touch};

use xos_sync_tests::hello::greeting_named;

/// How long something may take before the test has failed; nothing is asserted on shorter times.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The recipe that comes with the example.
const RECIPE: &str = include_str!("../../samples/hello-world.yaml");

/// A place where the program runs.
pub(crate) struct Scene {
    folder: TempDir,
    database: PathBuf,
}

impl Scene {
    /// With a database that has the models, and what the recipe makes.
    pub(crate) fn new() -> Self {
        let scene = Self::empty();
        let (status, log) = scene.start_with(&["--once"], &[]).end();
        assert!(status.success(), "{log}");
        scene
    }

    /// The same without a database.
    pub(crate) fn empty() -> Self {
        Self::empty_in("data")
    }

    /// The same, with the database in this folder of its own.
    pub(crate) fn empty_in(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join(name).join("hello.db");
        std::fs::create_dir(folder.path().join(name)).unwrap();
        let scene = Scene { folder, database };
        std::fs::write(scene.path("recipe.yaml"), RECIPE).unwrap();
        scene.configure("");
        scene
    }

    /// With this many greetings more, which no synchronizer has seen: `o0` to `o<objects - 1>`, in their version 0.
    pub(crate) async fn with(objects: usize) -> Self {
        let scene = Self::new();
        let core = EmbeddedCore::open(scene.database(), Options::default()).unwrap();
        let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
        let new = |serial| greeting_named(&format!("o{serial}"), &format!("o{serial}.0"));
        let writes: Vec<_> = (0..objects)
            .map(|serial| client.write_for(&new(serial), Touch::AsTheRulesSay).unwrap().unwrap())
            .collect();
        for some in writes.chunks(1000) {
            assert!(core.write(some.to_vec()).await.iter().all(Result::is_ok));
        }
        core.close();
        scene
    }

    /// Writes the config file, with these sections beside the usual ones.
    pub(crate) fn configure(&self, more: &str) {
        let config = format!(
            "name: hello-world\naccessor: {{database: {}}}\n\
             logging:\n  version: 1\n  handlers:\n    console: {{class: logging.StreamHandler, formatter: json}}\n\
             \x20 loggers:\n    multistructlog: {{handlers: [console], level: INFO}}\n{more}",
            self.database.display()
        );
        std::fs::write(self.path("config.yaml"), config).unwrap();
    }

    /// A file of the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// What all starts of the program have logged.
    pub(crate) fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// The program, on this database.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hello_world"));
        command.args(self.arguments()).args(flags).current_dir(self.folder());
        command
    }

    /// What tells the program about this place.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let at = |name| self.path(name).display().to_string();
        ["-C".to_owned(), at("config.yaml"), "--recipe".to_owned(), at("recipe.yaml")]
    }

    /// Starts the program.
    pub(crate) fn start(&self) -> Program {
        self.start_with(&[], &[])
    }

    /// Starts the program with more flags, and with these variables in its environment.
    pub(crate) fn start_with(&self, flags: &[&str], environment: &[(&str, &str)]) -> Program {
        let mut command = self.command(flags);
        command.envs(environment.iter().copied());
        self.run(command)
    }

    /// Starts a command whose stderr belongs into the log.
    pub(crate) fn run(&self, mut command: Command) -> Program {
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        let since = log.metadata().unwrap().len();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Program { child, log: self.log(), since }
    }

    /// A client of the running program, over the socket beside the database.
    pub(crate) async fn client(&self) -> ModelClient {
        self.try_client(PATIENCE).await.expect("the program serves its core")
    }

    /// The same, unless nobody answers for so long.
    pub(crate) async fn try_client(&self, patience: Duration) -> Option<ModelClient> {
        let mut options = CoreOptions::new(format!("unix:{}.sock", self.database.display()));
        options.in_flight = 8;
        let core = CoreClient::new(options).unwrap();
        tokio::time::timeout(patience, core.ready()).await.ok()?.ok()?;
        Some(ModelClient::new(Arc::new(core), Caller::Client))
    }
}

/// The program while it runs. Dropped, it is killed.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
    since: u64,
}

impl Program {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32).unwrap()
    }

    /// What this start of it has logged.
    pub(crate) fn said(&self) -> String {
        let log = std::fs::read(&self.log).unwrap();
        String::from_utf8_lossy(log.get(self.since as usize..).unwrap_or_default()).into_owned()
    }

    /// Waits until the log of this start has this, this often.
    pub(crate) fn wait_for(&mut self, part: &str, times: usize) {
        let start = Instant::now();
        while self.said().matches(part).count() < times {
            assert!(self.runs(), "expected {part:?} {times} times, but it ended:\n{}", self.said());
            assert!(start.elapsed() < PATIENCE, "expected {part:?} {times} times:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end: how it ended, and what it logged.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let start = Instant::now();
        while self.runs() {
            assert!(start.elapsed() < PATIENCE, "it does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
        (self.child.wait().unwrap(), self.said())
    }

    /// Ends it as its user does.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "expected: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
