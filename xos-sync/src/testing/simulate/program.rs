//! The program under test, started, stopped, killed and started again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use xos_core::EmbeddedCore;

use super::backend::Backend;
use super::door::{CoreKind, Door};
use super::handlers::watched;
use super::oracle::Oracle;
use super::random::Random;
use super::trouble::{Trouble, Weather};
use super::world::{Life, World};
use crate::config::Config;
use crate::run::run_on;
use crate::shell::clock::pretend_now;
use crate::shell::sabotage::{Sabotage, sabotage};
use crate::synchronizer::Synchronizer;

/// The longest time between a death and the next start.
const DOWN: Duration = Duration::from_secs(30);

/// Makes the synchronizer under test.
pub(super) type Make = dyn Fn(Backend) -> Synchronizer + Send + Sync;

/// How the program is run in one world.
pub(super) struct Setting {
    pub(super) make: Arc<Make>,
    pub(super) config: Config,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) core: CoreKind,
}

/// The program in its world.
pub(super) struct Program {
    pub(super) world: Arc<World>,
    setting: Setting,
    running: Option<Running>,
    /// When it is started again.
    start_at: Option<Instant>,
    clock_shift: i64,
}

struct Running {
    life: Arc<Life>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<crate::Result<()>>,
}

impl Program {
    pub(super) fn new(world: Arc<World>, setting: Setting) -> Self {
        Program { world, setting, running: None, start_at: None, clock_shift: 0 }
    }

    pub(super) fn start(&mut self) {
        self.start_at = None;
        if self.running.is_some() {
            return;
        }
        if self.world.weather.strikes(Trouble::ProgramClock) {
            self.clock_shift = self.world.any_shift();
        }
        pretend_now(Some(self.world.time(self.clock_shift)));
        sabotage(self.setting.sabotage);
        let life = Life::new(self.world.clone());
        let mut service = (self.setting.make)(Backend::new(life.clone()));
        // Its models are there, and so are the objects: clients make them.
        service.recipe = None;
        let service = watched(&life, service);
        let door = Arc::new(Door { life: life.clone(), kind: self.setting.core });
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            let _ = stopped.await;
        };
        let task = tokio::spawn(run_on(door, self.setting.config.clone(), service, stopped));
        self.running = Some(Running { life, stop, task });
    }

    /// Whether it runs now.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Lets time pass. What dies meanwhile is buried, and started again.
    pub(super) async fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let start_at = self.start_at;
            let restart = async {
                match start_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let Some(running) = &mut self.running else {
                tokio::select! {
                    biased;
                    () = restart => self.start(),
                    () = sleep_until(until) => return,
                }
                continue;
            };
            tokio::select! {
                biased;
                () = running.life.death() => self.bury().await,
                end = &mut running.task => self.ended(end),
                () = sleep_until(until) => return,
            }
        }
    }

    /// It died: all that is left of it goes.
    async fn bury(&mut self) {
        if let Some(running) = self.running.take() {
            running.task.abort();
            let _ = running.task.await;
        }
        self.start_later();
    }

    /// It ended without having been asked to.
    fn ended(&mut self, end: Result<crate::Result<()>, tokio::task::JoinError>) {
        if let Some(running) = self.running.take() {
            running.life.end();
        }
        self.judge_end(&end, false);
        self.start_later();
    }

    fn judge_end(&self, end: &Result<crate::Result<()>, tokio::task::JoinError>, was_asked: bool) {
        let calm = self.world.weather.is_calm();
        let holds = match end {
            Ok(Ok(())) => was_asked,
            // At its start it may find no core: whoever runs it starts it again.
            Ok(Err(_)) => !calm,
            Err(_) => false,
        };
        self.world.judge.check(Oracle::KeepsRunning, holds, || match end {
            Ok(Ok(())) => "the program ended by itself".to_owned(),
            Ok(Err(error)) => format!("the program ended by itself: {error}"),
            Err(error) => format!("the program panicked: {error}"),
        });
    }

    fn start_later(&mut self) {
        let down =
            if self.world.weather.is_calm() { Duration::from_secs(1) } else { self.world.random.time(DOWN) };
        self.start_at = Some(Instant::now() + down);
    }

    /// It dies now, if it runs.
    pub(super) async fn kill(&mut self) {
        if let Some(running) = &self.running {
            running.life.die();
            self.bury().await;
        }
    }

    /// It is asked to stop, and ends. It is not started again by itself.
    pub(super) async fn stop(&mut self) {
        let Some(Running { life, stop, mut task }) = self.running.take() else { return };
        self.start_at = None;
        let _ = stop.send(());
        tokio::select! {
            biased;
            // It may die on its way.
            () = life.death() => {
                task.abort();
                let _ = task.await;
            }
            end = &mut task => {
                life.end();
                self.judge_end(&end, true);
            }
        }
    }
}

/// The synchronizer, only to look at what it consists of.
pub(super) fn look_at(make: &Make, core: &EmbeddedCore) -> Result<Synchronizer, String> {
    let world = World::new(Random::new(0), Weather::calm(Random::new(0)), core);
    let life = Life::new(Arc::new(world.map_err(|error| error.to_string())?));
    let service = catch_unwind(AssertUnwindSafe(|| make(Backend::new(life))));
    service.map_err(|panic| format!("the synchronizer cannot be made: {}", super::panic_text(panic.as_ref())))
}
