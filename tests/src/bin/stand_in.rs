//! Runs the stand-in of a core until it is stopped: to try a program by hand, without a core.
//!
//! `cargo run -p xos-sync-tests --bin stand_in -- [--port-file FILE] [--slow]` prints where it listens and where its CA
//! certificate is. `--slow` restarts as slowly as a real core after a load.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::sync::Arc;
use std::time::Duration;

use xos_model_client::xproto;
use xos_sync_tests::stand_in::{BoxError, LoadRequest, Options, StandIn};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let slow = std::env::args().any(|argument| argument == "--slow");
    let options = if slow {
        Options::default()
    } else {
        Options {
            shutdown_delay: Duration::from_secs(1),
            away: Duration::from_secs(3),
            reap_every: Duration::from_secs(1),
            ..Options::default()
        }
    };
    let core = StandIn::start(Options { models_of: Arc::new(models_of), ..options }).await?;
    let authority = std::env::temp_dir().join(format!("stand-in-{}.crt", std::process::id()));
    std::fs::write(&authority, core.authority())?;
    println!("plaintext {}", core.uri());
    println!("tls       {}", core.secure_uri());
    println!("ca_file   {}", authority.display());
    println!("user      admin@opencord.org, password letmein");
    tokio::signal::ctrl_c().await?;
    std::fs::remove_file(authority)?;
    Ok(())
}

/// The models of a load, by its xproto.
fn models_of(request: &LoadRequest) -> Result<Vec<xos_model_client::ModelDef>, String> {
    let files = request.files.xprotos.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let document = xproto::parse_files(files).map_err(|errors| errors.to_string())?;
    document.models().map_err(|findings| findings.to_string())
}
