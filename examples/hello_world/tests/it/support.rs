//! Running the program, and looking at its database from a second connection.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
pub(crate) use xos_sync_tests::program::{Running, text};

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

/// Whether a file is somewhere that this user cannot write to.
pub(crate) fn is_writable(path: &Path) -> bool {
    std::fs::OpenOptions::new().append(true).open(path).is_ok()
}
