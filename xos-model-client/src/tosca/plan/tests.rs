//! Plans, made from objects that are told by hand.

use super::{Plan, Planner, Unique};
use crate::models::{Service, ServiceInstance, core_models};
use crate::query::Condition;
use crate::tosca::{Applied, AppliedNode, Fault, Recipe, Settled};
use crate::{Model, ObjectId, Record, Schema, Value, XosModel};

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", crate = crate)]
struct HelloWorldService {
    #[xos(base)]
    service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    hello_from: String,
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService, crate = crate)]
struct HelloWorldServiceInstance {
    #[xos(base)]
    service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    hello_to: String,
}

/// Objects that are there, and what was applied before.
struct World {
    schema: Schema,
    objects: Vec<(&'static str, Record)>,
    applied: Applied,
}

impl World {
    fn new() -> Self {
        let own = [HelloWorldService::def(), HelloWorldServiceInstance::def()];
        let schema = Schema::new(core_models().chain(own)).unwrap();
        World { schema, objects: Vec::new(), applied: Applied::default() }
    }

    fn object(mut self, model: &'static str, id: i32, values: &[(&str, Value)]) -> Self {
        let shape = self.schema.model(model).unwrap().shape.clone();
        let mut all = vec![Value::Null; shape.fields().len()];
        let fixed = [("id", Value::Int(id.into())), ("leaf_model_name", Value::from(model))];
        for (field, value) in fixed.iter().chain(values) {
            all[shape.position(field).unwrap()] = value.clone();
        }
        self.objects.push((model, Record::new(shape, all)));
        self
    }

    fn applied(mut self, node: &str, model: &'static str, id: i32, created: bool) -> Self {
        let node_before = AppliedNode {
            model: model.into(),
            id: ObjectId::new(id),
            created,
            key: [].into(),
            settled: [].into(),
        };
        self.applied.nodes.insert(node.into(), node_before);
        self
    }

    /// The objects of a model and of those that inherit from it, laid out as the model's shape.
    fn find(&self, model: &str, conditions: &[Condition], deleted: bool) -> Vec<Record> {
        let info = self.schema.model(model).unwrap();
        let matches = |record: &&(&str, Record)| {
            self.schema.is_a(self.schema.model(record.0).unwrap().id, info.id)
                && (record.1.get("deleted") == Some(&Value::Bool(true))) == deleted
                && conditions.iter().all(|condition| record.1.get(&condition.field) == Some(&condition.value))
        };
        let laid_out = |(_, record): &(&str, Record)| {
            let values =
                info.shape.fields().iter().map(|field| record.get(&field.name).cloned().unwrap_or_default());
            Record::new(info.shape.clone(), values.collect())
        };
        self.objects.iter().filter(matches).map(laid_out).collect()
    }

    fn get(&self, model: &str, id: ObjectId) -> Option<Record> {
        let all = self.find(model, &[], false).into_iter().chain(self.find(model, &[], true));
        all.into_iter().find(|record| record.id() == id)
    }

    fn plan(&self, nodes: &str) -> String {
        match self.planned(nodes) {
            Ok(plan) => plan.to_string(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    fn planned(&self, nodes: &str) -> Result<Plan, Vec<Fault>> {
        let nodes: Vec<String> = nodes.lines().map(|line| format!("    {line}")).collect();
        let nodes = nodes.join("\n");
        let head =
            "tosca_definitions_version: tosca_simple_yaml_1_0\ntopology_template:\n  node_templates:\n";
        let nodes = if nodes.is_empty() { "    {}".to_owned() } else { nodes };
        let checked =
            Recipe::parse(&format!("{head}{nodes}"), "r.yaml").unwrap().checked(&self.schema).unwrap();
        let mut planner = Planner::new(&self.schema, &checked, &self.applied);
        let equals = |unique: &Unique| -> Vec<Condition> {
            unique.values.iter().map(|(field, value)| super::equal(field, value.clone())).collect()
        };
        for (at, node) in checked.nodes.iter().enumerate() {
            let by_key =
                planner.key(at).map(|key| self.find(&node.model_name, &key, false)).unwrap_or_default();
            let remembered = planner.remembered(at).and_then(|id| self.get(&node.model_name, id));
            planner.tell(at, by_key, remembered);
            for unique in planner.uniques(at) {
                let model = self.schema.by_id(unique.model).unwrap().name();
                let live = self.find(model, &equals(&unique), false);
                let deleted = self.find(model, &equals(&unique), true);
                planner.tell_holders(at, &unique, live, deleted);
            }
        }
        for leaver in planner.leavers() {
            let model = self.schema.by_id(leaver.model).unwrap().name();
            let record = if leaver.id.is_set() {
                self.get(model, leaver.id)
            } else {
                self.find(model, &leaver.key, false).pop()
            };
            planner.tell_leaver(leaver, record);
        }
        planner.finish()
    }

    #[track_caller]
    fn check(&self, nodes: &str, expected: &[&str]) {
        assert_eq!(self.plan(nodes).lines().collect::<Vec<_>>(), expected);
    }
}

const HELLO: &str = "service: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}
instance: {type: tosca.nodes.HelloWorldServiceInstance, properties: {name: one, hello_to: Arya}, requirements: [owner: service]}";

fn hello() -> World {
    World::new()
        .object("HelloWorldService", 1, &[("name", "Hello".into()), ("hello_from", "Jon".into())])
        .object(
            "HelloWorldServiceInstance",
            1,
            &[("name", "one".into()), ("hello_to", "Arya".into()), ("owner", Value::Link(1.into()))],
        )
}

fn remembered() -> World {
    hello().applied("service", "HelloWorldService", 1, true).applied(
        "instance",
        "HelloWorldServiceInstance",
        1,
        true,
    )
}

#[test]
fn what_is_missing_is_created_targets_first() {
    World::new().check(
        HELLO,
        &[
            "create    service (HelloWorldService): name, hello_from",
            "create    instance (HelloWorldServiceInstance): name, hello_to, owner",
        ],
    );
}

#[test]
fn an_owner_that_the_core_takes_by_itself_comes_first_too() {
    let nodes = "a: {type: tosca.nodes.HelloWorldServiceInstance, properties: {name: one, hello_to: Arya}}
z: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}";
    World::new().check(
        nodes,
        &[
            "create    z (HelloWorldService): name, hello_from",
            "create    a (HelloWorldServiceInstance): name, hello_to",
        ],
    );
}

#[test]
fn what_matches_is_left_alone() {
    let expected =
        ["leave     service (HelloWorldService 1)", "leave     instance (HelloWorldServiceInstance 1)"];
    remembered().check(HELLO, &expected);
    // Also what somebody else made, and nothing is known about.
    hello().check(HELLO, &expected);
}

#[test]
fn only_what_differs_is_written() {
    remembered().check(
        &HELLO.replace("Arya", "Sansa"),
        &[
            "leave     service (HelloWorldService 1)",
            "update    instance (HelloWorldServiceInstance 1): hello_to",
        ],
    );
}

#[test]
fn a_changed_key_renames_what_the_recipe_made() {
    remembered().check(
        &HELLO.replace("name: one", "name: two"),
        &[
            "leave     service (HelloWorldService 1)",
            "update    instance (HelloWorldServiceInstance 1): name",
        ],
    );
}

#[test]
fn a_changed_key_does_not_rename_what_somebody_else_made() {
    let world = hello().applied("instance", "HelloWorldServiceInstance", 1, false);
    world.check(
        &HELLO.replace("name: one", "name: two"),
        &[
            "leave     service (HelloWorldService 1)",
            "create    instance (HelloWorldServiceInstance): name, hello_to, owner",
            "kept      instance (HelloWorldServiceInstance 1): this recipe did not create it",
        ],
    );
}

#[test]
fn a_renamed_node_keeps_its_object() {
    remembered().check(
        &HELLO.replace("instance:", "greeting:"),
        &["leave     service (HelloWorldService 1)", "leave     greeting (HelloWorldServiceInstance 1)"],
    );
}

#[test]
fn a_renamed_node_is_not_remembered_twice() {
    let plan = remembered().planned(&HELLO.replace("instance:", "greeting:")).unwrap();
    assert_eq!(plan.stale, ["instance"]);
}

#[test]
fn what_somebody_deleted_is_created_again() {
    let mut world = remembered();
    world.objects.pop();
    world.check(
        HELLO,
        &[
            "leave     service (HelloWorldService 1)",
            "create    instance (HelloWorldServiceInstance): name, hello_to, owner",
            "gone      instance (HelloWorldServiceInstance)",
        ],
    );
}

#[test]
fn what_left_the_recipe_is_deleted_and_dependents_first() {
    remembered().check(
        "",
        &["delete    instance (HelloWorldServiceInstance 1)", "delete    service (HelloWorldService 1)"],
    );
}

#[test]
fn what_somebody_else_made_is_never_deleted() {
    let world = hello().applied("service", "HelloWorldService", 1, false).applied(
        "instance",
        "HelloWorldServiceInstance",
        1,
        true,
    );
    world.check(
        "",
        &[
            "delete    instance (HelloWorldServiceInstance 1)",
            "kept      service (HelloWorldService 1): this recipe did not create it",
        ],
    );
    hello().check("", &[]);
}

#[test]
fn what_is_write_protected_is_kept() {
    let world = World::new()
        .object("HelloWorldService", 1, &[("name", "Hello".into()), ("write_protect", Value::Bool(true))])
        .applied("service", "HelloWorldService", 1, true);
    world.check("", &[
        "kept      service (HelloWorldService 1): it is write-protected; set write_protect to false and apply again",
    ]);
}

#[test]
fn a_node_that_would_be_taken_along_is_a_fault() {
    let instance =
        "instance: {type: tosca.nodes.HelloWorldServiceInstance, properties: {name: one, hello_to: Arya}}";
    remembered().check(instance, &[
        "node instance: owner: still links to HelloWorldService 1, which left the recipe as node service and would \
         take it along; keep that node, remove this one too, or give it another owner",
    ]);
}

#[test]
fn must_exist_is_found_or_a_fault() {
    let nodes = "service: {type: tosca.nodes.Service, properties: {name: Hello, must-exist: true}}
instance: {type: tosca.nodes.HelloWorldServiceInstance, properties: {name: two, hello_to: Bran}, requirements: [owner: service]}";
    hello().check(
        nodes,
        &[
            "leave     service (Service 1)",
            "create    instance (HelloWorldServiceInstance): name, hello_to, owner",
        ],
    );
    World::new().check(nodes, &["node service: must exist, but there is no Service with name \"Hello\""]);
    let changed = nodes.replace("must-exist: true", "must-exist: true, description: d");
    assert!(hello().plan(&changed).starts_with("update    service (Service 1): description\n"));
}

#[test]
fn several_objects_with_one_key_are_a_fault() {
    let world = hello().object("HelloWorldServiceInstance", 2, &[("name", "one".into())]);
    world.check(HELLO, &[
        "node instance: there are several objects of HelloWorldServiceInstance with name \"one\"; only one can be \
         meant: delete or rename the others",
    ]);
}

#[test]
fn a_required_field_or_link_is_missed_before_anything_is_written() {
    let nodes = "a: {type: tosca.nodes.HelloWorldService, properties: {name: Hello}}
b: {type: tosca.nodes.ServiceInstance, properties: {name: i}}
c: {type: tosca.nodes.ServicePort, properties: {name: p, internal_port: 5}, requirements: [service: a]}";
    World::new().check(nodes, &[
        "node a: HelloWorldService needs hello_from; add it under properties",
        "node b: ServiceInstance needs the link owner; add \"- owner: {node: <name>}\" under requirements, where \
         <name> is a node of type tosca.nodes.Service",
        "node c: ServicePort needs external_port; add it under properties",
    ]);
}

#[test]
fn a_unique_value_that_is_taken_is_a_fault() {
    let service = "a: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}";
    World::new()
        .object("Service", 7, &[("name", "Hello".into())])
        .check(service, &["node a: Service 7 has name \"Hello\" already, and it must be unique"]);
    let both = format!("{service}\nb: {{type: tosca.nodes.Service, properties: {{name: Hello}}}}");
    World::new().check(&both, &["node b: has name \"Hello\" as node a has, and it must be unique"]);
}

#[test]
fn a_unique_value_of_an_object_that_is_being_deleted_is_waited_for() {
    let world = World::new().object(
        "HelloWorldService",
        1,
        &[("name", "Hello".into()), ("deleted", Value::Bool(true))],
    );
    let plan =
        world.plan("a: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}");
    assert_eq!(
        plan.lines().last().unwrap(),
        "wait      node a: HelloWorldService 1 still has name \"Hello\" while it \
        is being deleted; apply again when it is gone"
    );
}

#[test]
fn another_type_under_the_same_name_deletes_the_old_object_first() {
    let world =
        World::new().object("Service", 1, &[("name", "Hello".into())]).applied("service", "Service", 1, true);
    world.check("service: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}", &[
        "create    service (HelloWorldService): name, hello_from",
        "delete    service (Service 1)",
        "wait      node service: Service 1, which left the recipe as node service, still has name \"Hello\"; apply \
         again when it is gone",
    ]);
}

#[test]
fn links_are_keys() {
    let nodes = "s: {type: tosca.nodes.Slice, properties: {name: s, must-exist: true}}
n: {type: tosca.nodes.Network, properties: {name: n, must-exist: true}}
ns: {type: tosca.nodes.NetworkSlice, requirements: [network: n, slice: s]}";
    let world = World::new()
        .object("Slice", 3, &[("name", "s".into())])
        .object("Network", 4, &[("name", "n".into())])
        .object("NetworkSlice", 5, &[("network", Value::Link(4.into())), ("slice", Value::Link(9.into()))]);
    assert!(world.plan(nodes).ends_with("create    ns (NetworkSlice): network, slice"));
    let world = world.object(
        "NetworkSlice",
        6,
        &[("network", Value::Link(4.into())), ("slice", Value::Link(3.into()))],
    );
    assert!(world.plan(nodes).ends_with("leave     ns (NetworkSlice 6)"));
}

#[test]
fn nodes_that_are_one_object_may_not_contradict_each_other() {
    let nodes = "a: {type: tosca.nodes.HelloWorldService, properties: {name: Hello, hello_from: Jon}}
b: {type: tosca.nodes.Service, properties: {name: Hello, must-exist: true, description: d}}";
    hello().check(nodes, &["leave     a (HelloWorldService 1)", "update    b (Service 1): description"]);
    let nodes = nodes.replace("hello_from: Jon", "hello_from: Jon, description: e");
    hello().check(
        &nodes,
        &["node b: description: is Service 1 as node a is, but gives it another description; make them one \
         node, or rename in two steps"],
    );
}

#[test]
fn what_the_core_made_of_a_value_is_not_written_again() {
    let nodes = |addresses: &str| {
        format!("a: {{type: tosca.nodes.AddressPool, properties: {{name: p, addresses: {addresses}}}}}")
    };
    let mut world = World::new()
        .object("AddressPool", 1, &[("name", "p".into()), ("addresses", "10.0.0.2 10.0.0.3".into())])
        .applied("a", "AddressPool", 1, true);
    assert_eq!(world.plan(&nodes("10.0.0.0/29")), "update    a (AddressPool 1): addresses");
    let settled = Settled { asked: "10.0.0.0/29".into(), stored: "10.0.0.2 10.0.0.3".into() };
    world.applied.nodes.get_mut("a").unwrap().settled.insert("addresses".into(), settled);
    assert_eq!(world.plan(&nodes("10.0.0.0/29")), "leave     a (AddressPool 1)");
    assert_eq!(world.plan(&nodes("10.0.0.0/28")), "update    a (AddressPool 1): addresses");
}

#[test]
fn a_password_is_not_compared() {
    let nodes = "u: {type: tosca.nodes.User, properties: {email: a@b.c, password: letmein}}";
    let world =
        World::new().object("User", 1, &[("email", "a@b.c".into()), ("password", "pbkdf2$...".into())]);
    world.check(nodes, &["leave     u (User 1)"]);
}

#[test]
fn a_creation_that_was_cut_short_is_the_recipes_own() {
    let mut world = World::new()
        .object("HelloWorldService", 1, &[("name", "Hello".into()), ("hello_from", "Jon".into())])
        .applied("service", "HelloWorldService", 0, true);
    world.applied.nodes.get_mut("service").unwrap().key.insert("name".into(), "Hello".into());
    world.check("", &["delete    service (HelloWorldService 1)"]);
    world.check(HELLO.lines().next().unwrap(), &["leave     service (HelloWorldService 1)"]);
    world.objects.clear();
    world.check("", &["gone      service (HelloWorldService)"]);
}

#[test]
fn a_model_that_is_not_loaded_any_more_is_remembered() {
    let world = World::new().applied("t", "Teapot", 4, true);
    world.check("", &["kept      t (Teapot 4): the core has no model Teapot now"]);
}
