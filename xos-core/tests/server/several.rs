//! Servers of a database on PostgreSQL: several on one, and one whose database goes away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use xos_model_client::grpc::CoreClient;
use xos_model_client::models::{Service, core_models};
use xos_model_client::{
    Caller, ErrorKind, Guard, LoadModels, ModelAccessor, ModelClient, ModelDef, Onboard, Op, ServiceFiles,
    Target, Value, Write,
};

use crate::postgres::Cluster;
use crate::program::Program;
use crate::until;

const CLIENTS: usize = 8;

/// How many acknowledged writes are waited for before and after each time the database is gone.
const WRITES: usize = 80;

/// A new PostgreSQL, where it is installed.
pub(crate) fn cluster() -> Option<Cluster> {
    let cluster = Cluster::start(&[]);
    if cluster.is_none() {
        crate::skipped("PostgreSQL (install: apt-get install postgresql)");
    }
    cluster
}

/// A server of this database with a socket of its own.
fn serve(db: &str, folder: &tempfile::TempDir, name: &str) -> Program {
    let socket = folder.path().join(name);
    Program::serve(db, &["--listen", "127.0.0.1:0", "--unix", socket.to_str().unwrap()])
}

async fn connected(server: &Program, number: usize) -> Arc<CoreClient> {
    let core = CoreClient::new(crate::kill::way_to(server, number)).unwrap();
    tokio::time::timeout(Duration::from_secs(60), core.ready()).await.unwrap().unwrap();
    Arc::new(core)
}

fn a_service(name: &str) -> Service {
    Service { name: name.to_owned(), ..Default::default() }
}

/// What the clients were told.
#[derive(Default)]
struct Told {
    acknowledged: BTreeSet<String>,
    /// What was refused because nothing was sent: so it is not there.
    not_sent: BTreeSet<String>,
    unknown: usize,
}

/// Creates services until it is to stop, whatever happens to the database.
async fn write(core: Arc<CoreClient>, number: usize, stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> Told {
    let client = ModelClient::new(core, Caller::Client);
    let mut told = Told::default();
    for at in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("c{number}-{at}");
        match client.create(a_service(&name)).await {
            Ok(_) => {
                told.acknowledged.insert(name);
                count.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            Err(error) => {
                assert!(error.is_interruption(), "{name}: {error}");
                match error.kind() {
                    ErrorKind::Away { .. } => drop(told.not_sent.insert(name)),
                    _ => told.unknown += 1,
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_of_postgresql() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut server = serve(&cluster.url(""), &folder, "s");
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut writers = Vec::new();
    for number in 0..CLIENTS {
        let core = connected(&server, number).await;
        writers.push(tokio::spawn(write(core, number, stop.clone(), count.clone())));
    }
    let more = async |what: &str| {
        let enough = count.load(Ordering::Relaxed) + WRITES;
        until(what, || count.load(Ordering::Relaxed) >= enough).await;
    };
    more("enough is written").await;
    for how in ["kill", "crash", "kill"] {
        cluster.tell(how);
        cluster.tell("start");
        more("what was written before is written again").await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut all = Told::default();
    for writer in writers {
        let told = writer.await.unwrap();
        all.acknowledged.extend(told.acknowledged);
        all.not_sent.extend(told.not_sent);
        all.unknown += told.unknown;
    }
    assert!(server.runs(), "the server outlives its database");
    let client = ModelClient::new(connected(&server, 0).await, Caller::Client);
    let found: Vec<String> = client
        .objects::<Service>()
        .all()
        .await
        .unwrap()
        .into_iter()
        .map(|service| service.name.clone())
        .collect();
    let there: BTreeSet<String> = found.iter().cloned().collect();
    println!(
        "{} services acknowledged, {} not sent, {} unknown, {} found",
        all.acknowledged.len(),
        all.not_sent.len(),
        all.unknown,
        found.len()
    );
    let missing: Vec<_> = all.acknowledged.difference(&there).collect();
    assert!(missing.is_empty(), "acknowledged, and not there: {missing:?}");
    let surprising: Vec<_> = all.not_sent.intersection(&there).collect();
    assert!(surprising.is_empty(), "told as not sent, and there: {surprising:?}");
    assert_eq!(there.len(), found.len(), "each once");
    assert!(found.len() <= all.acknowledged.len() + all.unknown);
    assert!(all.acknowledged.len() >= 4 * WRITES, "the test did something");
    server.signal("TERM");
    assert_eq!(server.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_are_one_core() {
    let Some(cluster) = cluster() else { return };
    let folder = tempfile::tempdir().unwrap();
    let servers = [serve(&cluster.url(""), &folder, "a"), serve(&cluster.url(""), &folder, "b")];
    // By password and by socket: the users are in the database, too.
    let cores = [connected(&servers[0], 1).await, connected(&servers[1], 1).await];
    let clients = cores.clone().map(|core| ModelClient::new(core, Caller::Client));
    for at in 0..20 {
        let (here, there) = (&clients[at % 2], &clients[(at + 1) % 2]);
        let name = format!("s{at}");
        let made = here.create(a_service(&name)).await.unwrap();
        // Without waiting for anything.
        let mut seen = there.get::<Service>(made.id).await.unwrap();
        assert_eq!(seen.name, name);
        seen.version_number = Some("2".into());
        there.save(&mut seen).await.unwrap();
        let again = here.get::<Service>(made.id).await.unwrap();
        assert_eq!(again.version_number.as_deref(), Some("2"));
        if at % 4 == 0 {
            here.delete(&made).await.unwrap();
            let left = there.objects::<Service>().all().await.unwrap();
            assert!(left.iter().all(|service| service.name != name));
        }
    }
    for (at, name) in ["Early", "Late"].into_iter().enumerate() {
        let (here, there) = (&cores[at % 2], &servers[(at + 1) % 2]);
        let like = core_models().find(|def| def.name == "XOSGuiExtension").unwrap();
        let def = ModelDef {
            name: name.into(),
            app_label: "other".into(),
            policy: None,
            plural: None,
            ..like.clone()
        };
        let load = LoadModels {
            name: name.to_lowercase(),
            version: "1".into(),
            models: vec![def],
            core_version: None,
            files: ServiceFiles::default(),
        };
        here.onboard(&Onboard::Load(load)).await.unwrap();
        // Who comes to the other one now finds the model, and can use it.
        let core = connected(there, at).await;
        let shape = core.schema().model(name).expect("the model is served").shape.clone();
        let set =
            |field: &str, value: &str| (shape.position(field).unwrap() as u16, Value::Text(value.to_owned()));
        let write = Write {
            shape: shape.clone(),
            target: Target::New,
            op: Op::Create(vec![set("name", "x"), set("files", "y")]),
            by: Caller::Client,
            guard: Guard::None,
        };
        let id = core.write(vec![write]).await.pop().unwrap().unwrap().id;
        let found = here.get(&shape, &[id]).await.unwrap();
        assert_eq!(found[0].as_ref().unwrap().get("name"), Some(&Value::Text("x".into())));
    }
}
