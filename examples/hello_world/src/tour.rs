//! The tour: seven scenes on a temporary database, each checked through a second, read-only connection.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use xos_sync::model_client::{Caller, ModelClient};
use xos_sync::prelude::*;
use xos_sync::{Error, Result, open_read_only, run_until, tokio};

use super::{HelloWorldService, HelloWorldServiceInstance, hello_world};
use transcript::Transcript;

mod transcript;

/// How long a scene may take before it has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// The greeting that the recipe makes.
const GREETING: &str = "HelloWorld Service Instance";

/// Plays all scenes.
pub(crate) async fn play() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::other)?;
    let mut tour = Tour::new(folder.path())?;
    let scenes = tour.play().await;
    tour.stop().await?;
    match scenes {
        Ok(()) => {
            println!("\nall seven scenes went as they should");
            Ok(())
        }
        Err(error) => {
            println!("\n{}", tour.transcript.all());
            Err(error)
        }
    }
}

struct Tour {
    recipe: PathBuf,
    config: Config,
    transcript: Transcript,
    running: Option<(oneshot::Sender<()>, tokio::task::JoinHandle<Result<()>>)>,
}

/// What a scene waits for.
type Wanted = fn(&HelloWorldServiceInstance) -> bool;

impl Tour {
    fn new(folder: &Path) -> Result<Self> {
        let mut config = Config::embedded(folder.join("tour.db"));
        config.engine.first_retry = Duration::from_millis(100);
        config.engine.retry_cap = Duration::from_millis(800);
        config.engine.deferred_retry = Duration::from_millis(400);
        let recipe = folder.join("hello-world.yaml");
        Ok(Tour { recipe, config, transcript: Transcript::start()?, running: None })
    }

    async fn play(&mut self) -> Result<()> {
        let engine = &self.config.engine;
        println!("a tour of the hello-world synchronizer, on a temporary database");
        println!(
            "retries are quicker than usual: failed steps after {:?} to {:?}, deferred ones up to {:?}\n",
            engine.first_retry, engine.retry_cap, engine.deferred_retry
        );
        self.write(Some("Daenerys Targaryen"))?;
        self.start();

        self.scene(1, "models loaded, recipe applied, both objects OK")?;
        let first =
            self.wait_for("both objects are OK", |o| o.backend_code == 1 && o.backend_status == "OK").await?;
        let service: HelloWorldService = self.client().await?.leaf(&first.owner).await?;
        check(service.backend_status == "OK", "the service is OK")?;
        self.said("Jhon Snow is saying hello to Daenerys Targaryen")?;

        self.scene(2, "another name: greeted again")?;
        self.write(Some("Arya Stark"))?;
        let second = self
            .wait_for("Arya is OK", |o| o.hello_to == "Arya Stark" && o.enacted >= Some(o.updated))
            .await?;
        check(second.enacted > first.enacted, "a newer version was synchronized")?;
        self.said("Jhon Snow is saying hello to Arya Stark")?;

        self.scene(3, "Tyrion Lannister: deferred, and tried again")?;
        self.write(Some("Tyrion Lannister"))?;
        self.wait_for("the status says \"Maybe later\", code 2, two tries", |o| {
            o.backend_status.ends_with("Maybe later") && o.backend_code == 2 && failures(o) >= 2
        })
        .await?;

        self.scene(4, "Joffrey Baratheon: failed")?;
        self.write(Some("Joffrey Baratheon"))?;
        self.wait_for("the status says \"Maybe not\", code 2", |o| {
            o.backend_status.ends_with("Maybe not") && o.backend_code == 2
        })
        .await?;

        self.scene(5, "repaired: OK, and its history is cleared")?;
        self.write(Some("Sansa Stark"))?;
        let repaired =
            self.wait_for("OK, code 1", |o| o.backend_status == "OK" && o.backend_code == 1).await?;
        check(failures(&repaired) == 0, "no failure is remembered")?;

        self.scene(6, "the node leaves the recipe: delete_record runs, the object is purged")?;
        self.write(None)?;
        self.wait_until_gone(repaired.id).await?;
        self.said("HelloWorldServiceInstance has been deleted!")?;

        self.scene(7, "a restart on the same file: nothing runs")?;
        self.stop().await?;
        let before = self.transcript.count("Syncing object");
        self.config.once = true;
        run_until(self.config.clone(), hello_world().recipe(&self.recipe), std::future::pending()).await?;
        check(self.transcript.count("Syncing object") == before, "no step ran")
    }

    fn start(&mut self) {
        let (stop, stopped) = oneshot::channel();
        let run = run_until(self.config.clone(), hello_world().recipe(&self.recipe), async {
            let _ = stopped.await;
        });
        self.running = Some((stop, tokio::spawn(run)));
    }

    async fn stop(&mut self) -> Result<()> {
        let Some((stop, run)) = self.running.take() else { return Ok(()) };
        // It may have ended already: then its own error says why.
        let _ = stop.send(());
        run.await.map_err(Error::other)?
    }

    /// Writes the recipe, with this name in the greeting or without the greeting.
    fn write(&mut self, hello_to: Option<&str>) -> Result<()> {
        let sample = include_str!("../samples/hello-world.yaml");
        let text = match hello_to {
            Some(name) => sample.replace("Daenerys Targaryen", name),
            None => without_node(sample, "serviceinstance"),
        };
        self.transcript.mark();
        std::fs::write(&self.recipe, text).map_err(Error::other)
    }

    fn scene(&self, number: u8, title: &str) -> Result<()> {
        println!("scene {number}: {title}");
        // The synchronizer may have ended with an error of its own.
        match &self.running {
            Some((_, run)) if run.is_finished() => Err(Error::other("the synchronizer has ended")),
            _ => Ok(()),
        }
    }

    async fn client(&self) -> Result<ModelClient> {
        Ok(ModelClient::new(open_read_only(&self.config, "hello-world").await?, Caller::Client))
    }

    async fn wait_for(&self, what: &str, wanted: Wanted) -> Result<HelloWorldServiceInstance> {
        let start = Instant::now();
        let mut last = String::from("nothing yet");
        while start.elapsed() < PATIENCE {
            if let Some(object) = self.greeting().await {
                if wanted(&object) {
                    println!("  ok: {what}");
                    return Ok(object);
                }
                last.clear();
                let (code, status) = (object.backend_code, &object.backend_status);
                let _ = write!(last, "hello_to {:?}, code {code}, status {status:?}", object.hello_to);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Error::other(format!("expected: {what}; found after {PATIENCE:?}: {last}")))
    }

    /// The greeting, once the database and the object are there.
    async fn greeting(&self) -> Option<HelloWorldServiceInstance> {
        let client = self.client().await.ok()?;
        let greetings = client.objects::<HelloWorldServiceInstance>();
        greetings.filter(HelloWorldServiceInstance::NAME.eq(GREETING)).first().await.ok()?
    }

    async fn wait_until_gone(&self, id: ObjectId) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let found = self.client().await?.get::<HelloWorldServiceInstance>(id).await;
            if found.is_err_and(|error| error.is_not_found()) {
                println!("  ok: the object is gone");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Error::other(format!("the object is still there after {PATIENCE:?}")))
    }

    /// Whether the log has this line since the recipe was last written.
    fn said(&self, line: &str) -> Result<()> {
        check(self.transcript.since_mark().contains(line), &format!("the log says \"{line}\""))
    }
}

fn check(holds: bool, what: &str) -> Result<()> {
    if holds {
        println!("  ok: {what}");
        Ok(())
    } else {
        Err(Error::other(format!("expected: {what}")))
    }
}

/// How many failures the object's register counts.
fn failures(o: &HelloWorldServiceInstance) -> u64 {
    let register = o.backend_register.as_deref().unwrap_or_default();
    let failures = register.split("\"failures\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
    failures.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// The recipe without one of its nodes.
fn without_node(recipe: &str, node: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in recipe.lines() {
        if line.starts_with("    ") && !line.starts_with("     ") {
            inside = line.trim() == format!("{node}:");
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}
