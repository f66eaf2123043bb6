//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// The hello-world synchronizer of the XOS tutorial: edit the recipe, and watch it keep up.
#[derive(Parser, Debug)]
#[command(name = "hello_world", version)]
pub(crate) struct Flags {
    /// What every synchronizer has.
    #[command(flatten)]
    pub(crate) args: xos_sync::Args,
    /// The recipe to apply, and to apply again whenever it changes
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/hello-world.yaml"))]
    pub(crate) recipe: PathBuf,
    /// Play seven scenes on a temporary database, and check each
    #[arg(long, conflicts_with_all = ["config", "db", "once", "show", "recipe"])]
    pub(crate) tour: bool,
}

/// The flags of this program; ends it after `--help`, `--version` or a wrong flag.
pub(crate) fn parse() -> Flags {
    Flags::parse()
}
