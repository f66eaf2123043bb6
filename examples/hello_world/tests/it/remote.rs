//! The program against a core on the network, and the failures on the way that its README lists.

use std::sync::Arc;
use std::time::Duration;

use xos_sync::model_client::{ModelDef, xproto};
use xos_sync::tokio::runtime::Runtime;
use xos_sync_tests::stand_in::{LoadRequest, Options, StandIn};

use crate::support::{Stage, text};

const README: &str = include_str!("../../README.md");

/// A core, and a stage whose `config.yaml` names it.
struct Remote {
    runtime: Runtime,
    core: StandIn,
    stage: Stage,
}

impl Remote {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { models_of: Arc::new(models_of), ..Options::fast() };
        let core = runtime.block_on(StandIn::start(options)).unwrap();
        let stage = Stage::new();
        stage.write("ca.crt", core.authority());
        let remote = Remote { runtime, core, stage };
        remote.configure("", "");
        remote
    }

    /// The config file, with one thing in it changed.
    fn configure(&self, from: &str, to: &str) {
        let endpoint = self.core.secure_uri().replace("https://", "");
        let config = format!(
            "name: hello-world
accessor:
  endpoint: {endpoint}
  username: admin@opencord.org
  password: letmein
  ca_file: ca.crt
engine:
  poll_interval: 200 ms
"
        );
        assert!(from.is_empty() || config.contains(from), "{config}");
        self.stage.write("config.yaml", &config.replacen(from, to, usize::from(!from.is_empty())));
    }
}

fn models_of(request: &LoadRequest) -> Result<Vec<ModelDef>, String> {
    let files = request.files.xprotos.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let document = xproto::parse_files(files).map_err(|errors| errors.to_string())?;
    document.models().map_err(|findings| findings.to_string())
}

/// The README shows what a person looks for; this is how it looks in full.
fn is_in_readme(part: &str) {
    assert!(README.contains(part), "the README does not show {part:?}");
}

#[test]
fn one_line_of_config_makes_it_a_synchronizer_of_another_core() {
    let remote = Remote::new();
    let mut program = remote.stage.start_remote(&[]);
    program.wait_for("models loaded");
    program.wait_for("Jhon Snow is saying hello to Daenerys Targaryen");
    remote.runtime.block_on(remote.core.restart()).unwrap();
    program.wait_for("the core is back");
    remote.stage.write("recipe.yaml", &crate::support::RECIPE.replace("Daenerys Targaryen", "Arya Stark"));
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    let shown = remote.stage.remote_command(&["--show"]).output().unwrap();
    assert!(shown.status.success() && text(&shown.stdout).contains("OK"), "{}", text(&shown.stderr));
}

#[test]
fn what_a_recipe_made_is_remembered_beside_the_program() {
    let remote = Remote::new();
    let run = remote.stage.remote_command(&["--once"]).output().unwrap();
    assert!(run.status.success(), "{}", text(&run.stderr));
    let memory = std::fs::read_to_string(remote.stage.path("hello-world.recipe.json")).unwrap();
    assert!(memory.contains("serviceinstance"), "{memory}");
}

#[test]
fn failures_that_end_the_program_say_what_to_do() {
    let remote = Remote::new();
    for (from, to, code, part) in [
        ("letmein", "wrong", 1, "the core refuses to authenticate: as admin@opencord.org"),
        ("  password: letmein\n", "", 78, "accessor.username needs accessor.password"),
        ("ca.crt", "nothing.crt", 78, "nothing.crt cannot be read"),
        ("endpoint: 127.0.0.1", "endpoint: xos-core #", 78, "has no port"),
        (
            "name: hello-world",
            "core_version: '>=5.0.0'\nname: hello-world",
            1,
            "is requesting core version >=5.0.0 but actual version is 4.0.4",
        ),
    ] {
        remote.configure(from, to);
        let run = remote.stage.remote_command(&[]).output().unwrap();
        let printed = text(&run.stderr);
        assert_eq!(run.status.code(), Some(code), "{printed}");
        assert!(printed.contains(part) && !printed.contains("wrong"), "expected {part:?}: {printed}");
        is_in_readme(part);
    }
}

#[test]
fn failures_that_may_pass_are_waited_for() {
    let remote = Remote::new();
    let plain = remote.core.uri().replace("http://", "");
    let secure = remote.core.secure_uri().replace("https://", "");
    for (from, to, part) in [
        (secure.as_str(), "127.0.0.1:1", "nothing listens there"),
        (&secure, "no-such-host.invalid:50051", "the name has no address"),
        (&secure, &plain, "no TLS is spoken there"),
        ("  ca_file: ca.crt\n", "", "its certificate is of a CA that is not trusted"),
        (
            "  ca_file: ca.crt\n",
            "  ca_file: ca.crt\n  server_name: other-core\n",
            "its certificate is not for",
        ),
    ] {
        remote.configure(from, to);
        let mut program = remote.stage.start_remote(&[]);
        program.wait_for(part);
        let (status, log) = program.interrupt();
        assert!(status.success() && log.contains("stopped"), "{log}");
        is_in_readme(part);
    }
}

#[test]
fn a_core_that_starts_later_is_waited_for() {
    let remote = Remote::new();
    remote.runtime.block_on(remote.core.kill());
    let mut program = remote.stage.start_remote(&[]);
    program.wait_for("waiting for the core");
    std::thread::sleep(Duration::from_millis(200));
    remote.runtime.block_on(remote.core.resume()).unwrap();
    program.wait_for("connected to the core");
    program.wait_for("Jhon Snow is saying hello to Daenerys Targaryen");
    is_in_readme("waiting for the core");
}
