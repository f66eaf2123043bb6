//! An accessor that fails on demand.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::broadcast;
use xos_model_client::{
    Abilities, Caller, Change, Cursor, Error, ErrorKind, Feed, Found, ModelAccessor, ModelName, ObjectId,
    Onboard, Onboarded, Op, Page, Query, Record, Result, Schema, Shape, StoreTrouble, Target, Why, Write,
    Written,
};

use super::journal::{Entry, Journal, Outcome};

/// Any accessor, with faults: errors before or after a call took effect, delays, gaps in the feed, a core that goes
/// away.
///
/// Faults come by [`Rule`]. At random, from a seed, they come in a [simulation](mod@super::simulate).
pub struct Faulty<A> {
    inner: Arc<A>,
    state: Arc<Mutex<State>>,
    feeds: broadcast::Sender<Change>,
    journal: Journal,
}

struct State {
    rules: Vec<Rule>,
    away: bool,
}

/// The kind of a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A list.
    Find,
    /// Objects by id.
    Get,
    /// A creation.
    Create,
    /// A change.
    Set,
    /// A deletion.
    Delete,
    /// Loading or unloading of models.
    Onboard,
}

impl Call {
    /// Whether it writes an object.
    pub fn is_write(self) -> bool {
        matches!(self, Call::Create | Call::Set | Call::Delete)
    }
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The core is away; nothing happened.
    Away,
    /// The answer is lost: the call **took effect**, and the caller does not know.
    AnswerLost,
    /// The core refuses it with this text.
    Refused(String),
    /// The core cannot store now, as when its disk is full; nothing happened.
    Full,
    /// It takes this much longer.
    Delay(Duration),
}

/// Which calls a fault hits.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    call: Option<Call>,
    model: Option<ModelName>,
    field: Option<String>,
    skip: usize,
    times: usize,
}

impl Rule {
    /// The next call, whatever it is.
    pub fn next(fault: Fault) -> Self {
        Rule { fault, call: None, model: None, field: None, skip: 0, times: 1 }
    }

    /// Only calls of this kind.
    pub fn call(mut self, call: Call) -> Self {
        self.call = Some(call);
        self
    }

    /// Only calls about this model, under the name that the call uses.
    pub fn model(mut self, model: impl Into<ModelName>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Only writes that set this field.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Not the first `count` such calls.
    pub fn after(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// This many calls instead of one.
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    fn hits(
        &mut self,
        call: Call,
        model: &str,
        fields: &[(String, xos_model_client::Value)],
    ) -> Option<Fault> {
        let fits = self.times > 0
            && self.call.is_none_or(|wanted| wanted == call)
            && self.model.as_ref().is_none_or(|wanted| wanted == model)
            && self.field.as_ref().is_none_or(|wanted| fields.iter().any(|(name, _)| name == wanted));
        if !fits {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.fault.clone())
    }
}

impl<A: ModelAccessor> Faulty<A> {
    /// This accessor, without faults yet.
    pub fn new(inner: A) -> Self {
        let state = State { rules: Vec::new(), away: false };
        Faulty {
            inner: Arc::new(inner),
            state: Arc::new(Mutex::new(state)),
            feeds: broadcast::Sender::new(64),
            journal: Journal::default(),
        }
    }

    /// The accessor behind it.
    pub fn inner(&self) -> &Arc<A> {
        &self.inner
    }

    /// What was asked of it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Adds a fault.
    pub fn inject(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// The core goes away: every call fails until [`come_back`](Faulty::come_back), and the feed says so.
    pub fn go_away(&self) {
        self.state().away = true;
        let error = Arc::new(Error::away("the test took it away"));
        let _ = self.feeds.send(Change::Down { error });
    }

    /// The core is back.
    pub fn come_back(&self) {
        self.state().away = false;
        let _ = self.feeds.send(Change::Up);
    }

    /// Takes the faults back that have not hit anything yet.
    pub fn mend(&self) {
        self.state().rules.clear();
    }

    /// The feed loses its place: whoever reads it has to read everything again.
    pub fn lose_changes(&self) {
        let _ = self.feeds.send(Change::Gap { why: Why::Overflow });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, call: Call, model: &str, fields: &[(String, xos_model_client::Value)]) -> Option<Fault> {
        let mut state = self.state();
        if state.away {
            return Some(Fault::Away);
        }
        state.rules.iter_mut().find_map(|rule| rule.hits(call, model, fields))
    }

    /// Makes one call with its fault.
    async fn call<T>(
        &self,
        fault: Option<Fault>,
        (model, id): (&ModelName, ObjectId),
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        match fault {
            None => call.await,
            Some(Fault::Away) => Err(Error::away("injected")),
            Some(Fault::Refused(text)) => {
                let faults = vec![xos_model_client::FieldFault::whole(text)];
                Err(Error::invalid(model.clone(), id, faults))
            }
            Some(Fault::Full) => {
                let (path, problem) = ("injected".to_owned(), "is full, nothing was stored".to_owned());
                let trouble = StoreTrouble::Passing;
                Err(ErrorKind::Store { path, problem, trouble, source: None }.into())
            }
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                call.await
            }
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(ErrorKind::OutcomeUnknown { reason: "injected: the answer is lost".to_owned() }.into())
            }
        }
    }

    fn note<T>(&self, entry: Entry, result: &Result<T>) {
        let outcome = match result {
            Ok(_) => Outcome::Ok,
            Err(error) => Outcome::Failed(error.to_string()),
        };
        self.journal.add(Entry { outcome, ..entry });
    }
}

fn entry(call: Call, model: &ModelName, id: ObjectId) -> Entry {
    Entry { call, model: model.clone(), id, fields: Vec::new(), by: Caller::Client, outcome: Outcome::Ok }
}

fn named(shape: &Shape, op: &Op) -> Vec<(String, xos_model_client::Value)> {
    let (Op::Create(fields) | Op::Set { fields, .. }) = op else { return Vec::new() };
    let name =
        |at: u16| shape.fields().get(at as usize).map(|field| field.name.to_string()).unwrap_or_default();
    fields.iter().map(|(at, value)| (name(*at), value.clone())).collect()
}

#[async_trait]
impl<A: ModelAccessor> ModelAccessor for Faulty<A> {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn schema(&self) -> Arc<Schema> {
        self.inner.schema()
    }

    /// Fails only while the core is away.
    async fn cursor(&self) -> Result<Cursor> {
        if self.state().away {
            return Err(Error::away("injected"));
        }
        self.inner.cursor().await
    }

    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let model = query.shape.model();
        let fault = self.fault(Call::Find, model, &[]);
        let result = self.call(fault, (model, ObjectId::UNSET), self.inner.find(query, page)).await;
        self.note(entry(Call::Find, model, ObjectId::UNSET), &result);
        result
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        let fault = self.fault(Call::Get, shape.model(), &[]);
        let first = ids.first().copied().unwrap_or_default();
        let result = self.call(fault, (shape.model(), first), self.inner.get(shape, ids)).await;
        for id in ids {
            self.note(entry(Call::Get, shape.model(), *id), &result);
        }
        result
    }

    /// The writes that no fault hits are made together, as they came; each other one by itself.
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut answers: Vec<Option<Result<Written>>> = Vec::with_capacity(writes.len());
        let mut entries = Vec::with_capacity(writes.len());
        let mut together = Vec::new();
        for write in writes {
            let call = match write.op {
                Op::Create(_) => Call::Create,
                Op::Set { .. } => Call::Set,
                Op::Delete => Call::Delete,
            };
            let id = if let Target::Object(id) = write.target { id } else { ObjectId::UNSET };
            let model = write.shape.model().clone();
            let fields = named(&write.shape, &write.op);
            let fault = self.fault(call, &model, &fields);
            entries.push(Entry { fields, by: write.by, ..entry(call, &model, id) });
            if fault.is_none() {
                answers.push(None);
                together.push(write);
            } else {
                let one = async {
                    self.inner.write(vec![write]).await.into_iter().next().unwrap_or_else(no_answer)
                };
                answers.push(Some(self.call(fault, (&model, id), one).await));
            }
        }
        let mut rest =
            if together.is_empty() { Vec::new() } else { self.inner.write(together).await }.into_iter();
        let answers: Vec<Result<Written>> = answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| rest.next().unwrap_or_else(no_answer)))
            .collect();
        for (entry, answer) in entries.into_iter().zip(&answers) {
            let id = answer.as_ref().map_or(entry.id, |written| written.id);
            self.note(Entry { id, ..entry }, answer);
        }
        answers
    }

    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        let injected = stream::unfold(self.feeds.subscribe(), |mut feeds| async move {
            match feeds.recv().await {
                Ok(change) => Some((change, feeds)),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    Some((Change::Gap { why: Why::Overflow }, feeds))
                }
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        });
        stream::select(self.inner.feed(from, models), injected).boxed()
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        let none = ModelName::Borrowed("");
        let fault = self.fault(Call::Onboard, &none, &[]);
        let result = self.call(fault, (&none, ObjectId::UNSET), self.inner.onboard(what)).await;
        self.note(entry(Call::Onboard, &none, ObjectId::UNSET), &result);
        result
    }
}

fn no_answer() -> Result<Written> {
    Err(ErrorKind::OutcomeUnknown { reason: "no answer to a write".to_owned() }.into())
}

impl<A> Clone for Faulty<A> {
    fn clone(&self) -> Self {
        Faulty {
            inner: self.inner.clone(),
            state: self.state.clone(),
            feeds: self.feeds.clone(),
            journal: self.journal.clone(),
        }
    }
}

impl<A> fmt::Debug for Faulty<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}
