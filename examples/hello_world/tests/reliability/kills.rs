//! `kill -9` at random points, while a second process changes 10,000 objects.
//!
//! ```sh
//! KILLS=200 SEED=7 cargo test -p hello_world --test reliability kill_9 -- --nocapture
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;

use crate::driver::{Asked, CLIENTS, Driver, Model, REFUSED, Shared, Wanted};
use crate::inside::Inside;
use crate::oracle::{self, When, assert_none};
use crate::outside::Outside;
use crate::random::Random;
use crate::scene::{PATIENCE, Scene};
use xos_sync_tests::hello::HelloWorldServiceInstance;

/// How many objects there are at the start.
const OBJECTS: usize = 10_000;

/// How often the program is killed, unless the environment says something else.
const KILLS: u64 = 20;

/// How many changes are waited for before a kill, at most.
const CHANGES: usize = 300;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

struct Lab {
    scene: Scene,
    model: Arc<Mutex<Model>>,
    outside: Outside,
    acknowledged: Arc<AtomicU64>,
    seed: u64,
    kills_at_start: u64,
    looks: u64,
}

impl Lab {
    async fn new(seed: u64) -> Self {
        let scene = Scene::with(OBJECTS).await;
        let model = (0..OBJECTS).map(|serial| (serial, Wanted::first(serial))).collect();
        let outside = Outside::new(scene.log());
        let mut lab = Lab {
            scene,
            model: Arc::new(Mutex::new(model)),
            outside,
            acknowledged: Arc::default(),
            seed,
            kills_at_start: 0,
            looks: 0,
        };
        lab.look_at_what_is_left("before the first start");
        lab
    }

    /// One start of the program, changes, and a kill.
    async fn round(&mut self, kill: u64) {
        let mut random = Random::new(self.seed, kill);
        let program = self.scene.start();
        // Each fourth one is killed while it starts: it opens, repairs, loads, reads.
        if random.below(4) == 0 {
            self.kills_at_start += 1;
            tokio::time::sleep(Duration::from_millis(random.below(500) as u64)).await;
            program.kill();
        } else {
            let (stop, stopped) = tokio::sync::watch::channel(false);
            let mut clients = self.drive(kill, &stopped).await;
            let wanted = self.acknowledged.load(Ordering::Relaxed) + 20 + random.below(CHANGES) as u64;
            let start = Instant::now();
            while self.acknowledged.load(Ordering::Relaxed) < wanted {
                assert!(start.elapsed() < PATIENCE, "no changes are acknowledged:\n{}", program.said());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if kill.is_multiple_of(3) {
                self.look_while_it_works(kill);
            }
            tokio::time::sleep(Duration::from_micros(random.below(20_000) as u64)).await;
            program.kill();
            stop.send_replace(true);
            // Who asks what became of its last change would do so for long; it was not acknowledged.
            clients.abort_all();
            while clients.join_next().await.is_some() {}
        }
        self.look_at_what_is_left(&format!("after kill {kill} of seed {}", self.seed));
    }

    async fn drive(&self, kill: u64, stop: &tokio::sync::watch::Receiver<bool>) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        let client = self.scene.client().await;
        for number in 0..CLIENTS {
            let shared = Shared {
                model: self.model.clone(),
                acknowledged: self.acknowledged.clone(),
                stop: stop.clone(),
            };
            let random = Random::new(self.seed, kill * 100 + number as u64);
            clients.spawn(Driver { client: client.clone(), shared, random, number }.drive());
        }
        clients
    }

    fn look_while_it_works(&mut self, kill: u64) {
        self.looks += 1;
        let inside = Inside::of(self.scene.database());
        self.outside.read();
        let wrong = oracle::inside_and_outside(&inside, &self.outside, When::Running);
        assert_none(&wrong, &format!("before kill {kill} of seed {}", self.seed));
    }

    fn look_at_what_is_left(&mut self, when: &str) {
        let inside = Inside::of_what_is_left(self.scene.database());
        self.outside.read();
        let mut wrong = oracle::promises(&mut self.model.lock().unwrap(), &inside);
        wrong.extend(oracle::inside_and_outside(&inside, &self.outside, When::Dead));
        assert_none(&wrong, when);
        self.outside.assert_no_panic();
    }

    /// Whom nobody would greet is renamed; then everything has to come to rest, and to be as it was wanted.
    async fn converge(&mut self) {
        let program = self.scene.start();
        let client = self.scene.client().await;
        let refused: Vec<(usize, i32)> = {
            let model = self.model.lock().unwrap();
            let live = model.iter().filter(|(_, wanted)| wanted.deletion == Asked::No);
            let refused = live.filter(|(_, wanted)| REFUSED.contains(&wanted.hello_to.as_str()));
            refused.map(|(serial, wanted)| (*serial, wanted.id.unwrap())).collect()
        };
        for (serial, id) in &refused {
            let mut object: HelloWorldServiceInstance = client.get(*id).await.unwrap();
            object.hello_to = format!("o{serial}.last");
            client.save(&mut object).await.unwrap();
            self.model.lock().unwrap().get_mut(serial).unwrap().hello_to.clone_from(&object.hello_to);
        }
        drop(client);
        let start = Instant::now();
        while Inside::of(self.scene.database()).dirty() > 0 {
            assert!(start.elapsed() < PATIENCE, "it does not come to rest:\n{}", last_lines(&program.said()));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let (status, log) = program.stop();
        assert_eq!(status.code(), Some(0), "{}", last_lines(&log));
        self.look_at_what_is_left("at the end");
        let inside = Inside::of(self.scene.database());
        assert_none(&oracle::converged(&self.model.lock().unwrap(), &inside, &self.outside), "at the end");
        // And then it is quiet.
        let (status, log) = self.scene.start_with(&["--once"], &[]).end();
        assert!(status.success() && !log.contains("is saying hello to"), "{}", last_lines(&log));
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_acknowledged_and_forgets_nothing_outside() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = from_environment("SEED").unwrap_or(now.as_secs() % 1_000_000);
    let kills = from_environment("KILLS").unwrap_or(KILLS);
    println!("KILLS={kills} SEED={seed}");
    let start = Instant::now();
    let mut lab = Lab::new(seed).await;
    let made = start.elapsed();
    for kill in 1..=kills {
        lab.round(kill).await;
        if kill.is_multiple_of(10) {
            println!(
                "{kill} kills, {} changes, {:?}",
                lab.acknowledged.load(Ordering::Relaxed),
                start.elapsed()
            );
        }
    }
    lab.converge().await;
    let model = lab.model.lock().unwrap();
    let deleted = model.values().filter(|wanted| wanted.deletion == Asked::Acknowledged).count();
    let changes = lab.acknowledged.load(Ordering::Relaxed);
    println!(
        "{kills} kills ({} while it started), {changes} changes acknowledged, {} looks while it worked, \
         {} greetings of which {} were repeated, {} objects of which {deleted} were deleted; 0 violations; \
         {:?}, of which {made:?} to make {OBJECTS} objects",
        lab.kills_at_start,
        lab.looks,
        lab.outside.hellos(),
        lab.outside.repeated(),
        model.len(),
        start.elapsed(),
    );
    assert!(changes > kills * 20 && deleted as u64 > kills, "the test did something");
}
