//! Steps that do what they like, and what they did outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_sync::model_client::Model;
use xos_sync::prelude::*;

use crate::models::{SimInstance, SimService};
use crate::random::Random;

/// The world outside the core.
#[derive(Clone)]
pub(crate) struct Outside {
    pub(crate) random: Random,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Nothing goes wrong any more.
    calm: bool,
    /// Objects a handler is at work on.
    taken: BTreeSet<Key>,
    objects: BTreeMap<Key, Traces>,
    problems: Vec<String>,
    runs: u64,
}

/// Root and id.
type Key = (&'static str, i32);

/// What is left of an object outside.
#[derive(Clone, Copy, Default)]
struct Traces {
    /// A step was started that no successful `delete_record` followed.
    touched: bool,
}

/// While it lives, a handler is at work on the object.
pub(crate) struct Taken {
    outside: Outside,
    key: Key,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.outside.state.lock().unwrap().taken.remove(&self.key);
    }
}

impl Outside {
    pub(crate) fn new(random: Random) -> Self {
        Outside { random, state: Arc::default() }
    }

    pub(crate) fn calm_down(&self) {
        self.state.lock().unwrap().calm = true;
    }

    fn is_calm(&self) -> bool {
        self.state.lock().unwrap().calm
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.state.lock().unwrap().problems.clone()
    }

    /// How many handlers were started.
    pub(crate) fn runs(&self) -> u64 {
        self.state.lock().unwrap().runs
    }

    /// Objects of a root that are there outside.
    pub(crate) fn touched(&self, root: &'static str) -> Vec<i32> {
        let state = self.state.lock().unwrap();
        let touched = state.objects.iter().filter(|((of, _), traces)| *of == root && traces.touched);
        touched.map(|((_, id), _)| *id).collect()
    }

    pub(crate) fn take(&self, key: Key, claimed: bool) -> Taken {
        let mut state = self.state.lock().unwrap();
        state.runs += 1;
        if !state.taken.insert(key) {
            state.problems.push(format!("two handlers at once on {} {}", key.0, key.1));
        }
        if !claimed {
            state.problems.push(format!("{} {} was not claimed before its step", key.0, key.1));
        }
        Taken { outside: self.clone(), key }
    }

    pub(crate) fn touch(&self, key: Key, touched: bool) {
        self.state.lock().unwrap().objects.entry(key).or_default().touched = touched;
    }

    /// Takes a while, and may go wrong.
    pub(crate) async fn act(&self, ctx: &Context) -> StepResult {
        if self.is_calm() {
            return Ok(());
        }
        if self.random.one_in(2) {
            tokio::time::sleep(self.random.millis(20_000)).await;
        }
        match self.random.below(24) {
            0 => Err("it failed".into()),
            1 => Err(StepError::failed(format!("failure {}", self.random.below(3)))),
            2 => Err(StepError::deferred("too early")),
            3 => Err(StepError::innocuous("nothing done")),
            4 => Err(StepError::failed("soon").retry_after(self.random.millis(5_000))),
            5 => panic!("a step that panics"),
            6 => {
                std::future::pending::<()>().await;
                Ok(())
            }
            7 => {
                ctx.recheck_after(self.random.millis(60_000));
                Ok(())
            }
            8 => {
                ctx.until_superseded().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A step on services.
pub(crate) struct SyncService(pub(crate) Outside);

impl SyncStep for SyncService {
    type Model = SimService;

    async fn sync_record(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        let _taken = self.0.take(("Service", o.id.get()), o.backend_need_delete);
        self.0.touch(("Service", o.id.get()), true);
        self.0.act(ctx).await
    }

    async fn delete_record(&self, ctx: &Context, o: &SimService) -> StepResult {
        let _taken = self.0.take(("Service", o.id.get()), true);
        self.0.act(ctx).await?;
        self.0.touch(("Service", o.id.get()), false);
        Ok(())
    }
}

/// A step on instances, which reads and sometimes writes the core.
pub(crate) struct SyncInstance(pub(crate) Outside);

impl SyncStep for SyncInstance {
    type Model = SimInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut SimInstance) -> StepResult {
        let _taken = self.0.take(("ServiceInstance", o.id.get()), o.backend_need_delete);
        self.0.touch(("ServiceInstance", o.id.get()), true);
        let owner: SimService = ctx.leaf(&o.owner).await?;
        self.0.act(ctx).await?;
        if !self.0.is_calm() && self.0.random.one_in(10) {
            return Err(StepError::wait_for(&o.owner).retry_after(self.0.random.millis(300_000)));
        }
        if self.0.random.one_in(3) {
            ctx.wait_for(policed(&owner).at_most(self.0.random.millis(300_000))).await?;
        }
        if self.0.random.one_in(4) {
            o.service_specific_attribute = Some(owner.note.clone());
            ctx.save(o).await?;
        }
        Ok(())
    }

    async fn delete_record(&self, ctx: &Context, o: &SimInstance) -> StepResult {
        let _taken = self.0.take(("ServiceInstance", o.id.get()), true);
        self.0.act(ctx).await?;
        self.0.touch(("ServiceInstance", o.id.get()), false);
        Ok(())
    }

    fn requested_interval(&self) -> Option<Duration> {
        Some(Duration::from_secs(900))
    }
}

/// A second handler, on the base of instances: it runs after the first.
pub(crate) struct SyncBase(pub(crate) Outside);

impl SyncStep for SyncBase {
    type Model = ServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut ServiceInstance) -> StepResult {
        let _taken = self.0.take(("ServiceInstance", o.id.get()), o.backend_need_delete);
        self.0.act(ctx).await
    }

    async fn delete_record(&self, _ctx: &Context, o: &ServiceInstance) -> StepResult {
        let _taken = self.0.take(("ServiceInstance", o.id.get()), true);
        Ok(())
    }

    fn name(&self) -> &'static str {
        ServiceInstance::MODEL_NAME
    }
}
