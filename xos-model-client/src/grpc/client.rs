//! [`CoreClient`]: a core on the network as a [`ModelAccessor`].

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use http::uri::PathAndQuery;
use tokio::task::JoinHandle;
use tracing::{Instrument as _, warn};

use super::codec::{Plan, encode_id};
use super::describe::Method;
use super::models::Models;
use super::options::CoreOptions;
use super::reads::Reads;
use super::state::{self, Served, State};
use super::status::{About, Code, Doing, explain};
use super::transport::{CallError, CallKind, CallMeta, Keeper, Transport};
use crate::accessor::{
    Abilities, Cursor, Feed, Found, ModelAccessor, Onboard, Onboarded, Page, Write, Written,
};
use crate::error::{Error, ErrorKind, Result};
use crate::field::Condition;
use crate::model::ModelName;
use crate::query::{Operator, Query, QueryKind};
use crate::record::{Record, Shape};
use crate::schema::Schema;
use crate::secret::Masks;
use crate::value::{ObjectId, Value};

/// A core on the network.
///
/// A clone is the same client: connection, session, schema and calls in flight are shared. It connects by itself, and
/// again whenever the connection breaks; while the core is away, calls fail at once with [`ErrorKind::Away`].
///
/// # Guarantees
///
/// At most [`in_flight`](CoreOptions::in_flight) calls are under way. Reads, deletions and what a synchronizer changes
/// are made again when the connection broke; a creation, and a change by anybody else, never: where its answer was
/// lost, the error is [`ErrorKind::OutcomeUnknown`], unless the created object was found by a unique key. What is
/// changed is sent alone, never with the rest of the object.
///
/// # Caveats
///
/// A core 4.0.4 cannot tell of changes and has no pages: a list is always whole, and objects have to be looked for. It
/// has no transactions over several objects, and no guards.
///
/// # Examples
///
/// ```no_run
/// // no_run: needs a core
/// use std::sync::Arc;
/// use xos_model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
/// use xos_model_client::{Caller, ModelClient, models::Site};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> xos_model_client::Result<()> {
/// let mut options = CoreOptions::new("xos-core:50051");
/// options.credentials = Some(Credentials::new("admin@opencord.org", Password::file("/run/secrets/core")));
/// let core = CoreClient::new(options)?;
/// core.ready().await?;
/// let client = ModelClient::new(Arc::new(core), Caller::Client);
/// for site in client.objects::<Site>().all().await? {
///     println!("{}", site.name);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CoreClient(Arc<Inner>);

struct Inner {
    transport: Transport,
    keeper: Keeper,
    reads: Reads,
    state: State,
    models: Arc<Models>,
    following: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// How long a core that answers with an error is left alone.
const NOT_READY: Duration = Duration::from_secs(2);

impl CoreClient {
    /// A client of the core that the options describe. It connects in the background; must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`]: an option that cannot be used.
    pub fn new(options: CoreOptions) -> Result<Self> {
        let transport = Transport::new(options)?;
        let models = Arc::new(Models::new(transport.clone()));
        let verifying = models.clone();
        let keeper = Keeper::new(
            transport.clone(),
            Box::new(move |schema| {
                let models = verifying.clone();
                Box::pin(async move { models.take(schema).await })
            }),
        );
        let state = State { models: models.watch(), link: keeper.watch() };
        let reads = Reads::new(transport.clone());
        let followed = models.clone();
        let following =
            tokio::spawn(async move { followed.follow().await }.instrument(tracing::Span::current()));
        Ok(CoreClient(Arc::new(Inner { transport, keeper, reads, state, models, following })))
    }

    /// Waits until the core is there and has accepted the credentials.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unauthenticated`]: it does not accept them.
    pub async fn ready(&self) -> Result<()> {
        loop {
            self.0.keeper.up().await;
            match self.authenticate().await {
                Ok(()) => return Ok(()),
                Err(CallError::Auth { reason }) => return Err(ErrorKind::Unauthenticated { reason }.into()),
                Err(error) if error.is_connection() => {}
                Err(error) => {
                    warn!(e = %error, "the core is not ready");
                    tokio::time::sleep(NOT_READY).await;
                }
            }
        }
    }

    /// Asks the core for nothing but whether it accepts the credentials.
    async fn authenticate(&self) -> Result<(), CallError> {
        let meta = CallMeta { authenticated: true, ..CallMeta::default() };
        let path = PathAndQuery::from_static("/xos.utility/AuthenticatedNoOp");
        match self.0.transport.call(path, Bytes::new(), meta, CallKind::Read).await {
            Err(CallError::Status { code, .. }) if code == Code::UNIMPLEMENTED => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Why the core is away, as far as known.
    pub fn why_away(&self) -> Option<Error> {
        self.0.state.why_away()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.0.transport
    }

    pub(super) fn state(&self) -> State {
        self.0.state.clone()
    }

    pub(super) fn served(&self) -> Served {
        self.0.state.served()
    }

    /// Waits until the core is there, and gives the number of the connection.
    pub(super) async fn until_up(&self) -> u64 {
        self.0.keeper.up().await
    }

    pub(super) fn models(&self) -> &Models {
        &self.0.models
    }

    /// How objects of this shape travel, if the core is there and has their model.
    pub(super) fn plan(&self, shape: &Arc<Shape>) -> Result<Arc<Plan>> {
        match self.why_away() {
            Some(error) => Err(error),
            None => self.served().codec.plan(shape),
        }
    }

    /// Reads what others may be about to read too.
    async fn ask(
        &self,
        plan: &Plan,
        method: Method,
        body: Bytes,
        about: &About<'_>,
        masks: &Masks,
    ) -> Result<Bytes> {
        let kind = if method == Method::Get { CallKind::Read } else { CallKind::List };
        let path = plan.path(method)?;
        self.0.reads.ask(path, body, kind).await.map_err(|error| explain(error.without(masks), about))
    }

    /// All objects that a query asks for, by ascending id.
    pub(super) async fn find_all(&self, query: &Query, after: ObjectId) -> Result<Vec<Record>> {
        let plan = self.plan(&query.shape)?;
        let about = About { model: query.shape.model(), id: ObjectId::UNSET, doing: Doing::Read };
        let conditions = of_leaf(&self.served().remote().schema, query);
        let all = query.kind == QueryKind::Live && conditions.is_empty() && !after.is_set();
        let answer = if all {
            self.ask(&plan, Method::List, Bytes::new(), &about, &Masks::default()).await?
        } else {
            let body = plan.encode_query(query.kind, &conditions, after)?;
            let masks = Masks::of_values(conditions.iter().map(|condition| &condition.value));
            self.ask(&plan, Method::Filter, body, &about, &masks).await?
        };
        let mut records = Vec::new();
        for record in plan.decode_list(&answer)? {
            match record {
                Ok(record) => records.push(record),
                // The others are what they are.
                Err(error) => warn!(e = %error, "an object cannot be read; it is left out"),
            }
        }
        records.sort_by_key(Record::id);
        Ok(records)
    }

    pub(super) async fn get_one(&self, shape: &Arc<Shape>, id: ObjectId) -> Result<Option<Record>> {
        let plan = self.plan(shape)?;
        let about = About { model: shape.model(), id, doing: Doing::Read };
        match self.ask(&plan, Method::Get, encode_id(id), &about, &Masks::default()).await {
            Ok(answer) => plan.decode(&answer).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The conditions of a query, as a real core has to be asked.
///
/// Objects that the core made by itself at its first start, such as the first site, have no `leaf_model_name`. So the
/// objects of a model itself are those of none of its heirs; where there are no heirs, all are.
fn of_leaf<'a>(schema: &Schema, query: &'a Query) -> Cow<'a, [Condition]> {
    let model = query.shape.model();
    let is_leaf = |condition: &Condition| {
        condition.field == "leaf_model_name"
            && condition.operator == Operator::Equal
            && !condition.invert
            && condition.value.as_text() == Some(model.as_ref())
    };
    if !query.conditions.iter().any(is_leaf) {
        return Cow::Borrowed(&query.conditions);
    }
    let heirs = schema.model(model).into_iter().flat_map(|info| info.family.iter().skip(1));
    let heirs = heirs.filter_map(|id| schema.by_id(*id)).map(|heir| Condition {
        field: "leaf_model_name".into(),
        operator: Operator::Equal,
        value: Value::Text(heir.name().to_string()),
        invert: true,
    });
    query.conditions.iter().filter(|condition| !is_leaf(condition)).cloned().chain(heirs).collect()
}

#[async_trait]
impl ModelAccessor for CoreClient {
    fn abilities(&self) -> Abilities {
        Abilities {
            in_flight: self.0.transport.options().in_flight,
            push: false,
            cursor: false,
            guards: false,
            atomic_batch: false,
            // Each write is a call of its own: nobody has to wait for the answers to others.
            max_batch: 1,
        }
    }

    fn schema(&self) -> Arc<Schema> {
        self.served().remote().schema.clone()
    }

    async fn cursor(&self) -> Result<Cursor> {
        if let Some(error) = self.why_away() {
            return Err(error);
        }
        let number = self.served().number;
        match self.authenticate().await {
            Ok(()) => Ok(Cursor(number)),
            Err(error) => {
                let model = "";
                Err(explain(error, &About { model, id: ObjectId::UNSET, doing: Doing::Read }))
            }
        }
    }

    /// All of them in one page: a core 4.0.4 has no others.
    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        let as_of = Cursor(self.served().number);
        Ok(Found { records: self.find_all(query, page.after).await?, next: None, as_of })
    }

    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        stream::iter(ids.to_vec())
            .map(|id| self.get_one(shape, id))
            .buffered(self.0.transport.options().in_flight.max(1))
            .try_collect()
            .await
    }

    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            answers.push(self.write_one(write).await);
        }
        answers
    }

    fn feed(&self, from: Cursor, _: &[ModelName]) -> Feed {
        state::feed(self.state(), from)
    }

    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.onboard_models(what).await
    }
}

impl fmt::Debug for CoreClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoreClient({})", self.0.transport.endpoint())
    }
}
