//! A second process that changes objects over the socket, and remembers what it was promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use xos_sync::model_client::{Deleted, Model as _, ModelClient, ObjectId, Record};

use crate::random::Random;
use xos_sync_tests::hello::{HelloWorldServiceInstance, greeting_named};

/// Whom the program does not greet, or later: it fails and says so.
pub(crate) const REFUSED: [&str; 2] = ["Joffrey Baratheon", "Tyrion Lannister"];

/// How many change objects at once, each of them its own ones.
pub(crate) const CLIENTS: usize = 4;

/// How much is known of something that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    No,
    /// Asked for, without an answer.
    Maybe,
    /// The program said that it is so.
    Acknowledged,
}

/// An object as it has to be.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) id: Option<i32>,
    pub(crate) hello_to: String,
    /// What was asked for without an answer.
    pub(crate) maybe: Option<String>,
    pub(crate) creation: Asked,
    pub(crate) deletion: Asked,
    pub(crate) version: u32,
}

impl Wanted {
    /// The object `serial` of a scene that was made with it.
    pub(crate) fn first(serial: usize) -> Self {
        Wanted {
            id: None,
            hello_to: format!("o{serial}.0"),
            maybe: None,
            creation: Asked::Acknowledged,
            deletion: Asked::No,
            version: 0,
        }
    }
}

/// All objects by serial number.
pub(crate) type Model = BTreeMap<usize, Wanted>;

/// What the clients of one round share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) model: Arc<Mutex<Model>>,
    pub(crate) acknowledged: Arc<AtomicU64>,
    pub(crate) stop: tokio::sync::watch::Receiver<bool>,
}

/// One of the clients.
pub(crate) struct Driver {
    pub(crate) client: ModelClient,
    pub(crate) shared: Shared,
    pub(crate) random: Random,
    pub(crate) number: usize,
}

/// Some error: the round is over for this client.
struct Over;

impl Driver {
    /// Creates, changes and deletes until it is told to stop, or nobody answers any more.
    pub(crate) async fn drive(mut self) {
        let mut stop = self.shared.stop.clone();
        while !*stop.borrow_and_update() {
            if self.some().await.is_err() {
                return;
            }
        }
    }

    async fn some(&mut self) -> Result<(), Over> {
        for _ in 0..=self.random.below(2) {
            self.create().await?;
        }
        let chosen = self.choose();
        let ids: Vec<ObjectId> = chosen.iter().map(|(_, id)| ObjectId::new(*id)).collect();
        let found = self.client.accessor().get(HelloWorldServiceInstance::shape(), &ids).await;
        for ((serial, _), record) in chosen.into_iter().zip(found.map_err(|_| Over)?) {
            if let Some(record) = record {
                self.change(serial, record).await?;
            }
        }
        Ok(())
    }

    /// Some live objects that are this client's.
    fn choose(&mut self) -> Vec<(usize, i32)> {
        let model = self.shared.model.lock().unwrap();
        let Some((last, _)) = model.last_key_value() else { return Vec::new() };
        let mut chosen = Vec::new();
        for _ in 0..20 {
            let serial = self.random.below(last / CLIENTS + 1) * CLIENTS + self.number;
            let wanted = model.get(&serial).filter(|wanted| wanted.deletion == Asked::No);
            if let Some(id) = wanted.and_then(|wanted| wanted.id)
                && chosen.iter().all(|(other, _)| *other != serial)
            {
                chosen.push((serial, id));
            }
        }
        chosen
    }

    async fn create(&mut self) -> Result<(), Over> {
        let (serial, wanted) = {
            let mut model = self.shared.model.lock().unwrap();
            let last = model.last_key_value().map_or(0, |(last, _)| *last);
            let serial = (last / CLIENTS + 1) * CLIENTS + self.number;
            let wanted = Wanted { creation: Asked::Maybe, ..Wanted::first(serial) };
            model.insert(serial, wanted.clone());
            (serial, wanted)
        };
        let made = self.client.create(greeting_named(&format!("o{serial}"), &wanted.hello_to)).await;
        let made = made.map_err(|_| Over)?;
        self.told(serial, |wanted| {
            wanted.id = Some(made.id.get());
            wanted.creation = Asked::Acknowledged;
        });
        Ok(())
    }

    async fn change(&mut self, serial: usize, record: Record) -> Result<(), Over> {
        let mut object = HelloWorldServiceInstance::from_record(record).map_err(|_| Over)?;
        let choice = self.random.below(100);
        if choice < 12 {
            self.note(serial, |wanted| wanted.deletion = Asked::Maybe);
            if let Deleted::Yes = self.client.delete(&object).await.map_err(|_| Over)? {
                self.told(serial, |wanted| wanted.deletion = Asked::Acknowledged);
            }
            return Ok(());
        }
        let refused = REFUSED.get(choice - 12).filter(|_| self.random.below(2) == 0);
        let mut next = String::new();
        self.note(serial, |wanted| {
            wanted.version += 1;
            next = refused.map_or_else(|| format!("o{serial}.{}", wanted.version), |name| (*name).to_owned());
            wanted.maybe = Some(next.clone());
        });
        object.hello_to.clone_from(&next);
        self.client.save(&mut object).await.map_err(|_| Over)?;
        self.told(serial, |wanted| {
            wanted.hello_to = next;
            wanted.maybe = None;
        });
        Ok(())
    }

    fn note(&self, serial: usize, change: impl FnOnce(&mut Wanted)) {
        if let Some(wanted) = self.shared.model.lock().unwrap().get_mut(&serial) {
            change(wanted);
        }
    }

    fn told(&self, serial: usize, change: impl FnOnce(&mut Wanted)) {
        self.note(serial, change);
        self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}
