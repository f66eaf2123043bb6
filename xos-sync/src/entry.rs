//! What `#[xos_sync::main]` and `#[xos_sync::test]` expand to.

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use tokio::runtime::Builder;

use crate::error::Error;

/// Runs a program's `main`: sets up the runtime, and prints an error as a readable chain.
pub fn run_main<T, F>(main: F) -> ExitCode
where
    F: Future<Output = Result<T, Error>>,
{
    run(&mut Builder::new_multi_thread(), main)
}

/// The same with this many workers; with 0 everything runs on the thread of `main`.
pub fn run_main_with<T, F>(workers: usize, main: F) -> ExitCode
where
    F: Future<Output = Result<T, Error>>,
{
    run(&mut builder(workers), main)
}

fn builder(workers: usize) -> Builder {
    if workers == 0 {
        return Builder::new_current_thread();
    }
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers);
    builder
}

fn run<T>(builder: &mut Builder, main: impl Future<Output = Result<T, Error>>) -> ExitCode {
    let runtime = match builder.enable_all().build() {
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
pub fn run_test<F: Future>(test: F) -> F::Output {
    run_test_with(0, test)
}

/// The same with this many workers; with 0 everything runs on the test's thread.
///
/// # Panics
///
/// When there is no memory for a runtime.
#[allow(clippy::expect_used, reason = "a test without a runtime has failed")]
pub fn run_test_with<F: Future>(workers: usize, test: F) -> F::Output {
    builder(workers).enable_all().build().expect("a runtime for the test").block_on(test)
}

fn failed(error: &Error) -> ExitCode {
    // Standard error may be closed; the exit code still says it.
    let _ = writeln!(std::io::stderr(), "error: {}", error.chain());
    error.exit_code()
}
