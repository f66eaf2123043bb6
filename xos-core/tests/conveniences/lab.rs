//! A core with models of a service, and a core as a real one is: without guards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use xos_core::EmbeddedCore;
use xos_model_client::models::{AddressPool, Service, ServiceInstance, ServiceInstanceLink};
use xos_model_client::{
    Abilities, Caller, Cursor, ErrorKind, Feed, Found, Guard, Link, LoadModels, Model, ModelAccessor,
    ModelClient, ModelName, ObjectId, Onboard, Onboarded, Op, Page, Query, Record, Result, Schema,
    ServiceFiles, Shape, Target, Touch, Value, Write, Written, XosModel,
};

/// A gateway for subscribers.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "gateway", crate = xos_model_client)]
pub(crate) struct GatewayService {
    #[xos(base)]
    pub(crate) service: Service,
}

/// One gateway.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "gateway", owner_class = GatewayService, crate = xos_model_client)]
pub(crate) struct GatewayServiceInstance {
    #[xos(base)]
    pub(crate) service_instance: ServiceInstance,
    /// The tag of its traffic
    #[xos(number = 1)]
    pub(crate) s_tag: Option<i32>,
}

pub(crate) async fn client() -> ModelClient {
    let core = EmbeddedCore::in_memory().unwrap();
    let load = LoadModels {
        name: "gateway".into(),
        version: "1.0.0".into(),
        models: vec![GatewayService::def().clone(), GatewayServiceInstance::def().clone()],
        core_version: None,
        files: ServiceFiles::default(),
    };
    core.onboard(&Onboard::Load(load)).await.unwrap();
    ModelClient::new(Arc::new(core), Caller::Step)
}

pub(crate) async fn service(client: &ModelClient, name: &str) -> Service {
    client.create(Service { name: name.into(), ..Default::default() }).await.unwrap()
}

pub(crate) async fn gateway_service(client: &ModelClient, name: &str) -> GatewayService {
    let service = Service { name: name.into(), ..Default::default() };
    client.create(GatewayService { service }).await.unwrap()
}

pub(crate) async fn instance(client: &ModelClient, name: &str, owner: &Service) -> ServiceInstance {
    let new = ServiceInstance { name: Some(name.into()), owner: Link::of(owner), ..Default::default() };
    client.create(new).await.unwrap()
}

pub(crate) async fn link(
    client: &ModelClient,
    provider: ObjectId,
    subscriber: ObjectId,
) -> ServiceInstanceLink {
    let new = ServiceInstanceLink {
        provider_service_instance: Link::to(provider),
        subscriber_service_instance: Some(Link::to(subscriber)),
        ..Default::default()
    };
    client.create(new).await.unwrap()
}

pub(crate) async fn pool(client: &ModelClient, addresses: &str) -> AddressPool {
    let new = AddressPool {
        name: "public".into(),
        addresses: Some(addresses.into()),
        gateway_ip: "10.0.0.1".into(),
        gateway_mac: "02:42:0a:00:00:01".into(),
        cidr: "10.0.0.0/24".into(),
        ..Default::default()
    };
    client.create(new).await.unwrap()
}

/// A core as a real one is: a guard is refused, each write is a call of its own.
pub(crate) struct Real {
    core: Arc<dyn ModelAccessor>,
    /// How often another process writes over an address pool right after a write.
    pub(crate) intrusions: AtomicUsize,
    pub(crate) writes: AtomicUsize,
    /// The write with this number fails, and all that follow, as if the process had died.
    pub(crate) dies_at: AtomicUsize,
}

impl Real {
    pub(crate) fn over(client: &ModelClient) -> Arc<Self> {
        Arc::new(Real {
            core: client.accessor().clone(),
            intrusions: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            dies_at: AtomicUsize::new(usize::MAX),
        })
    }

    async fn intrude(&self, shape: &Arc<Shape>, id: ObjectId) {
        let at = |name: &str| shape.position(name).unwrap() as u16;
        let fields =
            vec![(at("addresses"), Value::from("10.0.0.2 10.0.0.3")), (at("inuse"), Value::from("10.0.0.9"))];
        let op = Op::Set { fields, touch: Touch::AsTheRulesSay };
        let write = Write {
            shape: shape.clone(),
            target: Target::Object(id),
            op,
            by: Caller::Pull,
            guard: Guard::None,
        };
        self.core.write(vec![write]).await.pop().unwrap().unwrap();
    }
}

#[async_trait]
impl ModelAccessor for Real {
    fn abilities(&self) -> Abilities {
        Abilities { guards: false, atomic_batch: false, max_batch: 1, ..self.core.abilities() }
    }
    fn schema(&self) -> Arc<Schema> {
        self.core.schema()
    }
    async fn cursor(&self) -> Result<Cursor> {
        self.core.cursor().await
    }
    async fn find(&self, query: &Query, page: Page) -> Result<Found> {
        self.core.find(query, page).await
    }
    async fn get(&self, shape: &Arc<Shape>, ids: &[ObjectId]) -> Result<Vec<Option<Record>>> {
        // A real core takes its time: others have a turn between read and write.
        tokio::task::yield_now().await;
        self.core.get(shape, ids).await
    }
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut answers = Vec::new();
        for write in writes {
            if self.writes.fetch_add(1, Ordering::SeqCst) >= self.dies_at.load(Ordering::SeqCst) {
                answers.push(Err(xos_model_client::Error::away("it died")));
                continue;
            }
            if write.guard != Guard::None {
                answers.push(Err(ErrorKind::Unsupported("check guards".into()).into()));
                continue;
            }
            let (shape, target) = (write.shape.clone(), write.target);
            answers.extend(self.core.write(vec![write]).await);
            let intrudes = |left: usize| left.checked_sub(1);
            if let Target::Object(id) = target
                && shape.model() == "AddressPool"
                && self.intrusions.fetch_update(Ordering::SeqCst, Ordering::SeqCst, intrudes).is_ok()
            {
                self.intrude(&shape, id).await;
            }
        }
        answers
    }
    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.core.feed(from, models)
    }
    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.core.onboard(what).await
    }
}
