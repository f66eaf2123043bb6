//! `kill -9` while clients write: nothing that was acknowledged is missing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_model_client::models::Service;
use xos_model_client::{Caller, ModelClient};

use crate::program::{PASSWORD, Program};
use crate::until;

const CLIENTS: usize = 8;

/// How many acknowledged writes each round waits for before the kill.
const WRITES: usize = 160;

/// What was acknowledged: the services by name, and the last version of each that was.
type Acknowledged = Arc<Mutex<BTreeMap<String, u64>>>;

/// How this client reaches the server.
pub(crate) fn way_to(server: &Program, number: usize) -> CoreOptions {
    // Half of them by the socket, half by the network with a password.
    let mut options = if number.is_multiple_of(2) {
        CoreOptions::new(format!("unix:{}", server.socket().display()))
    } else {
        CoreOptions::new(format!("http://{}", server.address()))
    };
    if !number.is_multiple_of(2) {
        options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal(PASSWORD)));
    }
    options
}

async fn client(server: &Program, number: usize) -> ModelClient {
    let core = CoreClient::new(way_to(server, number)).unwrap();
    tokio::time::timeout(Duration::from_secs(60), core.ready()).await.unwrap().unwrap();
    ModelClient::new(Arc::new(core), Caller::Client)
}

/// Creates services and changes them, until the server is gone.
async fn write(client: ModelClient, name: String, acknowledged: Acknowledged, count: Arc<AtomicUsize>) {
    let told = |name: &str, version| {
        acknowledged.lock().unwrap().insert(name.to_owned(), version);
        count.fetch_add(1, Ordering::Relaxed);
    };
    for number in 0.. {
        let name = format!("{name}-{number}");
        let new = Service { name: name.clone(), version_number: Some("0".into()), ..Default::default() };
        let Ok(mut service) = client.create(new).await else { return };
        told(&name, 0);
        for version in 1..3 {
            service.version_number = Some(version.to_string());
            if client.save(&mut service).await.is_err() {
                return;
            }
            told(&name, version);
        }
    }
}

/// Kills the server of this database again and again while clients write. The argument is what `--db` takes.
pub(crate) async fn nothing_acknowledged_is_missing(db: &str, folder: &Path) {
    let socket = folder.join("s");
    let args = ["--listen", "127.0.0.1:0", "--unix", socket.to_str().unwrap()];
    let acknowledged = Acknowledged::default();
    for round in 0..3 {
        let server = Program::serve(db, &args);
        let count = Arc::new(AtomicUsize::new(0));
        let mut writers = Vec::new();
        for number in 0..CLIENTS {
            let client = client(&server, number).await;
            let name = format!("r{round}c{number}");
            writers.push(tokio::spawn(write(client, name, acknowledged.clone(), count.clone())));
        }
        until("enough is written", || count.load(Ordering::Relaxed) >= WRITES + round * 37).await;
        server.kill();
        for mut writer in writers {
            // One that looks for what became of its last write would do so for a minute; it was not acknowledged.
            match tokio::time::timeout(Duration::from_secs(1), &mut writer).await {
                Ok(ended) => ended.unwrap(),
                Err(_) => writer.abort(),
            }
        }
    }
    let server = Program::serve(db, &args);
    let found = client(&server, 0).await.objects::<Service>().all().await.unwrap();
    let found: BTreeMap<String, u64> = found
        .into_iter()
        .map(|service| {
            (service.name.clone(), service.version_number.as_deref().unwrap_or("0").parse().unwrap())
        })
        .collect();
    let acknowledged = acknowledged.lock().unwrap();
    for (name, version) in acknowledged.iter() {
        let stored = found.get(name);
        assert!(
            stored.is_some_and(|stored| stored >= version),
            "{name} {version} was acknowledged, {stored:?} found"
        );
    }
    println!("{} services acknowledged, {} found", acknowledged.len(), found.len());
    assert!(acknowledged.len() > 3 * WRITES / 3, "the test did something");
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("core.db");
    nothing_acknowledged_is_missing(db.to_str().unwrap(), folder.path()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_on_postgres() {
    let Some(cluster) = crate::several::cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    nothing_acknowledged_is_missing(&cluster.url(""), folder.path()).await;
}
