//! The command line of a synchronizer: alone, or flattened into an author's own parser.
//!
//! ```text
//! hello_world [--db PATH] [-C PATH] [--log-level LEVEL] [run [--once]]
//! hello_world apply RECIPE [--dry-run]
//! hello_world list [MODEL]
//! hello_world explain MODEL ID-OR-NAME
//! hello_world core
//! ```

use std::path::PathBuf;

use crate::config::{Config, ConfigError, Environment, LogLevel, load};

/// What a synchronizer's program is asked to do. Without a verb it runs.
///
/// `apply`, `list` and `explain` work while the synchronizer runs: they go through the socket beside its database.
#[derive(clap::Subcommand, Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Synchronize until told to stop: what happens without a verb
    #[default]
    Run,
    /// Make the objects as a recipe says, also while the synchronizer runs
    Apply {
        /// The recipe, a TOSCA file
        #[arg(value_name = "RECIPE")]
        recipe: PathBuf,
        /// Only tell what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the objects with their status
    List {
        /// Only those of this model, any that the core has (default: those of this program)
        #[arg(value_name = "MODEL")]
        model: Option<String>,
    },
    /// Tell why an object was synchronized or not, what it waits for, and when it is next due
    Explain {
        /// Its model
        #[arg(value_name = "MODEL")]
        model: String,
        /// Its id, or its name
        #[arg(value_name = "ID-OR-NAME")]
        object: String,
    },
    /// Serve the core alone: its models, without the steps
    Core,
}

// The comment of a flattened struct would become the author's `about`: hence no doc comment for clap to find.
#[allow(missing_docs, reason = "documented by the attribute below, which clap does not read")]
#[cfg_attr(doc, doc = "The verbs and flags every synchronizer has.")]
#[derive(clap::Parser, Clone, Debug, Default)]
#[non_exhaustive]
pub struct Args {
    /// Config file (default: the one XOS_CONFIG_FILE names, else the embedded core)
    #[arg(short = 'C', long, value_name = "PATH", global = true)]
    pub config: Option<PathBuf>,
    /// Use the embedded core with this database file, whatever the config file says
    #[arg(long, value_name = "PATH", global = true)]
    pub db: Option<PathBuf>,
    /// Stop when nothing is ready: exit code 0 if all is OK, 1 if an object failed or is deferred
    #[arg(long, global = true)]
    pub once: bool,
    /// The same as the verb list
    #[arg(long, conflicts_with = "once")]
    pub show: bool,
    /// Least important lines to log
    #[arg(long, value_name = "LEVEL", value_enum, global = true)]
    pub log_level: Option<LogLevel>,
    /// What to do
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

impl Args {
    /// Reads the files and environment variables these flags lead to.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in a file or variable, with its place; the program should end with
    /// [`EXIT_CONFIG`](crate::config::EXIT_CONFIG).
    pub fn into_config(self) -> Result<Config, ConfigError> {
        self.into_config_with(&Environment::process())
    }

    /// [`into_config`](Args::into_config) with the environment given.
    ///
    /// # Errors
    ///
    /// Everything that is wrong in a file or variable, with its place.
    pub fn into_config_with(self, environment: &Environment) -> Result<Config, ConfigError> {
        load::load(&self, environment)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::config::{AccessorKind, CoreChoice, LogTarget};

    /// An author's own command line.
    #[derive(clap::Parser)]
    #[command(name = "greeter", version = "7.7")]
    struct Own {
        /// The recipe to apply
        #[arg(long)]
        recipe: Option<PathBuf>,
        #[command(flatten)]
        args: Args,
    }

    fn config(flags: &[&str]) -> Config {
        let args = Args::try_parse_from([&["hello"], flags].concat()).unwrap();
        args.into_config_with(&Environment::empty()).unwrap()
    }

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
        Own::command().debug_assert();
    }

    #[test]
    fn flags_reach_the_config() {
        assert!(matches!(config(&[]).core("hello"),
            CoreChoice::Embedded { database, .. } if database == Path::new("hello.db")));
        assert!(matches!(config(&["--db", "x/y.db"]).core("hello"),
            CoreChoice::Embedded { database, .. } if database == Path::new("x/y.db")));
        let found = config(&["--once", "--log-level", "warning"]);
        assert!(found.once && found.verb == Verb::Run);
        assert_eq!(found.logging.level, LogLevel::Warn);
        assert_eq!(config(&["--show"]).verb, Verb::List { model: None });
        assert!(Args::try_parse_from(["hello", "--show", "--once"]).is_err());
    }

    #[test]
    fn verbs_reach_the_config_and_take_the_flags_on_either_side() {
        assert_eq!(config(&[]).verb, Verb::Run);
        assert_eq!(config(&["run"]).verb, Verb::Run);
        assert!(config(&["run", "--once"]).once && config(&["--once", "run"]).once);
        let list = |model: Option<&str>| Verb::List { model: model.map(str::to_owned) };
        for flags in [["--db", "x.db", "list"], ["list", "--db", "x.db"]] {
            let found = config(&flags);
            assert_eq!(found.verb, list(None));
            assert!(matches!(found.core("hello"),
                CoreChoice::Embedded { database, .. } if database == Path::new("x.db")));
        }
        assert_eq!(config(&["list", "Site"]).verb, list(Some("Site")));
        let apply = |dry_run| Verb::Apply { recipe: "r.yaml".into(), dry_run };
        assert_eq!(config(&["apply", "r.yaml"]).verb, apply(false));
        assert_eq!(config(&["apply", "--dry-run", "r.yaml"]).verb, apply(true));
        let explain = Verb::Explain { model: "Site".to_owned(), object: "my site".to_owned() };
        assert_eq!(config(&["explain", "Site", "my site"]).verb, explain);
        assert_eq!(config(&["core", "--log-level", "debug"]).logging.level, LogLevel::Debug);
    }

    #[test]
    fn verbs_that_make_no_sense_are_refused() {
        let refused = |flags: &[&str]| {
            let args = Args::try_parse_from([&["hello"], flags].concat()).unwrap();
            args.into_config_with(&Environment::empty()).unwrap_err().to_string()
        };
        assert!(refused(&["list", "--once"]).contains("--once"));
        assert!(refused(&["--show", "core"]).contains("--show"));
        for flags in [&["lsit"][..], &["apply"], &["explain", "Site"], &["apply", "a", "b"]] {
            assert!(Args::try_parse_from([&["hello"], flags].concat()).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn a_database_flag_means_the_embedded_core_whatever_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, "accessor: {endpoint: 'xos-core:50051', username: u}\n").unwrap();
        let found = config(&["-C", file.to_str().unwrap(), "--db", "x.db"]);
        assert_eq!(found.accessor.kind, AccessorKind::Embedded);
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    }

    #[test]
    fn a_level_flag_counts_for_each_output() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        let text = "logging: {handlers: {a: {class: logging.StreamHandler, level: ERROR}}}\n";
        std::fs::write(&file, text).unwrap();
        let logging = config(&["-C", file.to_str().unwrap(), "--log-level", "debug"]).logging;
        assert_eq!((logging.level, logging.outputs[0].level), (LogLevel::Debug, LogLevel::Debug));
        assert_eq!(logging.outputs[0].target, LogTarget::Stderr);
    }

    #[test]
    fn an_authors_own_parser_keeps_its_own_words() {
        let own = Own::try_parse_from(["greeter", "--recipe", "r.yaml", "--once"]).unwrap();
        assert_eq!(own.recipe.as_deref(), Some(Path::new("r.yaml")));
        assert!(own.args.once);
        let own =
            Own::try_parse_from(["greeter", "--recipe", "r.yaml", "list", "Site", "--db", "x.db"]).unwrap();
        assert_eq!(own.args.verb, Some(Verb::List { model: Some("Site".to_owned()) }));
        assert_eq!(own.args.db.as_deref(), Some(Path::new("x.db")));
        let help = Own::command().render_help().to_string();
        assert!(help.starts_with("An author's own command line\n"), "{help}");
        for flag in
            ["-C, --config <PATH>", "--db <PATH>", "--once", "--show", "--log-level <LEVEL>", "--recipe"]
        {
            assert!(help.contains(flag), "{help}");
        }
    }
}
