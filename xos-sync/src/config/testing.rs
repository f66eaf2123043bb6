//! A folder with config files, loaded without the environment of the test.

use std::path::PathBuf;

use super::{Config, Environment};
use crate::args::Args;

/// The tutorial's file, unchanged.
pub(crate) const TUTORIAL: &str = r#"name: hello-world
accessor:
  username: admin@opencord.org
  password: letmein
  endpoint: xos-core:50051
models_dir: "/opt/xos/synchronizers/hello-world/models"
steps_dir: "/opt/xos/synchronizers/hello-world/steps"
required_models:
  - HelloWorldService
  - HelloWorldServiceInstance
logging:
  version: 1
  handlers:
    console:
      class: logging.StreamHandler
  loggers:
    'multistructlog':
      handlers:
        - console
      level: DEBUG
"#;

/// A temporary folder.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// With these files in it.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Loads its `config.yaml`; errors name files without the folder.
    pub(crate) fn load(&self, environment: &[(&str, &str)]) -> Result<Config, String> {
        let args = Args { config: Some(self.path("config.yaml")), ..Args::default() };
        self.load_args(args, environment)
    }

    pub(crate) fn load_args(&self, args: Args, environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment: Environment = environment.iter().copied().collect();
        args.into_config_with(&environment).map_err(|error| self.shorten(&error.to_string()))
    }

    /// `text` without the folder in front of its files.
    pub(crate) fn shorten(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    pub(crate) fn warnings(&self, config: &Config) -> Vec<String> {
        config.warnings.iter().map(|warning| self.shorten(&warning.to_string())).collect()
    }
}

/// What the file `text` makes, without an environment.
pub(crate) fn load(text: &str) -> Result<Config, String> {
    Folder::with(&[("config.yaml", text)]).load(&[])
}

/// The warnings of the file `text`.
pub(crate) fn warnings(text: &str) -> Vec<String> {
    let folder = Folder::with(&[("config.yaml", text)]);
    let config = folder.load(&[]).unwrap();
    folder.warnings(&config)
}

/// What is wrong with the file `text`.
pub(crate) fn error(text: &str) -> String {
    load(text).map(|config| format!("no error: {config:?}")).unwrap_err()
}
