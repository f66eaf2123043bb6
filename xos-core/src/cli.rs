//! The command line of `xos-core`.

mod database;
mod secret;
mod serve;
mod user;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

/// What ends a command that failed, in words for a person.
type Outcome<T = ExitCode> = Result<T, Box<dyn Error + Send + Sync>>;

/// A second signal ended the program while calls were under way.
const INTERRUPTED: u8 = 3;

/// An XOS core over SQLite or PostgreSQL, served over gRPC.
#[derive(Parser)]
#[command(name = "xos-core", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Least important lines to log, to stderr [default: info, of `user` warn]
    #[arg(long, global = true, value_name = "LEVEL", value_enum)]
    log_level: Option<LogLevel>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped as asked
  1  failed: the error says why
  2  the command line is wrong
  3  stopped at once by a second signal; calls may have been cut off";

#[derive(Subcommand)]
enum Command {
    /// Serve a database until SIGTERM or SIGINT
    Serve(serve::Serve),
    /// Add users, change their passwords, list them
    #[command(subcommand_required = true, arg_required_else_help = true)]
    User(user::User),
}

#[derive(Copy, Clone, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let Cli { command, log_level } = Cli::parse();
    let usual = if matches!(command, Command::User(_)) { LogLevel::Warn } else { LogLevel::Info };
    // Nobody else has set one up: a failure means that nothing is logged twice.
    let _ = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(log_level.unwrap_or(usual)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| {
        let outcome = runtime.block_on(async {
            match command {
                Command::Serve(serve) => serve.run().await,
                Command::User(user) => user.run().await,
            }
        });
        // What was given up is not waited for.
        runtime.shutdown_background();
        outcome
    });
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "error: {}", chain(error.as_ref()));
        ExitCode::FAILURE
    })
}

/// An error of the command line, told as clap tells its own; ends the program.
fn misuse(problem: &str) -> ! {
    Cli::command().error(clap::error::ErrorKind::ValueValidation, problem).exit()
}

/// The words of an error and of what caused it, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_well_formed() {
        Cli::command().debug_assert();
    }
}
