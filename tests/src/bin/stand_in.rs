//! Runs the stand-in of a core until it is stopped: to try a program by hand, without a core.
//!
//! `cargo run -p xos-sync-tests --bin stand_in` prints where it listens, and where the certificate of its CA is. A line
//! `counts` on its standard input prints how often each method was called since the last time.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use xos_model_client::models::Site;
use xos_model_client::{ModelDef, xproto};
use xos_sync_tests::stand_in::{BoxError, LoadRequest, Options, StandIn};

/// A stand-in for the XOS core 4.0.4: its wire over the embedded core, in memory.
#[derive(Parser)]
struct Flags {
    /// Take as long as a real core for a restart (5 s and 30 s) and for the reaper (5 s), not 1, 3 and 1 s.
    #[arg(long)]
    slow: bool,
    /// Create this many sites.
    #[arg(long, default_value_t = 0, value_name = "COUNT")]
    sites: usize,
    /// Take this long for each call, in milliseconds.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    latency: u64,
    /// Work on this many calls at once.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    workers: usize,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let flags = Flags::parse();
    let times = if flags.slow {
        Options::default()
    } else {
        Options {
            shutdown_delay: Duration::from_secs(1),
            away: Duration::from_secs(3),
            reap_every: Duration::from_secs(1),
            ..Options::default()
        }
    };
    let core = StandIn::start(Options {
        models_of: Arc::new(models_of),
        latency: Duration::from_millis(flags.latency),
        workers: flags.workers,
        journal: 200_000,
        ..times
    })
    .await?;
    let client = core.client();
    for number in 0..flags.sites {
        let name = format!("site{number}");
        let abbreviated_name = name.clone();
        let site = Site { login_base: name.clone(), abbreviated_name, name, ..Site::default() };
        client.create(site).await?;
    }
    let authority = std::env::temp_dir().join(format!("stand-in-{}.crt", std::process::id()));
    std::fs::write(&authority, core.authority())?;
    println!("plaintext {}", core.uri());
    println!("tls       {}", core.secure_uri());
    println!("ca_file   {}", authority.display());
    println!("user      admin@opencord.org, password letmein");
    let stopped = tokio::select! {
        stopped = tokio::signal::ctrl_c() => stopped,
        asked = answer(&core) => asked,
    };
    std::fs::remove_file(authority)?;
    Ok(stopped?)
}

/// Answers what is asked on the standard input; at its end there is nobody left to ask.
async fn answer(core: &StandIn) -> std::io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        if line.trim() == "counts" {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for call in core.calls() {
                *counts.entry(call.method).or_default() += 1;
            }
            core.forget_calls();
            println!("{}", serde_json::to_string(&counts)?);
        }
    }
    std::future::pending().await
}

/// The models of a load, by its xproto.
fn models_of(request: &LoadRequest) -> Result<Vec<ModelDef>, String> {
    let files = request.files.xprotos.iter().map(|file| (file.name.as_str(), file.contents.as_str()));
    let document = xproto::parse_files(files).map_err(|errors| errors.to_string())?;
    document.models().map_err(|findings| findings.to_string())
}
