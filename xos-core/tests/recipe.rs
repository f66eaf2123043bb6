//! Recipes, applied to the embedded core.
#![allow(clippy::unwrap_used)] // A test may stop where it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use xos_core::{EmbeddedCore, Options, Reap};
use xos_model_client::models::{AddressPool, Service, ServiceGraphConstraint, ServiceInstance, Site};
use xos_model_client::tosca::{Applied, Done, Memory, Recipe, RecipeError, Report};
use xos_model_client::{
    Abilities, Caller, Cursor, Error, Feed, Found, Link, LoadModels, Model, ModelAccessor, ModelClient,
    ModelName, ObjectId, Onboard, Onboarded, Page, Query, Record, Result, Schema, ServiceFiles, Shape, Write,
    Written, XosModel,
};

/// Says hello to everybody.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = xos_model_client)]
struct HelloWorldService {
    #[xos(base)]
    service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, crate = xos_model_client)]
struct HelloWorldServiceInstance {
    #[xos(base)]
    service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    hello_to: String,
}

/// A core that counts its writes, and refuses one of them.
struct Counted {
    core: EmbeddedCore,
    writes: AtomicUsize,
    refuse: AtomicUsize,
}

const NONE: usize = usize::MAX;

#[async_trait]
impl ModelAccessor for Counted {
    fn abilities(&self) -> Abilities {
        self.core.abilities()
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
        self.core.get(shape, ids).await
    }
    async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        if self.writes.fetch_add(1, Ordering::SeqCst) == self.refuse.load(Ordering::SeqCst) {
            return writes.iter().map(|_| Err(Error::away("refused by the test"))).collect();
        }
        self.core.write(writes).await
    }
    fn feed(&self, from: Cursor, models: &[ModelName]) -> Feed {
        self.core.feed(from, models)
    }
    async fn onboard(&self, what: &Onboard) -> Result<Onboarded> {
        self.core.onboard(what).await
    }
}

/// A core with the models of hello world, and the memory of a recipe.
struct World {
    core: Arc<Counted>,
    client: ModelClient,
    memory: Mutex<Applied>,
}

impl World {
    async fn new() -> Self {
        let options = Options { reap: Reap::Manual, ..Options::default() };
        let core = EmbeddedCore::in_memory_with(options).unwrap();
        let models = vec![HelloWorldService::def().clone(), HelloWorldServiceInstance::def().clone()];
        let load = LoadModels {
            name: "hello-world".into(),
            version: "1".into(),
            models,
            core_version: None,
            files: ServiceFiles::default(),
        };
        core.onboard(&Onboard::Load(load)).await.unwrap();
        let core = Arc::new(Counted { core, writes: AtomicUsize::new(0), refuse: AtomicUsize::new(NONE) });
        let client = ModelClient::new(core.clone(), Caller::Client);
        World { core, client, memory: Mutex::default() }
    }

    fn recipe(nodes: &str) -> Recipe {
        let nodes: Vec<String> = nodes.lines().map(|line| format!("    {line}")).collect();
        let nodes = if nodes.is_empty() { "    {}".to_owned() } else { nodes.join("\n") };
        let head =
            "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  node_templates:\n";
        Recipe::parse(&format!("{head}{nodes}"), "r.yaml").unwrap()
    }

    async fn try_apply(&self, nodes: &str) -> Result<Report, RecipeError> {
        Self::recipe(nodes).apply(&*self.core, &self.memory).await
    }

    /// Applies it, and checks that applying it once more writes nothing, not even to the memory.
    async fn apply(&self, nodes: &str) -> Report {
        let report = self.try_apply(nodes).await.unwrap();
        let (writes, memory) = (self.core.writes.load(Ordering::SeqCst), self.memory.lock().unwrap().clone());
        let again = self.try_apply(nodes).await.unwrap();
        assert!(again.wrote_nothing(), "{again}");
        assert_eq!(self.core.writes.load(Ordering::SeqCst), writes);
        assert_eq!(*self.memory.lock().unwrap(), memory);
        report
    }

    async fn names(&self) -> Vec<String> {
        let instances = self.client.objects::<ServiceInstance>().all().await.unwrap();
        instances.into_iter().map(|instance| instance.name.unwrap_or_default()).collect()
    }

    /// Deletes for good what is deleted, as if the synchronizer had done its part.
    async fn reap(&self) {
        self.core.core.reap().await.unwrap();
    }
}

const SERVICE: &str =
    "service: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}";
const INSTANCE: &str =
    "instance: {type: tosca.nodes.HelloWorldServiceInstance, properties: {name: one, hello_to: Arya}}";
const CONSTRAINTS: &str =
    "constraints: {type: tosca.nodes.ServiceGraphConstraint, properties: {constraints: '[\"Hello\"]'}}";

fn hello() -> String {
    format!("{SERVICE}\n{INSTANCE}\n{CONSTRAINTS}")
}

#[tokio::test]
async fn the_recipe_of_the_tutorial_is_applied() {
    let world = World::new().await;
    let report = world.apply(&hello()).await;
    assert_eq!(report.created_models_line(), "Created models: ['constraints', 'service', 'instance']");
    let instance = world.client.objects::<HelloWorldServiceInstance>().one().await.unwrap();
    let service = world.client.objects::<HelloWorldService>().one().await.unwrap();
    assert_eq!((instance.hello_to.as_str(), instance.owner.id()), ("Arya", service.id));
    assert_eq!(
        world.client.objects::<ServiceGraphConstraint>().one().await.unwrap().constraints,
        "[\"Hello\"]"
    );
}

#[tokio::test]
async fn an_edit_writes_only_what_differs() {
    let world = World::new().await;
    world.apply(&hello()).await;
    let report = world.apply(&hello().replace("Arya", "Sansa")).await;
    assert_eq!(
        report.to_string().lines().collect::<Vec<_>>(),
        [
            "unchanged constraints (ServiceGraphConstraint 1)",
            "unchanged service (HelloWorldService 2)",
            "updated   instance (HelloWorldServiceInstance 3): hello_to",
        ]
    );
}

#[tokio::test]
async fn a_changed_name_renames() {
    let world = World::new().await;
    world.apply(&hello()).await;
    world.apply(&hello().replace("name: one", "name: two").replace("Hello, ", "Hi, ")).await;
    assert_eq!(world.names().await, ["two"]);
    assert_eq!(world.client.objects::<Service>().one().await.unwrap().name, "Hi");
}

#[tokio::test]
async fn a_changed_constraint_does_not_make_a_second_one() {
    let world = World::new().await;
    world.apply(&hello()).await;
    world.apply(&hello().replace("[\"Hello\"]", "[\"Hello\", \"Other\"]")).await;
    assert_eq!(world.client.objects::<ServiceGraphConstraint>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn what_left_the_recipe_is_deleted_and_what_others_made_is_not() {
    let world = World::new().await;
    let others = HelloWorldServiceInstance { hello_to: "Bran".into(), ..Default::default() };
    world.apply(&hello()).await;
    let others = world.client.create(others).await.unwrap();
    let report = world.apply(&format!("{SERVICE}\n{CONSTRAINTS}")).await;
    assert_eq!(report.deleted_models_line(), "Deleted models: ['instance']");
    let left = world.client.objects::<HelloWorldServiceInstance>().one().await.unwrap();
    assert_eq!(left.id, others.id);
    assert_eq!(world.client.objects::<HelloWorldServiceInstance>().deleted().count().await.unwrap(), 1);
}

#[tokio::test]
async fn what_left_while_nobody_looked_is_deleted_too() {
    let world = World::new().await;
    world.apply(&hello()).await;
    // The memory survives as JSON or the like.
    let text = serde_json::to_string(&*world.memory.lock().unwrap()).unwrap();
    *world.memory.lock().unwrap() = serde_json::from_str(&text).unwrap();
    world.apply("").await;
    assert_eq!(world.names().await, [""; 0]);
    assert_eq!(world.client.objects::<Service>().count().await.unwrap(), 0);
    assert_eq!(*world.memory.lock().unwrap(), Applied::default());
}

#[tokio::test]
async fn delete_removes_what_the_recipe_made() {
    let world = World::new().await;
    world
        .client
        .create(Site {
            name: "mysite".into(),
            login_base: "my".into(),
            abbreviated_name: "m".into(),
            ..Default::default()
        })
        .await
        .unwrap();
    let nodes = format!(
        "site: {{type: tosca.nodes.Site, properties: {{name: mysite, must-exist: true}}}}\n{}",
        hello()
    );
    world.apply(&nodes).await;
    let report = World::recipe(&nodes).delete(&*world.core, &world.memory).await.unwrap();
    assert_eq!(report.deleted_models_line(), "Deleted models: ['instance', 'service', 'constraints']");
    assert_eq!(world.client.objects::<Site>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn must_exist_objects_are_found_changed_and_never_deleted() {
    let world = World::new().await;
    let nodes = "site: {type: tosca.nodes.Site, properties: {name: mysite, must-exist: true}}\n\
                 slice: {type: tosca.nodes.Slice, properties: {name: s}, requirements: [site: site]}";
    let fault = world.try_apply(nodes).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "r.yaml:4:5: node site: must exist, but there is no Site with name \"mysite\""
    );
    assert_eq!(world.core.writes.load(Ordering::SeqCst), 0);
    let site = Site {
        name: "mysite".into(),
        login_base: "my".into(),
        abbreviated_name: "m".into(),
        ..Default::default()
    };
    let site = world.client.create(site).await.unwrap();
    // The core asks for a creator, which an embedded core without users cannot have.
    let nodes = nodes.lines().next().unwrap();
    world.apply(nodes).await;
    let before = world.client.get::<Site>(site.id).await.unwrap();
    assert_eq!(before.updated, site.updated);
    world.apply(&nodes.replace("must-exist: true", "must-exist: true, site_url: 'http://a.b'")).await;
    let report = world.apply("").await;
    assert!(matches!(report.nodes[0].done, Done::Kept { .. }), "{report}");
    assert_eq!(world.client.get::<Site>(site.id).await.unwrap().site_url.as_deref(), Some("http://a.b"));
}

#[tokio::test]
async fn a_faulty_recipe_writes_nothing() {
    let world = World::new().await;
    world.apply(&hello()).await;
    let memory = world.memory.lock().unwrap().clone();
    let writes = world.core.writes.load(Ordering::SeqCst);
    for nodes in [
        hello().replace("HelloWorldServiceInstance", "HelloWorldInstance"),
        hello().replace("hello_to", "hello_too"),
        hello().replace("Arya}", "Arya}, requirements: [owner: nobody]"),
        hello().replace("Arya}", "Arya}, requirements: [master_serviceinstance: instance]"),
        format!(
            "{}\nport: {{type: tosca.nodes.ServicePort, properties: {{name: p, external_port: 1, internal_port: 1}}}}",
            hello()
        ),
    ] {
        let fault = world.try_apply(&nodes).await.unwrap_err();
        assert!(matches!(fault, RecipeError::Faulty(_)) && !fault.is_retryable(), "{fault}");
    }
    assert_eq!(*world.memory.lock().unwrap(), memory);
    assert_eq!(world.core.writes.load(Ordering::SeqCst), writes);
}

#[tokio::test]
async fn a_name_of_an_object_that_is_being_deleted_is_waited_for() {
    let world = World::new().await;
    world.apply(SERVICE).await;
    let mut service = world.client.objects::<HelloWorldService>().one().await.unwrap();
    // As the engine does before the first step.
    service.backend_need_delete = true;
    world.client.save(&mut service).await.unwrap();
    world.apply("").await;
    let error = world.try_apply(SERVICE).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(
        error.to_string(),
        "r.yaml:4:5: node service: HelloWorldService 1 still has name \"Hello\" while it is being deleted; apply \
         again when it is gone"
    );
    let mut service = world.client.get::<HelloWorldService>(service.id).await.unwrap();
    service.backend_need_reap = true;
    world.client.save(&mut service).await.unwrap();
    world.reap().await;
    world.apply(SERVICE).await;
}

#[tokio::test]
async fn another_type_under_the_same_name_replaces_the_object() {
    let world = World::new().await;
    world.apply("service: {type: tosca.nodes.Service, properties: {name: Hello}}").await;
    let error = world.try_apply(SERVICE).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(error.report().unwrap().deleted_models_line(), "Deleted models: ['service']");
    world.reap().await;
    let report = world.apply(SERVICE).await;
    assert!(matches!(report.nodes[0].done, Done::Created { .. }), "{report}");
    assert_eq!(world.client.objects::<Service>().count().await.unwrap(), 1);
}

#[tokio::test]
async fn what_somebody_deleted_is_created_again() {
    let world = World::new().await;
    world.apply(&hello()).await;
    let instance = world.client.objects::<HelloWorldServiceInstance>().one().await.unwrap();
    world.client.delete(&instance).await.unwrap();
    world.apply(&hello()).await;
    assert_eq!(world.names().await, ["one"]);
}

#[tokio::test]
async fn what_the_core_stores_otherwise_is_not_written_again() {
    let world = World::new().await;
    let node = "pool: {type: tosca.nodes.AddressPool, properties: {name: p, addresses: 10.0.0.0/29, \
                gateway_ip: 10.0.0.1, gateway_mac: '00:00:00:00:00:01'}}";
    world.apply(node).await;
    let pool = world.client.objects::<AddressPool>().one().await.unwrap();
    assert_eq!(pool.cidr, "10.0.0.0/29");
    assert_ne!(pool.addresses.as_deref(), Some("10.0.0.0/29"));
}

#[tokio::test]
async fn a_failing_write_stops_and_says_what_was_done() {
    let world = World::new().await;
    world.core.refuse.store(2, Ordering::SeqCst);
    let error = world.try_apply(&hello()).await.unwrap_err();
    let RecipeError::Stopped { node, report, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (node.as_str(), report.created_models_line()),
        ("instance", "Created models: ['constraints', 'service']".to_owned())
    );
    assert!(error.is_retryable());
    world.core.refuse.store(NONE, Ordering::SeqCst);
    let report = world.apply(&hello()).await;
    assert!(
        matches!(report.nodes[0].done, Done::Unchanged)
            && matches!(report.nodes[2].done, Done::Created { .. }),
        "{report}"
    );
    world.apply("").await;
    assert_eq!(world.client.objects::<Service>().count().await.unwrap(), 0);
}

/// A memory that cannot be stored for the nth time.
struct Failing {
    memory: Mutex<Applied>,
    left: AtomicUsize,
}

#[async_trait]
impl Memory for Failing {
    async fn load(&self) -> Result<Applied> {
        self.memory.load().await
    }
    async fn store(&self, applied: &Applied) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Err(Error::away("refused by the test"));
        }
        self.memory.store(applied).await
    }
}

#[tokio::test]
async fn dying_anywhere_leaves_nothing_that_the_recipe_does_not_know() {
    // Storing the memory fails where a process may die: before the first creation, between any two, and at the end.
    for left in 0..4 {
        let world = World::new().await;
        let memory = Failing { memory: Mutex::default(), left: AtomicUsize::new(left) };
        let error = World::recipe(&hello()).apply(&*world.core, &memory).await.unwrap_err();
        assert!(matches!(error, RecipeError::NotRemembered { .. }), "{error}");
        memory.left.store(NONE, Ordering::SeqCst);
        World::recipe("").apply(&*world.core, &memory).await.unwrap();
        assert_eq!(world.client.objects::<Service>().count().await.unwrap(), 0, "after {left}");
        assert_eq!(world.client.objects::<ServiceInstance>().count().await.unwrap(), 0, "after {left}");
        assert_eq!(
            world.client.objects::<ServiceGraphConstraint>().count().await.unwrap(),
            0,
            "after {left}"
        );
        assert_eq!(*memory.memory.lock().unwrap(), Applied::default());
    }
}

#[tokio::test]
async fn links_are_set_and_moved() {
    let world = World::new().await;
    let nodes = "a: {type: tosca.nodes.Service, properties: {name: a}}\n\
                 b: {type: tosca.nodes.Service, properties: {name: b}}\n\
                 i: {type: tosca.nodes.ServiceInstance, properties: {name: i}, requirements: [{owner: {node: a}}]}\n\
                 l: {type: tosca.nodes.ServiceInstanceLink, requirements: [provider_service_instance: i, subscriber_service: b]}";
    world.apply(nodes).await;
    let owner = |name: &'static str| {
        let client = world.client.clone();
        async move { client.objects::<Service>().filter(Service::NAME.eq(name)).one().await.unwrap() }
    };
    let instance = world.client.objects::<ServiceInstance>().one().await.unwrap();
    assert_eq!(instance.owner, Link::of(&owner("a").await));
    world.apply(&nodes.replace("{node: a}", "{node: b}")).await;
    let instance = world.client.objects::<ServiceInstance>().one().await.unwrap();
    assert_eq!(instance.owner, Link::of(&owner("b").await));
    // Moved away from, it may go.
    let rest: Vec<&str> = nodes.lines().skip(1).collect();
    world.apply(&rest.join("\n").replace("{node: a}", "{node: b}")).await;
    assert_eq!(world.client.objects::<ServiceInstance>().count().await.unwrap(), 1);
}
