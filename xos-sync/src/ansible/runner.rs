//! An [`AnsibleStep`] as the engine sees it: a step like others.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};
use xos_model_client::{Model, Value};

use super::folder::{Fingerprint, ObjectFolder};
use super::mask::Mask;
use super::prepare::{Prepare, missing};
use super::process::{self, Ended, Job};
use super::results::{Results, TaskStatus};
use super::target::{Place, Target};
use super::variables::Variables;
use super::{AnsibleStep, Attributes, OnDelete, Playbook, check, inventory, template};
use crate::config::{Ansible, Proxy};
use crate::context::Context;
use crate::step::{StepError, StepResult, SyncStep};

/// Our callback: what each task did, as JSON.
const CALLBACK: &str = include_str!("xos_sync.py");

/// The file descriptor on which it writes; the supervisor opens it.
const RESULTS: &str = "4";

/// Where ssh's sockets are when the folder for temporary files has a long name: their paths end at about 100 bytes.
const SHORT_FOLDER: &str = "/tmp";

/// In a dry run, objects are never done. They are looked at again when they change, or after this.
const DRY_RUN_AGAIN: Duration = Duration::from_secs(3600);

/// Makes a step of an [`AnsibleStep`].
pub(crate) struct Runner<S>(Arc<S>);

impl<S: AnsibleStep> Runner<S> {
    pub(crate) fn new(step: S) -> Self {
        Runner(Arc::new(step))
    }

    /// What has to be looked at before the start.
    pub(crate) fn preparation(&self) -> Arc<dyn Prepare> {
        Arc::new(Runner(self.0.clone()))
    }

    pub(super) fn step(&self) -> &S {
        &self.0
    }
}

impl<S: AnsibleStep> SyncStep for Runner<S> {
    type Model = S::Model;

    async fn sync_record(&self, ctx: &Context, o: &mut S::Model) -> StepResult {
        let step = self.step();
        let Some(run) = self.plan(ctx, o, step.playbook(), false).await? else { return Ok(()) };
        #[cfg(feature = "embedded")]
        if let Some(backend) = crate::testing::simulate::backend_here() {
            run.simulate(&backend, self.step().name()).await?;
            return step.applied(ctx, o, &Results::default()).await;
        }
        let always = step.always_run() || ctx.is_recheck();
        let Some((job, hash)) = run.prepare(always).await? else {
            debug!("the playbook was applied before and nothing changed; it is not run");
            return Ok(());
        };
        let results = run.run(job).await?;
        step.applied(ctx, o, &results).await?;
        let folder = run.folder.clone();
        blocking(move || folder.set_applied(&hash)).await
    }

    async fn delete_record(&self, ctx: &Context, o: &S::Model) -> StepResult {
        let step = self.step();
        let playbook = match step.on_delete() {
            OnDelete::Nothing => None,
            OnDelete::SamePlaybook => Some(step.playbook()),
            OnDelete::Playbook(playbook) => Some(playbook),
        };
        let run = match playbook {
            Some(playbook) => self.plan(ctx, o, playbook, true).await?,
            None => None,
        };
        #[cfg(feature = "embedded")]
        if let Some(backend) = crate::testing::simulate::backend_here() {
            return match run {
                Some(run) => run.simulate(&backend, self.step().name()).await,
                None => Ok(()),
            };
        }
        if let Some(run) = run
            && let Some((job, _)) = run.prepare(true).await?
        {
            run.run(job).await?;
        }
        let folder = self.folder(ctx, &tag(o));
        blocking(move || {
            folder.remove();
            Ok(())
        })
        .await
    }

    fn selects(&self, o: &S::Model) -> bool {
        self.step().selects(o)
    }

    fn requested_interval(&self) -> Option<Duration> {
        self.step().requested_interval()
    }

    fn concurrency(&self) -> Option<usize> {
        Some(self.step().concurrency().max(1))
    }

    fn name(&self) -> &'static str {
        self.step().name()
    }
}

impl<S: AnsibleStep> Runner<S> {
    fn folder(&self, ctx: &Context, tag: &str) -> ObjectFolder {
        let around = ctx.around();
        let default = || PathBuf::from(format!("{}.sys", around.name.replace('/', "-")));
        let sys_dir = around.ansible.sys_dir.clone().unwrap_or_else(default);
        ObjectFolder::new(&sys_dir, self.step().name(), tag)
    }

    /// All that a run needs to know, if anything is to be run.
    async fn plan(
        &self,
        ctx: &Context,
        o: &S::Model,
        playbook: Playbook,
        delete: bool,
    ) -> StepResult<Option<Plan>> {
        let target = self.step().target(ctx, o).await?;
        if matches!(target.place, Place::Nowhere) {
            debug!("the playbook has no target; nothing is run");
            return Ok(None);
        }
        let extra = self.step().extra_attributes(ctx, o).await?;
        let settings = ctx.around().ansible.clone();
        let tag = tag(o);
        let folder = self.folder(ctx, &tag);
        target.check()?;
        let variables = variables(o, &target, &settings, &tag, delete, extra)?;
        Ok(Some(Plan { playbook, target, variables: Arc::new(variables), settings, folder, delete }))
    }
}

fn variables<M: Model>(
    o: &M,
    target: &Target,
    settings: &Ansible,
    tag: &str,
    delete: bool,
    extra: Attributes,
) -> Result<Variables, String> {
    let (mut hostname, mut ssh_ip, mut username) = ("localhost", "127.0.0.1", None);
    if let Place::Host(host) = &target.place {
        let jump = host.jump.as_ref().filter(|_| settings.proxy != Proxy::Off);
        hostname = jump.map_or(&host.address, |jump| &jump.address);
        (ssh_ip, username) = (&host.address, host.user.as_deref());
    }
    let told = [
        ("instance_name", target.instance_name().as_ref().into()),
        ("hostname", hostname.into()),
        ("ssh_ip", ssh_ip.into()),
        ("username", username.into()),
        ("ansible_tag", tag.into()),
        ("delete", delete.into()),
    ];
    Variables::new(o, told, extra)
}

/// What the object is called: by its own field `ansible_tag`, else by class and id.
fn tag<M: Model>(o: &M) -> String {
    let values = o.values();
    let text = |name: &str| {
        let value = M::shape().position(name).and_then(|at| values.get(at));
        value.and_then(Value::as_text).filter(|text| !text.is_empty())
    };
    match text("ansible_tag") {
        Some(tag) => tag.to_owned(),
        None => format!("{}_{}", text("leaf_model_name").unwrap_or(M::MODEL_NAME), o.id()),
    }
}

/// One run, before it.
struct Plan {
    playbook: Playbook,
    target: Target,
    variables: Arc<Variables>,
    settings: Ansible,
    folder: ObjectFolder,
    delete: bool,
}

impl Plan {
    /// Renders and checks everything and writes the files of the run. `None` if all that was applied before.
    async fn prepare(&self, always: bool) -> StepResult<Option<(Job, String)>> {
        let (playbook, target, settings) =
            (self.playbook.clone(), self.target.clone(), self.settings.clone());
        let (variables, folder) = (self.variables.clone(), self.folder.clone());
        let mask = self.variables.mask.clone();
        let always = always || self.settings.check;
        blocking(move || {
            let rendered = template::render(&playbook, &variables.values)?;
            check::check(&rendered, playbook.name())?;
            let program = process::find(&settings.program).ok_or_else(|| missing(&settings))?;
            let files = Files {
                playbook: rendered,
                variables: variables.file(),
                inventory: inventory::inventory(&target),
                ssh_config: inventory::ssh_config(&target, &settings)?,
            };
            let hash = files.hash(&program, playbook.beside());
            if !always && folder.applied().is_some_and(|applied| applied == hash) {
                return Ok(None);
            }
            let job = files.job(program, &playbook, &settings, &folder, &variables.mask)?;
            // From here on nobody knows what is applied.
            if !settings.check {
                folder.forget_applied()?;
            }
            Ok(Some((job, hash)))
        })
        .await
        .map_err(|error| masked(&error, &mask))
    }

    /// Runs the playbook, logs it, and says what went wrong.
    async fn run(&self, job: Job) -> StepResult<Results> {
        let begun = std::time::Instant::now();
        let output = job.output.clone();
        let ended =
            process::run(job).await.map_err(|error| format!("cannot run ansible-playbook: {error}"))?;
        let Ended { code, results, last_lines, timed_out, folder } = ended;
        let name = self.playbook.name();
        let output = output.map(|output| std::path::absolute(&output).unwrap_or(output));
        let shown = output.as_ref().map(|output| output.display().to_string());
        info!(
            playbook = name,
            host = %self.target.instance_name(),
            ok = results.count(TaskStatus::Ok) + results.count(TaskStatus::Changed),
            changed = results.count(TaskStatus::Changed),
            failed = results.count(TaskStatus::Failed) + results.count(TaskStatus::Unreachable),
            ignored = results.count(TaskStatus::Ignored),
            left_out = (results.left_out() > 0).then(|| results.left_out()),
            seconds = begun.elapsed().as_secs_f64(),
            delete = self.delete.then_some(true),
            output = shown.as_deref(),
            "Ran Ansible playbook"
        );
        if self.settings.keep_temp_files {
            let kept = folder.keep();
            warn!(folder = %kept.display(), "the rendered files are kept (keep_temp_files); they may hold secrets");
        } else {
            blocking(move || {
                drop(folder);
                Ok(())
            })
            .await?;
        }
        let problem = if timed_out {
            let limit = self.settings.deadline.unwrap_or_default().as_secs_f64();
            let task = results.running().map_or_else(String::new, |task| format!(", in task {task}"));
            Some(format!("{name} took longer than {limit} s (ansible.deadline) and was ended{task}"))
        } else {
            let inventory = self.target.instance_name();
            results.problem(code, &last_lines, &inventory)
        };
        match problem {
            Some(problem) => {
                let problem = self.variables.mask.text(&problem).into_owned();
                let kept = shown.map_or_else(String::new, |path| format!(" (output: {path})"));
                Err(StepError::failed(format!("{problem}{kept}")))
            }
            None if self.settings.check => Err(self.dry_run(&results)),
            None => Ok(results),
        }
    }

    /// What would have been changed; the object is not done by that.
    fn dry_run(&self, results: &Results) -> StepError {
        let mut would = Vec::new();
        for task in results.tasks().iter().filter(|task| task.status == TaskStatus::Changed) {
            info!(
                host = task.host,
                task = task.task,
                diff = task.value.get("diff").and_then(serde_json::Value::as_str).map(str::trim),
                "would change"
            );
            would.push(task.task.as_str());
        }
        let text = match would.as_slice() {
            [] => "dry run: nothing would change".to_owned(),
            tasks => format!("dry run: would change: {}", tasks.join(", ")),
        };
        StepError::innocuous(self.variables.mask.text(&text)).retry_after(DRY_RUN_AGAIN)
    }
}

#[cfg(feature = "embedded")]
impl Plan {
    /// In a simulation: what the playbook says is there, or is gone. Nothing is run, and no file is written.
    async fn simulate(&self, backend: &crate::testing::Backend, step: &str) -> StepResult {
        let rendered = template::render(&self.playbook, &self.variables.values)?;
        check::check(&rendered, self.playbook.name())?;
        let tag = self.variables.values.get("ansible_tag").and_then(serde_json::Value::as_str);
        let key = format!("{step}/{}", tag.unwrap_or_default());
        if self.delete {
            backend.delete(&key).await?;
        } else {
            backend.put(key, format!("{rendered}\n{}", self.variables.file())).await?;
        }
        Ok(())
    }
}

/// What a run is made of.
struct Files {
    playbook: String,
    variables: String,
    inventory: String,
    ssh_config: Option<String>,
}

impl Files {
    fn hash(&self, program: &Path, beside: Option<&Path>) -> String {
        let ssh_config = self.ssh_config.as_deref().unwrap_or_default();
        Fingerprint::default()
            .add(program.as_os_str().as_encoded_bytes())
            .add(self.playbook.as_bytes())
            .add(self.variables.as_bytes())
            .add(self.inventory.as_bytes())
            .add(ssh_config.as_bytes())
            .add_beside(beside)
            .done()
    }

    fn job(
        self,
        program: PathBuf,
        playbook: &Playbook,
        settings: &Ansible,
        object: &ObjectFolder,
        mask: &Mask,
    ) -> Result<Job, String> {
        let folder = object.run()?;
        let rendered = folder.write("playbook.yaml", &self.playbook)?;
        let variables = folder.write("variables.yaml", &self.variables)?;
        let inventory = folder.write("inventory.json", &self.inventory)?;
        let callbacks = folder.make("xos_sync_callback")?;
        folder.write("xos_sync_callback/xos_sync.py", CALLBACK)?;
        let local = folder.make("tmp")?;
        let config = match &settings.config {
            Some(config) => std::path::absolute(config).map_err(|error| error.to_string())?,
            // Else Ansible takes one from the home folder or from /etc.
            None => folder.write("ansible.cfg", "[defaults]\n")?,
        };
        if let Some(beside) = playbook.beside() {
            folder.link(beside)?;
        }
        let mut arguments: Vec<OsString> = vec!["-i".into(), inventory.into(), "-e".into()];
        let mut extra = OsString::from("@");
        extra.push(&variables);
        arguments.push(extra);
        if settings.check {
            arguments.extend(["--check".into(), "--diff".into()]);
        }
        let mut environment: Vec<(&str, OsString)> = vec![
            ("XOS_SYNC_RESULTS", RESULTS.into()),
            ("ANSIBLE_CONFIG", config.into()),
            ("ANSIBLE_CALLBACK_PLUGINS", callbacks.into()),
            ("ANSIBLE_CALLBACKS_ENABLED", "xos_sync".into()),
            ("ANSIBLE_STDOUT_CALLBACK", "default".into()),
            ("ANSIBLE_NOCOLOR", "1".into()),
            ("ANSIBLE_NOCOWS", "1".into()),
            ("ANSIBLE_RETRY_FILES_ENABLED", "0".into()),
            ("ANSIBLE_LOCALHOST_WARNING", "0".into()),
            ("ANSIBLE_DEPRECATION_WARNINGS", "0".into()),
            ("ANSIBLE_LOCAL_TEMP", local.into()),
        ];
        let mut control = None;
        if let Some(ssh_config) = &self.ssh_config {
            let ssh_config = folder.write("ssh_config", ssh_config)?;
            let ssh_config = ssh_config.to_str().ok_or("the path of sys_dir is not UTF-8")?;
            if ssh_config.contains('\'') {
                return Err(format!("the path {ssh_config} cannot be given to ssh: it has a ' in it"));
            }
            let connections =
                connections().map_err(|error| format!("cannot make a folder for ssh: {error}"))?;
            // The connection is kept for the next task; the supervisor closes it at the end.
            let options = format!("-C -o ControlMaster=auto -o ControlPersist=60s -F '{ssh_config}'");
            environment.extend([
                ("ANSIBLE_SSH_ARGS", OsString::from(options)),
                ("ANSIBLE_SSH_CONTROL_PATH_DIR", connections.path().into()),
                ("ANSIBLE_HOST_KEY_CHECKING", "1".into()),
                ("ANSIBLE_PIPELINING", "1".into()),
                ("ANSIBLE_TIMEOUT", "30".into()),
                ("ANSIBLE_PYTHON_INTERPRETER", "auto_silent".into()),
            ]);
            control = Some(connections);
        }
        arguments.push(rendered.into());
        let output = settings.save_output.then(|| object.output());
        Ok(Job {
            program,
            arguments,
            environment,
            folder,
            control,
            keep: settings.keep_temp_files,
            output,
            mask: mask.clone(),
            deadline: settings.deadline,
        })
    }
}

/// A private folder with a short path.
fn connections() -> std::io::Result<tempfile::TempDir> {
    let mut make = tempfile::Builder::new();
    make.prefix("xos-").permissions(super::folder::owner_only());
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() <= 40 { make.tempdir() } else { make.tempdir_in(SHORT_FOLDER) }
}

/// Does what waits for a disk, where nobody waits for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> StepResult<T> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    Ok(done.map_err(|error| format!("preparing the playbook ended badly: {error}"))??)
}

fn masked(error: &StepError, mask: &Mask) -> StepError {
    StepError::failed(mask.text(&error.to_string()))
}
