//! What stands in for the core: its objects, its models, its users, and how each call is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt as _;
use xos_core::EmbeddedCore;
use xos_core::server::__wire::{Descriptors, QueryMessage, Table, asked, read_id};
use xos_model_client::{
    Condition, Kind, ModelAccessor as _, ModelId, ModelInfo, ObjectId, Operator, Page, Query, Schema, Shape,
    ShapeField, Value,
};

use super::accounts::{Accounts, User};
use super::message;
use super::onboarding::Onboarding;
use super::proto::{served, xos_proto};
use super::server::{Answering, Call};
use super::status::{exception, not_found, of_error, permission_denied};
use super::wire::Answer;

/// An operation on the objects of a model.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Operation {
    List,
    Filter,
    Get,
    Create,
    Update,
    Delete,
}

/// The models that are served now. A load changes them only when the core comes back.
pub(super) struct Served {
    pub(super) schema: Arc<Schema>,
    pub(super) descriptors: Arc<Descriptors>,
    operations: HashMap<String, (Operation, ModelId)>,
    models: HashMap<ModelId, (Table, Vec<WayBack>)>,
}

/// A link that leads to a model, as that model's messages tell it.
struct WayBack {
    field: String,
    shape: Arc<Shape>,
}

/// The core behind a stand-in.
pub(super) struct Core {
    pub(super) store: EmbeddedCore,
    pub(super) accounts: Accounts,
    pub(super) onboarding: Onboarding,
    served: RwLock<Arc<Served>>,
    order: Mutex<Order>,
}

/// The order of the rows in their tables: a row that is changed moves to the end.
#[derive(Default)]
struct Order {
    changes: u64,
    of: HashMap<(ModelId, i32), u64>,
}

impl Served {
    pub(super) fn new(schema: Arc<Schema>) -> Result<Self, String> {
        let descriptors = descriptors_of(&schema)?;
        let mut operations = HashMap::new();
        let mut models = HashMap::new();
        for model in served(&schema) {
            for (word, operation) in [
                ("List", Operation::List),
                ("Filter", Operation::Filter),
                ("Get", Operation::Get),
                ("Create", Operation::Create),
                ("Update", Operation::Update),
                ("Delete", Operation::Delete),
            ] {
                operations.insert(format!("/xos.xos/{word}{}", model.name()), (operation, model.id));
            }
            let chain = model.chain.iter().filter_map(|id| schema.by_id(*id));
            let ways = chain.flat_map(|level| &level.reverse).filter_map(|reverse| {
                let from = schema.by_id(reverse.from)?;
                let field = from.field(&reverse.field)?;
                let fields = [
                    ShapeField { name: "id".into(), kind: Kind::Int32 },
                    ShapeField { name: field.def.name.clone(), kind: field.def.kind },
                ];
                Some(WayBack {
                    field: reverse.field.clone(),
                    shape: Arc::new(Shape::new(from.name().clone(), fields)),
                })
            });
            models.insert(model.id, (Table::new(&schema, model), ways.collect()));
        }
        Ok(Served { schema, descriptors, operations, models })
    }
}

impl Core {
    pub(super) fn new(store: EmbeddedCore, onboarding: Onboarding) -> Result<Self, String> {
        let served = Served::new(store.schema())?;
        Ok(Core {
            store,
            accounts: Accounts::default(),
            onboarding,
            served: RwLock::new(Arc::new(served)),
            order: Mutex::default(),
        })
    }

    pub(super) fn served(&self) -> Arc<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves these models from now on.
    pub(super) fn serve(&self, schema: Arc<Schema>) -> Result<(), String> {
        let served = Arc::new(Served::new(schema)?);
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = served;
        Ok(())
    }

    /// A row was written: it moves to the end of its table.
    pub(super) fn moved(&self, model: &ModelInfo, id: ObjectId) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.changes += 1;
        let change = order.changes;
        order.of.insert((model.root, id.get()), change);
    }

    /// Sorts objects by their rows.
    pub(super) fn in_table_order(&self, model: &ModelInfo, found: &mut [Vec<Value>]) {
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_cached_key(|values| {
            let id = id_of(values);
            (order.of.get(&(model.root, id)).copied().unwrap_or_default(), id)
        });
    }

    /// The values of an object, live or deleted, in the order of the model's fields.
    pub(super) async fn values(
        &self,
        served: &Served,
        model: &ModelInfo,
        id: i32,
    ) -> Result<Option<Vec<Value>>, Status> {
        let found = self.store.get(&model.shape, &[ObjectId::new(id)]).await;
        let found = found.map_err(|error| of_error(&error, &served.schema, model))?;
        Ok(found.into_iter().next().flatten().map(|record| record.values().to_vec()))
    }

    /// Like [`values`](Core::values); one that is missing is an error.
    pub(super) async fn expect(
        &self,
        served: &Served,
        model: &ModelInfo,
        id: i32,
    ) -> Result<Vec<Value>, Status> {
        self.values(served, model, id).await?.ok_or_else(|| not_found(model, id))
    }

    pub(super) async fn find(&self, query: &Query) -> Result<Vec<Vec<Value>>, xos_model_client::Error> {
        let mut found = Vec::new();
        let mut page = Page::first(10_000);
        loop {
            let answer = self.store.find(query, page).await?;
            found.extend(answer.records.iter().map(|record| record.values().to_vec()));
            match answer.next {
                Some(next) => page = next,
                None => return Ok(found),
            }
        }
    }

    /// One object as an answer.
    pub(super) async fn one(&self, served: &Served, model: &ModelInfo, values: Vec<Value>) -> Answer {
        let mut out = Vec::new();
        self.put(served, model, &[values], |table, values, ways| table.put(&mut out, values, ways)).await?;
        Ok(out.into())
    }

    async fn many(&self, served: &Served, model: &ModelInfo, mut found: Vec<Vec<Value>>) -> Answer {
        self.in_table_order(model, &mut found);
        let mut out = Vec::new();
        self.put(served, model, &found, |table, values, ways| table.put_item(&mut out, values, ways)).await?;
        Ok(out.into())
    }

    /// Puts each object into a message, with the ids that its ways back have.
    async fn put(
        &self,
        served: &Served,
        model: &ModelInfo,
        found: &[Vec<Value>],
        mut put: impl FnMut(&Table, &[Value], &[Vec<i32>]),
    ) -> Result<(), Status> {
        let (table, ways) = served.models.get(&model.id).ok_or_else(|| exception("the model is gone"))?;
        let mut linking: Vec<HashMap<i32, Vec<i32>>> = Vec::with_capacity(ways.len());
        for way in ways.iter().filter(|_| !found.is_empty()) {
            let links = self.linking(way, found).await;
            linking.push(links.map_err(|error| of_error(&error, &served.schema, model))?);
        }
        for values in found {
            message::check(values).map_err(exception)?;
            let id = id_of(values);
            let ways: Vec<Vec<i32>> =
                linking.iter().map(|links| links.get(&id).cloned().unwrap_or_default()).collect();
            put(table, values, &ways);
        }
        Ok(())
    }

    /// The live objects that link to these ones, by what they link to.
    async fn linking(
        &self,
        way: &WayBack,
        found: &[Vec<Value>],
    ) -> Result<HashMap<i32, Vec<i32>>, xos_model_client::Error> {
        let mut query = Query::live(way.shape.clone());
        if let [only] = found {
            query.conditions.push(Condition {
                field: way.field.clone().into(),
                operator: Operator::Equal,
                value: Value::Int(i64::from(id_of(only))),
                invert: false,
            });
        }
        let mut links: HashMap<i32, Vec<i32>> = HashMap::new();
        for values in self.find(&query).await? {
            let targets = match values.get(1) {
                Some(Value::Link(target)) => vec![*target],
                Some(Value::Links(targets)) => targets.clone(),
                _ => Vec::new(),
            };
            for target in targets {
                links.entry(target.get()).or_default().push(id_of(&values));
            }
        }
        Ok(links)
    }

    async fn on_objects(&self, operation: Operation, model: ModelId, call: &Call, user: &User) -> Answer {
        let served = self.served();
        let Some(model) = served.schema.by_id(model) else {
            return Err(exception("the model is gone"));
        };
        // What cannot be read counts as empty, as recorded.
        let id = read_id(&call.message).unwrap_or_default();
        let table = served.models.get(&model.id).map(|(table, _)| table);
        let request = || table.and_then(|table| table.read(&call.message).ok()).unwrap_or_default();
        match operation {
            Operation::List | Operation::Filter => {
                if model.def.policy.is_some() && !user.is_admin {
                    // Rows that the caller may not read are left out.
                    return self.many(&served, model, Vec::new()).await;
                }
                if operation == Operation::List {
                    return self.list(&served, model).await;
                }
                let query = QueryMessage::read(&call.message).unwrap_or_default();
                if query.kind == 0 && query.elements.is_empty() {
                    return Err(exception("'NoneType' object is not iterable"));
                }
                let asked = asked(&served.schema, model, &query)?;
                let found = self.find(&asked.query).await;
                let mut found = found.map_err(|error| of_error(&error, &served.schema, model))?;
                found.retain(|values| asked.also.iter().all(|part| part.holds(values)));
                self.many(&served, model, found).await
            }
            Operation::Get => {
                let values = self.expect(&served, model, id).await?;
                allowed(model, user, &format!("object {id}"))?;
                self.one(&served, model, values).await
            }
            Operation::Create => {
                allowed(model, user, "new object")?;
                self.create(&served, model, request()).await
            }
            Operation::Update => {
                let request = request();
                let before = self.expect(&served, model, request.id).await?;
                allowed(model, user, &format!("object {}", request.id))?;
                self.update(&served, model, request, before, call).await
            }
            Operation::Delete => {
                let there = self.values(&served, model, id).await?;
                if there.is_some() {
                    allowed(model, user, &format!("object {id}"))?;
                }
                self.delete(&served, model, id, there).await
            }
        }
    }

    async fn list(&self, served: &Served, model: &ModelInfo) -> Answer {
        let found = self.find(&Query::live(model.shape.clone())).await;
        let found = found.map_err(|error| of_error(&error, &served.schema, model))?;
        self.many(served, model, found).await
    }
}

#[async_trait]
impl Answering for Core {
    fn knows(&self, method: &str) -> bool {
        let served = self.served();
        served.operations.contains_key(method)
            || (!method.starts_with("/xos.xos/") && super::utility::knows(method))
    }

    async fn answer(&self, call: Call) -> Option<Answer> {
        let operation = self.served().operations.get(&call.method).copied();
        match operation {
            None => self.on_the_rest(&call).await,
            Some((operation, model)) => Some(match self.accounts.caller(&call) {
                Ok(user) => self.on_objects(operation, model, &call, &user).await,
                Err(status) => Err(status),
            }),
        }
    }

    async fn reflect(&self, request: Request<Body>) -> Response<Body> {
        let served = self.served();
        let set = served.descriptors.pool().encode_to_vec();
        let builder =
            tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(&set);
        match builder.build_v1alpha() {
            Ok(service) => match service.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(error) => Status::internal(error.to_string()).into_http(),
        }
    }
}

/// The compiled files of a core with these models. A second time in one process they are only looked up.
fn descriptors_of(schema: &Schema) -> Result<Arc<Descriptors>, String> {
    static KNOWN: Mutex<Option<HashMap<String, Arc<Descriptors>>>> = Mutex::new(None);
    let text = xos_proto(schema);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(found) = known.get(&text) {
        return Ok(found.clone());
    }
    let compiled = Arc::new(Descriptors::of_text(&text)?);
    known.insert(text, compiled.clone());
    Ok(compiled)
}

/// Models with a security policy are for admins here. A real core looks at privileges, too.
fn allowed(model: &ModelInfo, user: &User, what: &str) -> Result<(), Status> {
    match &model.def.policy {
        Some(policy) if !user.is_admin => Err(permission_denied(&format!(
            "User {} cannot access {} {what} due to policy {policy}",
            user.email,
            model.name()
        ))),
        _ => Ok(()),
    }
}

/// The id among the values of an object.
pub(super) fn id_of(values: &[Value]) -> i32 {
    match values.first() {
        Some(Value::Int(id)) => *id as i32,
        Some(Value::Link(id)) => id.get(),
        _ => 0,
    }
}

pub(super) fn encode(message: Option<DynamicMessage>) -> Bytes {
    message.map(|message| message.encode_to_vec().into()).unwrap_or_default()
}
