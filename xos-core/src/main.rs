//! The program `xos-core`: the embedded core as a server of its own.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
