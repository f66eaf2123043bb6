//! What `#[xos_sync::main]` and `#[xos_sync::test]` expand to.

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use crate::error::Error;

/// Runs a program's `main`: sets up the runtime, and prints an error as a readable chain.
pub fn run_main<T, F>(main: F) -> ExitCode
where
    F: Future<Output = Result<T, Error>>,
{
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&Error::other(error)),
    };
    let result = runtime.block_on(main);
    // A step that blocks its thread must not keep the program alive.
    runtime.shutdown_background();
    match result {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Runs one test: a runtime of one thread, whose clock the test may pause.
///
/// # Panics
///
/// When there is no memory for a runtime.
#[allow(clippy::expect_used, reason = "a test without a runtime has failed")]
pub fn run_test<F: Future>(test: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for the test").block_on(test)
}

fn failed(error: &Error) -> ExitCode {
    // Standard error may be closed; the exit code still says it.
    let _ = writeln!(std::io::stderr(), "error: {}", error.chain());
    error.exit_code()
}
