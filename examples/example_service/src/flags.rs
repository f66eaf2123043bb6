//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::place::Ssh;

/// The ExampleService of the XOS tutorial: shows a message on a web page, written by Ansible.
#[derive(Parser, Debug)]
#[command(name = "example_service", version)]
pub(crate) struct Flags {
    /// What every synchronizer has.
    #[command(flatten)]
    pub(crate) args: xos_sync::Args,
    /// The recipe to apply, and to apply again whenever it changes
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/example-service.yaml"))]
    pub(crate) recipe: PathBuf,
    /// Another host.
    #[command(flatten)]
    pub(crate) ssh: Ssh,
}

/// The flags of this program; ends it after `--help`, `--version` or a wrong flag.
pub(crate) fn parse() -> Flags {
    Flags::parse()
}
