//! The command line of a synchronizer: alone, or flattened into an author's own parser.

use std::path::PathBuf;

use crate::config::LogLevel;

// The comment of a flattened struct would become the author's `about`: hence no doc comment for clap to find.
#[allow(missing_docs, reason = "documented by the attribute below, which clap does not read")]
#[cfg_attr(doc, doc = "The flags every synchronizer has.")]
#[derive(clap::Parser, Clone, Debug, Default)]
#[non_exhaustive]
pub struct Args {
    /// Config file (default: the one XOS_CONFIG_FILE names, else the embedded core)
    #[arg(short = 'C', long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Use the embedded core with this database file, whatever the config file says
    #[arg(long, value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// Stop when nothing is ready: exit code 0 if all is OK, 1 if an object failed or is deferred
    #[arg(long)]
    pub once: bool,
    /// Print the objects with their status and stop
    #[arg(long, conflicts_with = "once")]
    pub show: bool,
    /// Least important lines to log
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub log_level: Option<LogLevel>,
}
