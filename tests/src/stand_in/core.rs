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
use xos_model_client::{
    Condition, Kind, ModelAccessor as _, ModelId, ModelInfo, ObjectId, Operator, Page, Query, Schema, Shape,
    ShapeField, Value,
};

use super::accounts::{Accounts, User};
use super::descriptors::Descriptors;
use super::message;
use super::onboarding::Onboarding;
use super::proto::{class_names, self_content_type, served};
use super::query::asked;
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
    ways_back: HashMap<ModelId, Vec<WayBack>>,
}

/// A link that leads to a model, as that model's messages tell it.
struct WayBack {
    number: u32,
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
        let descriptors = Descriptors::of(&schema)?;
        let mut operations = HashMap::new();
        let mut ways_back = HashMap::new();
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
                    number: u32::from(reverse.wire_number),
                    field: reverse.field.clone(),
                    shape: Arc::new(Shape::new(from.name().clone(), fields)),
                })
            });
            ways_back.insert(model.id, ways.collect());
        }
        Ok(Served { schema, descriptors, operations, ways_back })
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
        let mut messages = self.messages(served, model, &[values]).await?;
        Ok(encode(messages.pop()))
    }

    async fn many(&self, served: &Served, model: &ModelInfo, mut found: Vec<Vec<Value>>) -> Answer {
        self.in_table_order(model, &mut found);
        let messages = self.messages(served, model, &found).await?;
        let mut list = served.descriptors.new_message(&model.plural).map_err(exception)?;
        let items = messages.into_iter().map(prost_reflect::Value::Message).collect();
        list.set_field_by_name("items", prost_reflect::Value::List(items));
        Ok(encode(Some(list)))
    }

    async fn messages(
        &self,
        served: &Served,
        model: &ModelInfo,
        found: &[Vec<Value>],
    ) -> Result<Vec<DynamicMessage>, Status> {
        let descriptor = served.descriptors.message(&format!("xos.{}", model.name())).map_err(exception)?;
        let ways = served.ways_back.get(&model.id).map(Vec::as_slice).unwrap_or_default();
        let mut linking: Vec<(u32, HashMap<i32, Vec<i32>>)> = Vec::with_capacity(ways.len());
        for way in ways.iter().filter(|_| !found.is_empty()) {
            let links = self.linking(way, found).await;
            linking.push((way.number, links.map_err(|error| of_error(&error, &served.schema, model))?));
        }
        let (names, content_type) = (class_names(&served.schema, model), self_content_type(model));
        let mut messages = Vec::with_capacity(found.len());
        for values in found {
            let id = id_of(values);
            let ways: Vec<(u32, Vec<i32>)> = linking
                .iter()
                .map(|(number, links)| (*number, links.get(&id).cloned().unwrap_or_default()))
                .collect();
            let message = message::message(&descriptor, model, values, &ways, &names, &content_type);
            messages.push(message.map_err(exception)?);
        }
        Ok(messages)
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
        let name = match operation {
            Operation::List => "google.protobuf.Empty".to_owned(),
            Operation::Filter => "xos.Query".to_owned(),
            Operation::Get | Operation::Delete => "xos.ID".to_owned(),
            Operation::Create | Operation::Update => format!("xos.{}", model.name()),
        };
        let descriptor = served.descriptors.message(&name).map_err(exception)?;
        // What cannot be read counts as empty, as recorded.
        let request = DynamicMessage::decode(descriptor.clone(), call.message.clone())
            .unwrap_or_else(|_| DynamicMessage::new(descriptor));
        let id = message::id(&request);
        match operation {
            Operation::List | Operation::Filter => {
                if model.def.policy.is_some() && !user.is_admin {
                    // Rows that the caller may not read are left out.
                    return self.many(&served, model, Vec::new()).await;
                }
                if operation == Operation::List {
                    return self.list(&served, model).await;
                }
                let asked = asked(&served.schema, model, &request)?;
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
                self.create(&served, model, &request).await
            }
            Operation::Update => {
                let before = self.expect(&served, model, id).await?;
                allowed(model, user, &format!("object {id}"))?;
                self.update(&served, model, &request, before, call).await
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
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(&served.descriptors.encoded);
        match builder.build_v1alpha() {
            Ok(service) => match service.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            Err(error) => Status::internal(error.to_string()).into_http(),
        }
    }
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
