//! The program's way to the core, with its troubles.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::mpsc;
use xos_model_client::{
    Abilities, Caller, Change, Cursor, Error, ErrorKind, Feed, Found, ModelAccessor, ModelName, ObjectId,
    ObjectKey, Onboard, Onboarded, Op, Page, Query, Record, Result, Schema, Shape, Target, Timestamp, Value,
    Write, Written,
};

use super::trouble::Trouble;
use super::world::Life;
use crate::engine::Lane;

/// The longest that a call or an answer is late.
const LATE: Duration = Duration::from_secs(20);

/// The longest that a change is told late.
const TOLD_LATE: Duration = Duration::from_secs(60);

/// What the core can do.
#[derive(Clone, Copy, Debug)]
pub(super) struct CoreKind {
    /// All writes of a call are one transaction.
    pub(super) atomic: bool,
    /// It tells what changes; else it has to be asked again and again.
    pub(super) push: bool,
}

/// The way to the core of one life of the program.
pub(super) struct Door {
    pub(super) life: Arc<Life>,
    pub(super) kind: CoreKind,
}

impl Door {
    fn core(&self) -> &xos_core::EmbeddedCore {
        &self.life.world.core
    }

    /// What goes wrong before a call reaches the core.
    async fn before(&self) -> Result<()> {
        let world = &self.life.world;
        self.life.point().await;
        if world.weather.strikes(Trouble::CallLate) {
            tokio::time::sleep(world.random.time(LATE)).await;
            self.life.point().await;
        }
        if world.is_core_away() {
            return Err(Error::away("the core is away (simulated)"));
        }
        if world.weather.strikes(Trouble::CallLost) {
            return Err(Error::away("the call was lost (simulated)"));
        }
        Ok(())
    }

    /// What goes wrong after the core did it.
    async fn after(&self, is_read: bool) -> Result<()> {
        let world = &self.life.world;
        self.life.point().await;
        if is_read && world.weather.strikes(Trouble::StaleRead) {
            tokio::time::sleep(world.random.time(LATE)).await;
            self.life.point().await;
        }
        let is_lost = world.weather.strikes(Trouble::AnswerLost);
        if is_lost || world.is_core_away() {
            let reason = "the answer was lost (simulated)".to_owned();
            return Err(ErrorKind::OutcomeUnknown { reason }.into());
        }
        Ok(())
    }

    async fn read<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.before().await?;
        let answer = call.await?;
        self.after(true).await?;
        Ok(answer)
    }

    async fn write_together(&self, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.before().await?;
        for write in &writes {
            self.watch(write);
        }
        let answers = self.core().write(writes).await;
        for answer in &answers {
            self.life.world.note(answer.as_ref().map(|written| (written.id, written.changed)).ok());
        }
        self.after(false).await?;
        Ok(answers)
    }

    /// What the engine says about an object has to be so.
    fn watch(&self, write: &Write) {
        let world = &self.life.world;
        let (Op::Set { fields, .. }, Target::Object(id), Caller::Engine) =
            (&write.op, write.target, write.by)
        else {
            return;
        };
        let Some(root) = world.schema().model(write.shape.model()).map(|model| model.root) else { return };
        let key = ObjectKey { root, id };
        let value = |name: &str| {
            let at = write.shape.position(name)?;
            fields.iter().find(|(field, _)| usize::from(*field) == at).map(|(_, value)| value)
        };
        let is_set = |name| value(name).and_then(Value::as_time).is_some_and(Timestamp::is_set);
        if is_set("enacted") {
            world.witness.is_done(&world.judge, key, Lane::Sync);
        }
        let flag = |name| value(name).and_then(Value::as_bool);
        if flag("backend_need_delete_policy") == Some(false) {
            world.witness.may_go(&world.judge, key, Lane::Policy);
        } else if is_set("policed") {
            world.witness.is_done(&world.judge, key, Lane::Policy);
        }
        if flag("backend_need_reap") == Some(true) {
            world.witness.may_go(&world.judge, key, Lane::Sync);
        }
    }
}

#[async_trait]
impl ModelAccessor for Door {
    fn abilities(&self) -> Abilities {
        let CoreKind { atomic, push } = self.kind;
        let abilities = Abilities { atomic_batch: atomic, push, ..self.core().abilities() };
        if atomic { abilities } else { Abilities { max_batch: 16, ..abilities } }
    }

    fn schema(&self) -> Arc<Schema> {
        self.core().schema()
    }

    async fn cursor(&self) -> Result<Cursor> {
        self.read(self.core().cursor()).await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.read(self.core().find(query, page)).await
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        self.read(self.core().get(shape, ids)).await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        if self.kind.atomic {
            let count = writes.len();
            return match self.write_together(writes).await {
                Ok(answers) => answers,
                Err(error) => (0..count).map(|_| Err(again(&error))).collect(),
            };
        }
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            match self.write_together(vec![write]).await {
                Ok(answer) => answers.extend(answer),
                Err(error) => answers.push(Err(error)),
            }
        }
        answers
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        let (tell, mut told) = mpsc::unbounded_channel();
        self.life.world.join_feed(tell.clone());
        let injected = stream::poll_fn(move |cx| told.poll_recv(cx));
        if !self.kind.push {
            // It keeps the feed open, and is silent.
            return injected.boxed();
        }
        let life = self.life.clone();
        let own = self.core().feed(from, models).flat_map(move |change| {
            // What the core itself does is always told: only of changed objects something may be lost.
            let changes =
                if let Change::Saved { .. } = change { troubled(&life, change, &tell) } else { vec![change] };
            stream::iter(changes)
        });
        stream::select(own, injected).boxed()
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.before().await?;
        let answer = self.core().onboard(what).await?;
        self.after(false).await?;
        Ok(answer)
    }
}

/// A change as it is told: once, twice, later, or not at all.
fn troubled(life: &Life, change: Change, later: &mpsc::UnboundedSender<Change>) -> Vec<Change> {
    let world = &life.world;
    if world.weather.strikes(Trouble::ChangeLost) {
        return Vec::new();
    }
    if world.weather.strikes(Trouble::ChangeLate) {
        let (delay, later) = (world.random.time(TOLD_LATE), later.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            // Nobody may be left to be told.
            let _ = later.send(change);
        });
        return Vec::new();
    }
    if world.weather.strikes(Trouble::ChangeTwice) {
        return vec![change.clone(), change];
    }
    vec![change]
}

/// The same fate, for another write of the same call.
fn again(error: &Error) -> Error {
    match error.kind() {
        ErrorKind::Away { reason } => Error::away(reason.clone()),
        _ => ErrorKind::OutcomeUnknown { reason: error.to_string() }.into(),
    }
}
