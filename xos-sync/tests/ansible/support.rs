//! A core in memory, a step whose playbook a test gives, and all that is logged.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use tracing_subscriber::layer::SubscriberExt as _;
use xos_sync::ansible::Results;
use xos_sync::config::{LogFormat, LogLevel};
use xos_sync::prelude::*;
use xos_sync::run_on;

/// Whether the programs are there; says so if not.
pub(crate) fn has(programs: &[&str]) -> bool {
    let there = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
            || Path::new("/usr/sbin").join(program).is_file()
    };
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !there(program)).collect();
    if !missing.is_empty() {
        skipped(&format!("{} (install: apt-get install ansible-core openssh-server)", missing.join(" and ")));
    }
    missing.is_empty()
}

/// Says that something was not tested, where people and `.ci/run` see it.
fn skipped(what: &str) {
    use io::Write as _;
    // Not `eprintln!`: the test runner catches that.
    let _ = writeln!(io::stderr(), "skipped: {what}");
    let program = std::env::current_exe().unwrap();
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap();
    let file = std::fs::File::options().create(true).append(true).open(target.join("skipped.txt"));
    writeln!(file.unwrap(), "{what}").unwrap();
}

/// A step that runs what a test gives it.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) playbook: Playbook,
    pub(crate) on_delete: OnDelete,
    pub(crate) target: Target,
    pub(crate) secret: Option<&'static str>,
    pub(crate) folder: PathBuf,
    pub(crate) always: bool,
    pub(crate) concurrency: usize,
    pub(crate) interval: Option<Duration>,
    pub(crate) applied: Arc<Mutex<Vec<Results>>>,
}

impl AnsibleStep for Web {
    type Model = Site;

    fn playbook(&self) -> Playbook {
        self.playbook.clone()
    }

    fn on_delete(&self) -> OnDelete {
        self.on_delete.clone()
    }

    async fn target(&self, _ctx: &Context, _o: &Site) -> StepResult<Target> {
        Ok(self.target.clone())
    }

    async fn extra_attributes(&self, _ctx: &Context, o: &Site) -> StepResult<Attributes> {
        let attributes = Attributes::new().with("tenant_message", &o.name).with("folder", &self.folder);
        Ok(match self.secret {
            Some(secret) => attributes.secret("password", secret),
            None => attributes,
        })
    }

    async fn applied(&self, _ctx: &Context, _o: &mut Site, results: &Results) -> StepResult {
        self.applied.lock().unwrap().push(results.clone());
        Ok(())
    }

    fn always_run(&self) -> bool {
        self.always
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.interval
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }
}

/// A playbook for `instance_name`, without facts, with these tasks.
pub(crate) fn tasks(tasks: &str) -> Playbook {
    let head = "- hosts: \"{{ instance_name }}\"\n  gather_facts: no\n  tasks:\n";
    Playbook::text(format!("{head}{tasks}")).named("web.yaml")
}

/// Writes the message where the step says, and notes that it ran.
pub(crate) const WRITE: &str = r#"
  - name: write message
    copy:
      content: "{% raw %}{{ tenant_message }}{% endraw %}"
      dest: "{{ folder }}/index.html"
  - name: note
    shell: echo run >> {{ folder }}/runs
"#;

/// A playbook that says that it runs, and takes for ever.
pub(crate) const FOREVER: &str = r"
  - name: note
    shell: echo begun >> {{ folder }}/runs
  - name: wait for ever
    shell: sleep 1000 & sleep 1000
";

/// A synchronizer for one test.
pub(crate) struct Lab {
    pub(crate) core: MockAccessor,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    pub(crate) step: Web,
}

impl Lab {
    /// With a playbook of these tasks.
    pub(crate) fn new(playbook: &str) -> Self {
        log();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::in_memory();
        config.once = true;
        config.ansible.sys_dir = Some(folder.path().join("sys"));
        let step = Web {
            playbook: tasks(playbook),
            on_delete: OnDelete::Nothing,
            target: Target::local(),
            secret: None,
            folder: folder.path().to_owned(),
            always: false,
            concurrency: 4,
            interval: None,
            applied: Arc::default(),
        };
        Lab { core: MockAccessor::new(), folder, config, step }
    }

    pub(crate) async fn site(&self, name: &str) -> Site {
        let site = Site {
            name: name.into(),
            login_base: "x".into(),
            abbreviated_name: "x".into(),
            ..Default::default()
        };
        self.core.create(site).await.unwrap()
    }

    /// The synchronizer of this lab; its name is in each of its log lines.
    pub(crate) fn service(&self) -> Synchronizer {
        Synchronizer::new(self.name()).ansible_step(self.step.clone())
    }

    fn name(&self) -> String {
        self.folder.path().file_name().unwrap().to_string_lossy().replace('.', "")
    }

    /// Runs until nothing is ready; what `--once` says.
    pub(crate) async fn once(&self) -> Result<(), String> {
        let run = run_on(self.core.accessor(), self.config.clone(), self.service(), std::future::pending());
        run.await.map_err(|error| error.chain())
    }

    /// Runs until nothing is ready; the last status of the object then.
    pub(crate) async fn status(&self, site: &Site) -> String {
        let _ = self.once().await;
        let status = self.core.get::<Site>(site.id).await.unwrap().backend_status.clone();
        status.strip_prefix("Provisioning in progress // ").unwrap_or(&status).to_owned()
    }

    /// What a file in the folder holds.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// How often the playbook ran.
    pub(crate) fn runs(&self) -> usize {
        self.read("runs").lines().count()
    }

    /// What this synchronizer logged with this text.
    pub(crate) fn lines(&self, event: &str) -> Vec<serde_json::Value> {
        let mine = |line: &serde_json::Value| line["synchronizer_name"] == self.name().as_str();
        log().lines().into_iter().filter(|line| mine(line) && line["event"] == event).collect()
    }

    /// The processes that have to do with this lab: whose command line or environment names its folder.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes_of(self.folder.path())
    }

    /// All files below `sys_dir`.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("sys")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found
    }
}

pub(crate) fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let read = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(entry.path().join(name)).unwrap_or_default()).into_owned()
        };
        let line = read("cmdline");
        if pid != std::process::id() && (line.contains(folder) || read("environ").contains(folder)) {
            found.push(format!("{pid} {}", line.replace('\0', " ")));
        }
    }
    found
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Everything that is logged by anybody in this process.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of all tests; a test finds its own lines by the name of its synchronizer.
pub(crate) fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let layer = xos_sync::logging::layer_to(LogFormat::Json, LogLevel::Trace, log.clone());
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
        log
    })
}
