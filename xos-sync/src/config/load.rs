//! From command line, files and environment to a [`Config`].

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::{ConfigError, Origin, Problem};
use super::logging::{Color, LogFormat, LogLevel};
use super::node::Value;
use super::tree::{LOG_LEVEL_VARIABLE, Tree};
use super::{Accessor, Ansible, Config, DesiredState, Engine, EventBus, dictionary};
use crate::args::{Args, Verb};

/// The file that a container's orchestrator mounts over the one in the image.
const MOUNTED: &str = "mounted_config.yaml";

/// Reads everything `args` and `environment` name; all mistakes come back at once.
pub(crate) fn load(args: &Args, environment: &Environment) -> Result<Config, ConfigError> {
    let mut tree = Tree::new();
    let file = add_files(&mut tree, args, environment);
    finish(tree, file, args, environment)
}

/// The config of `file`, whose content and overrides are in `tree`, with variables and flags over it.
pub(super) fn finish(
    mut tree: Tree,
    file: Option<PathBuf>,
    args: &Args,
    environment: &Environment,
) -> Result<Config, ConfigError> {
    if !tree.problems.is_empty() {
        return Err(ConfigError { problems: tree.problems });
    }
    tree.add_environment(environment);
    if let Some(database) = &args.db {
        let flag = Origin::Flag("--db");
        match database.to_str() {
            Some(database) => tree.set("accessor.database", &flag, Value::Text(database.to_owned())),
            None => tree.problem(Problem::new(&flag, "the path is not UTF-8")),
        }
        tree.set("accessor.kind", &flag, Value::Text("embedded".to_owned()));
    }
    tree.check();
    let config = read(&mut tree, file, args, environment);
    if tree.problems.is_empty() {
        Ok(Config { warnings: tree.warnings, ..config })
    } else {
        Err(ConfigError { problems: tree.problems })
    }
}

/// Adds the config file and its override; the answer is the config file.
fn add_files(tree: &mut Tree, args: &Args, environment: &Environment) -> Option<PathBuf> {
    let (file, named_by) = match (&args.config, environment.get("XOS_CONFIG_FILE")) {
        (Some(file), _) => (Some(file.clone()), "-C"),
        (None, Some(file)) => (Some(PathBuf::from(file)), "XOS_CONFIG_FILE"),
        (None, None) => (None, ""),
    };
    if let Some(file) = &file {
        tree.add_file(file);
        if let Some(problem) = tree.problems.last_mut().filter(|problem| problem.line().is_none()) {
            problem.hint = Some(format!("the file is named by {named_by}"));
        }
    }
    if let Some(path) = environment.get("XOS_OVERRIDE_CONFIG_FILE").map(Path::new) {
        if is_missing(path) {
            let message = format!("{} does not exist; nothing is overridden", path.display());
            tree.warn(Problem::new(&Origin::Variable("XOS_OVERRIDE_CONFIG_FILE".to_owned()), message));
        } else {
            tree.add_file(path);
        }
    } else if let Some(mounted) = file.as_ref().map(|file| file.with_file_name(MOUNTED))
        && !is_missing(&mounted)
    {
        tree.add_file(&mounted);
    }
    file
}

fn is_missing(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The typed values of a tree that was checked.
fn read(tree: &mut Tree, file: Option<PathBuf>, args: &Args, environment: &Environment) -> Config {
    let engine = Engine::read(tree);
    let accessor = Accessor::read(tree);
    let event_bus = EventBus::read(tree);
    let ansible = Ansible::read(tree);
    let mut logging = dictionary::read(tree);
    if let Some(problem) = engine.check(tree) {
        tree.problem(problem);
    }
    if let Some(level) = args.log_level.or_else(|| level_variable(tree, environment)) {
        logging.set_level(level);
    }
    if environment.get("NO_COLOR").is_some() {
        for output in &mut logging.outputs {
            if output.format == LogFormat::Text(Color::Terminal) {
                output.format = LogFormat::Text(Color::Never);
            }
        }
    }
    let unload = tree.get::<String>("desired_state").is_some_and(|state| state == "unload");
    Config {
        name: tree.get("name"),
        core_version: tree.get("core_version"),
        desired_state: if unload { DesiredState::Unload } else { DesiredState::Load },
        dependency_graph: tree.get("dependency_graph"),
        models_dir: tree.get("models_dir"),
        steps_dir: tree.get("steps_dir"),
        pull_steps_dir: tree.get("pull_steps_dir"),
        event_steps_dir: tree.get("event_steps_dir"),
        model_policies_dir: tree.get("model_policies_dir"),
        required_models: tree.get("required_models").unwrap_or_default(),
        accessor,
        engine,
        event_bus,
        ansible,
        logging,
        once: args.once,
        verb: verb(tree, args),
        file,
        warnings: Vec::new(),
    }
}

/// What to do; `--show` is another spelling of `list`.
fn verb(tree: &mut Tree, args: &Args) -> Verb {
    let verb = args.verb.clone().unwrap_or_default();
    let mut refuse = |flag: &'static str, message: &str| {
        tree.problem(Problem::new(&Origin::Flag(flag), message));
    };
    if args.once && verb != Verb::Run {
        refuse("--once", "only a synchronizer that runs can stop when nothing is ready; leave it out");
    }
    if args.show && args.verb.is_some() {
        refuse("--show", "is another spelling of the verb list; give one of them");
    }
    if args.show { Verb::List { model: None } } else { verb }
}

fn level_variable(tree: &mut Tree, environment: &Environment) -> Option<LogLevel> {
    let value = environment.get(LOG_LEVEL_VARIABLE)?;
    let level = value.to_str().and_then(|text| <LogLevel as clap::ValueEnum>::from_str(text, true).ok());
    if level.is_none() {
        let origin = Origin::Variable(LOG_LEVEL_VARIABLE.to_owned());
        tree.problem(Problem::new(&origin, "must be one of trace, debug, info, warn, error"));
    }
    level
}
