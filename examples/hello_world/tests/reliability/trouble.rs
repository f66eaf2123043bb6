//! Changes that are made while something is wrong: what was acknowledged stays, what was not did not happen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xos_sync::model_client::grpc::{CoreClient, CoreOptions};
use xos_sync::model_client::{Caller, ModelClient};

use crate::driver::{Model, Wanted};
use crate::inside::Inside;
use crate::oracle::{self, When, assert_none};
use crate::outside::Outside;
use crate::scene::{PATIENCE, Program, Scene};
use xos_sync_tests::hello::{HelloWorldServiceInstance, greeting_named};

/// How many changes may be made before a trouble has to be noticed: the log of the database has some room of its own.
const UNNOTICED: usize = 20_000;

/// A scene, and where its database is for who looks from here.
pub(crate) struct Place<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) database: PathBuf,
    /// The program, where its disk is no place for a second connection: it holds still while the files are copied.
    pub(crate) holds_still: Option<Pid>,
}

impl<'a> Place<'a> {
    /// A usual place.
    pub(crate) fn of(scene: &'a Scene) -> Self {
        Place { scene, database: scene.database().to_owned(), holds_still: None }
    }
}

/// A client that changes objects one after the other, and remembers what it was told.
pub(crate) struct Changes<'a> {
    place: Place<'a>,
    client: ModelClient,
    model: Model,
    outside: Outside,
    objects: Vec<HelloWorldServiceInstance>,
    count: usize,
}

impl<'a> Changes<'a> {
    /// Connects to the running program.
    pub(crate) async fn begin(place: Place<'a>) -> Self {
        let client = connect(&place).await;
        let outside = Outside::new(place.scene.log());
        Changes { place, client, model: Model::new(), outside, objects: Vec::new(), count: 0 }
    }

    /// Connects to another start of the program.
    pub(crate) async fn again(&mut self) {
        self.client = connect(&self.place).await;
    }

    /// A new object: it needs room that a change of an object may not need.
    async fn add(&mut self) -> Result<(), String> {
        let at = self.objects.len();
        self.count += 1;
        let text = format!("o{at}.{}", self.count);
        let made = self.client.create(greeting_named(&format!("o{at}"), &text)).await;
        let made = made.map_err(|error| format!("{error:?} {error}"))?;
        let wanted = Wanted { id: Some(made.id.get()), hello_to: text, ..Wanted::first(at) };
        self.model.insert(at, wanted);
        self.objects.push(made);
        Ok(())
    }

    /// One change, of an object that is there or of a new one.
    async fn make(&mut self) -> Result<(), String> {
        let at = self.count % 50;
        let Some(object) = self.objects.get_mut(at) else { return self.add().await };
        self.count += 1;
        let text = format!("o{at}.{}", self.count);
        let mut next = object.clone();
        next.hello_to.clone_from(&text);
        match self.client.save(&mut next).await {
            Ok(()) => {
                *object = next;
                self.model.get_mut(&at).unwrap().hello_to = text;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes changes until so many were acknowledged.
    pub(crate) async fn make_until_ok(&mut self, count: usize) {
        let start = Instant::now();
        let mut made = 0;
        while made < count {
            match self.make().await {
                Ok(()) => made += 1,
                Err(error) => {
                    assert!(start.elapsed() < PATIENCE, "it does not go on: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Makes objects until one is refused, and then some changes: the error.
    pub(crate) async fn make_until_refused(&mut self) -> String {
        for _ in 0..UNNOTICED {
            if let Err(error) = self.add().await {
                for _ in 0..10 {
                    // Some may still be taken, where one change needs less room than another.
                    let _ = self.make().await;
                }
                return error;
            }
        }
        panic!("{UNNOTICED} objects were made, and none was refused");
    }

    /// Reads an object over the socket.
    pub(crate) async fn read_one(&self) {
        let object = &self.objects[0];
        let read: HelloWorldServiceInstance = self.client.get(object.id).await.unwrap();
        assert_eq!(read.hello_to, object.hello_to);
    }

    /// What must hold at any moment.
    pub(crate) fn look(&mut self, when: &str) {
        let inside = self.inside();
        self.outside.read();
        let mut wrong = oracle::promises(&mut self.model, &inside);
        wrong.extend(oracle::inside_and_outside(&inside, &self.outside, When::Running));
        assert_none(&wrong, when);
        self.outside.assert_no_panic();
    }

    /// All work gets done without anybody's help, and everything is as it has to be.
    pub(crate) fn comes_to_rest(&mut self, when: &str, program: &Program) {
        let start = Instant::now();
        while self.inside().dirty() > 0 {
            assert!(start.elapsed() < PATIENCE, "{when}: it does not go on:\n{}", program.said());
            std::thread::sleep(Duration::from_millis(200));
        }
        self.look(when);
        assert_eq!(self.outside.repeated(), 0, "{when}: nobody was greeted twice");
        assert_none(&oracle::converged(&self.model, &self.inside(), &self.outside), when);
    }

    fn inside(&self) -> Inside {
        let Some(program) = self.place.holds_still else { return Inside::of(&self.place.database) };
        kill_process(program, Signal::STOP).unwrap();
        let inside = Inside::of_what_is_left(&self.place.database);
        kill_process(program, Signal::CONT).unwrap();
        inside
    }
}

async fn connect(place: &Place<'_>) -> ModelClient {
    let options = CoreOptions::new(format!("unix:{}.sock", place.database.display()));
    let core = CoreClient::new(options).unwrap();
    tokio::time::timeout(PATIENCE, core.ready()).await.unwrap().unwrap();
    ModelClient::new(Arc::new(core), Caller::Client)
}
