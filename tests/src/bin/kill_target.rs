//! A synchronizer that is killed: 1,000 objects that change all the time, and two files that say what happened.
//!
//! `kill_target DATABASE FOLDER SEED` changes objects until it is killed; with `fill` instead of a seed it creates them and
//! stops, with `drain` it changes nothing and stops when nothing is ready. `FOLDER/steps` gets a line before each step has an effect, `FOLDER/acks` one before each deletion
//! and one after each write was acknowledged. Both are written without a buffer, so that they survive `kill -9` as a real effect outside would.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use xos_core::{EmbeddedCore, Options};
use xos_sync::model_client::{Caller, Deleted, ModelAccessor, ModelClient};
use xos_sync::prelude::*;
use xos_sync::{Error, Result, run_on, tokio};

/// How many objects there are.
const OBJECTS: usize = 1_000;

/// How many clients change them at once.
const CLIENTS: u64 = 4;

/// Something outside that has a number.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "kill-target")]
struct Thing {
    #[xos(base)]
    base: XosBase,
    /// The number; it only grows
    #[xos(number = 1)]
    value: i32,
}

struct SyncThing {
    steps: File,
}

impl SyncThing {
    fn note(&self, what: &str, id: ObjectId) -> StepResult {
        (&self.steps).write_all(format!("{what} {id}\n").as_bytes())?;
        Ok(())
    }
}

impl SyncStep for SyncThing {
    type Model = Thing;

    async fn sync_record(&self, _ctx: &Context, o: &mut Thing) -> StepResult {
        self.note("sync", o.id)?;
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &Thing) -> StepResult {
        self.note("delete", o.id)
    }
}

#[xos_sync::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, database, folder, seed] = args.as_slice() else {
        return Err(Error::other("expected: kill_target DATABASE FOLDER SEED"));
    };
    let core: Arc<dyn ModelAccessor> = Arc::new(EmbeddedCore::open(Path::new(database), Options::default())?);
    let service = Synchronizer::new("kill-target").sync_step(SyncThing { steps: append(folder, "steps")? });
    let mut config = Config::in_memory();
    if seed == "fill" || seed == "drain" {
        config.once = true;
        run_on(core.clone(), config, service, std::future::pending()).await?;
        return if seed == "fill" { fill(core, append(folder, "acks")?).await } else { Ok(()) };
    }
    let seed: u64 = seed.parse().map_err(Error::other)?;
    let run = tokio::spawn(run_on(core.clone(), config, service, std::future::pending()));
    for client in 0..CLIENTS {
        let driver = Driver {
            client: ModelClient::new(core.clone(), Caller::Client),
            acks: append(folder, "acks")?,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(client << 8) | 1,
            number: client,
        };
        tokio::spawn(driver.drive());
    }
    run.await.map_err(Error::other)?
}

async fn fill(core: Arc<dyn ModelAccessor>, acks: File) -> Result<()> {
    let client = ModelClient::new(core, Caller::Client);
    let driver = Driver { client, acks, random: 1, number: 0 };
    for _ in 0..OBJECTS {
        let thing = driver.client.create(Thing::default()).await?;
        driver.note("create", thing.id, thing.value);
    }
    Ok(())
}

fn append(folder: &str, name: &str) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(Path::new(folder).join(name)).map_err(Error::other)
}

struct Driver {
    client: ModelClient,
    acks: File,
    random: u64,
    /// Each object is changed by one client only, so that its number grows.
    number: u64,
}

impl Driver {
    fn next(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below.max(1) as u64) as usize
    }

    fn note(&self, what: &str, id: ObjectId, value: i32) {
        // The test reads only what could be written.
        let _ = (&self.acks).write_all(format!("{what} {id} {value}\n").as_bytes());
    }

    /// Creates, changes and deletes objects at random, for ever.
    async fn drive(mut self) {
        loop {
            // The models may not be loaded yet in the first moments.
            let Ok(mut things) = self.client.objects::<Thing>().all().await else {
                tokio::task::yield_now().await;
                continue;
            };
            if things.len() < OBJECTS {
                if let Ok(thing) = self.client.create(Thing::default()).await {
                    self.note("create", thing.id, thing.value);
                }
                if self.next(20) > 0 {
                    continue;
                }
            }
            things.retain(|thing| thing.id.get() as u64 % CLIENTS == self.number);
            for _ in 0..50 {
                let at = self.next(things.len());
                let Some(thing) = things.get_mut(at) else { break };
                if self.random.is_multiple_of(10) {
                    // It may happen without being acknowledged.
                    self.note("deleting", thing.id, thing.value);
                    if let Ok(Deleted::Yes) = self.client.delete(thing).await {
                        self.note("delete", thing.id, thing.value);
                    }
                } else {
                    thing.value += 1;
                    if self.client.save(thing).await.is_ok() {
                        self.note("update", thing.id, thing.value);
                    }
                }
            }
        }
    }
}
