#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod formulas;
mod moves;

use std::collections::BTreeMap;

use tonic::Code;
use xos_model_client::models::{
    Network, NetworkSlice, NetworkTemplate, Node, Port, Privilege, Service, Site, Slice, Tag, User,
    XosGuiExtension,
};
use xos_model_client::{
    Caller, Link, Links, LoadModels, Model, ModelClient, ModelDef, Onboard, Query, ServiceFiles, Timestamp,
};

use super::*;

/// Two sites, each with a user, slices of theirs, and all that hangs on slices.
struct World {
    core: EmbeddedCore,
    policies: Policies,
    client: ModelClient,
    /// By e-mail address.
    people: BTreeMap<&'static str, Who>,
}

const MODELS: [&str; 10] = [
    "Site",
    "User",
    "Privilege",
    "Slice",
    "Network",
    "NetworkSlice",
    "Port",
    "Tag",
    "XOSGuiExtension",
    "Service",
];

impl World {
    async fn new() -> Self {
        let core = EmbeddedCore::in_memory().unwrap();
        let client = ModelClient::new(Arc::new(core.clone()), Caller::Client);
        let mut sites = Vec::new();
        for name in ["one", "two"] {
            let (login_base, abbreviated_name) = (name.into(), name.into());
            sites.push(
                client
                    .create(Site { name: name.into(), login_base, abbreviated_name, ..Site::default() })
                    .await
                    .unwrap()
                    .id,
            );
        }
        let mut people = BTreeMap::new();
        for (email, at, is_admin) in [("admin", 0, true), ("joe", 0, false), ("ann", 1, false)] {
            let (firstname, lastname) = (email.into(), email.into());
            let user = User {
                email: email.into(),
                firstname,
                lastname,
                is_admin,
                site: Link::to(sites[at]),
                ..User::default()
            };
            let user = client.create(user).await.unwrap();
            let person = Person { id: user.id, email: email.into(), is_admin };
            people.insert(email, Who::User(Arc::new(person)));
        }
        let world = World { policies: Policies::new(core.clone()), core, client, people };
        let service = world.create(Service { name: "service".into(), ..Service::default() }).await.id;
        let template =
            world.create(NetworkTemplate { name: "template".into(), ..NetworkTemplate::default() }).await.id;
        for (name, site, creator) in [
            ("one_joe", 0, Some("joe")),
            ("one_none", 0, None),
            ("two_ann", 1, Some("ann")),
            ("two_joe", 1, Some("joe")),
        ] {
            let creator = creator.map(|email| Link::to(world.person(email).id));
            let slice = Slice { name: name.into(), site: Link::to(sites[site]), creator, ..Slice::default() };
            let slice = world.create(slice).await.id;
            let owner = Link::to(slice);
            let network = Network {
                name: name.into(),
                owner,
                template: Link::to(template),
                permit_all_slices: true,
                permitted_slices: Links::default(),
                ..Network::default()
            };
            let network = world.create(network).await.id;
            let slice = Link::to(slice);
            world.create(NetworkSlice { network: Link::to(network), slice, ..NetworkSlice::default() }).await;
            world.create(Port { network: Link::to(network), ..Port::default() }).await;
        }
        let slices = world.all("Slice").await;
        let networks = world.all("Network").await;
        let crossed = NetworkSlice {
            network: Link::to(networks[0].id()),
            slice: Link::to(slices[2].id()),
            ..NetworkSlice::default()
        };
        world.create(crossed).await;
        let (value, content_type) = ("v".into(), "Slice".into());
        world
            .create(Tag {
                service: Link::to(service),
                name: "t".into(),
                value,
                content_type,
                object_id: 1,
                ..Tag::default()
            })
            .await;
        world
            .create(XosGuiExtension { name: "g".into(), files: "f".into(), ..XosGuiExtension::default() })
            .await;
        world
    }

    async fn create<M: Model>(&self, object: M) -> M {
        self.client.create(object).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn all(&self, model: &str) -> Vec<Record> {
        let shape = self.model(model).shape.clone();
        self.core.find(&Query::live(shape), xos_model_client::Page::first(100_000)).await.unwrap().records
    }

    fn model(&self, name: &str) -> ModelInfo {
        self.core.schema().model(name).unwrap().clone()
    }

    fn who(&self, email: &str) -> &Who {
        &self.people[email]
    }

    fn person(&self, email: &str) -> &Person {
        let Who::User(person) = self.who(email) else { panic!() };
        person
    }

    async fn privilege(&self, user: &str, of: (&str, i32), permission: &str) -> Privilege {
        self.create(Privilege {
            accessor_type: "User".into(),
            accessor_id: self.person(user).id.get(),
            object_type: of.0.into(),
            object_id: of.1,
            permission: permission.into(),
            ..Privilege::default()
        })
        .await
    }

    async fn may(&self, email: &str, access: Access, model: &str, object: &Record) -> bool {
        self.policies.check(self.who(email), access, &self.model(model), object).await.is_ok()
    }
}

/// All objects, by model.
type Snapshot = BTreeMap<&'static str, Vec<Record>>;

/// What the table of the policies says, in plain words of this test.
struct Oracle<'a> {
    objects: &'a Snapshot,
    user: &'a Person,
    write: bool,
}

impl Oracle<'_> {
    fn int(object: &Record, field: &str) -> i32 {
        match object.get(field) {
            Some(Value::Int(int)) => *int as i32,
            Some(Value::Link(id)) => id.get(),
            _ => 0,
        }
    }

    fn linked(&self, object: &Record, field: &str, model: &str) -> &Record {
        let id = Self::int(object, field);
        self.objects[model].iter().find(|object| object.id().get() == id).unwrap()
    }

    /// The permissions that the user has on an object.
    fn permissions(&self, kind: &str, id: i32) -> Vec<&str> {
        let text =
            |privilege: &'_ Record, field: &str| privilege.get(field).unwrap().as_text().unwrap().to_owned();
        self.objects["Privilege"]
            .iter()
            .filter(|privilege| {
                text(privilege, "accessor_type") == "User"
                    && Self::int(privilege, "accessor_id") == self.user.id.get()
                    && text(privilege, "object_type") == kind
                    && Self::int(privilege, "object_id") == id
                    && privilege.get("expires") == Some(&Value::Null)
            })
            .map(|privilege| privilege.get("permission").unwrap().as_text().unwrap())
            .collect()
    }

    fn administers(&self, kind: &str, id: i32) -> bool {
        self.permissions(kind, id).contains(&"role:admin")
    }

    fn site(&self, site: i32) -> bool {
        !self.write || self.administers("Site", site)
    }

    fn slice(&self, slice: &Record) -> bool {
        let (site, id) = (Self::int(slice, "site"), slice.id().get());
        let mine = Self::int(slice, "creator") == self.user.id.get()
            || if self.write {
                self.administers("Slice", id)
            } else {
                !self.permissions("Slice", id).is_empty()
            };
        (self.site(site) && mine)
            || !self.permissions("Slice", id).is_empty()
            || self.administers("Site", site)
    }

    fn network(&self, network: &Record) -> bool {
        self.slice(self.linked(network, "owner", "Slice"))
    }

    fn allows(&self, model: &str, object: &Record) -> bool {
        if self.user.is_admin {
            return true;
        }
        match model {
            "Site" => self.site(object.id().get()),
            "User" => {
                let is_admin = object.get("is_admin") == Some(&Value::Bool(true));
                let allowed =
                    object.id() == self.user.id || self.administers("Site", Self::int(object, "site"));
                allowed && !(self.write && is_admin)
            }
            "Privilege" => {
                let kind = object.get("object_type").unwrap().as_text().unwrap();
                self.administers(kind, Self::int(object, "object_id"))
            }
            "Slice" => self.slice(object),
            "Network" => self.network(object),
            "NetworkSlice" => {
                self.slice(self.linked(object, "slice", "Slice"))
                    && self.network(self.linked(object, "network", "Network"))
            }
            "Port" => self.network(self.linked(object, "network", "Network")),
            "Tag" | "XOSGuiExtension" => false,
            _ => true,
        }
    }
}

#[test]
fn the_policies_of_the_core_can_be_read_and_evaluated() {
    let document = core_policies().unwrap();
    let names: Vec<&str> = document.policies().map(|policy| policy.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "admin_policy",
            "tag_policy",
            "user_policy",
            "grant_policy",
            "site_policy",
            "slice_policy",
            "network_policy",
            "network_slice_policy",
            "port_policy",
            "service_policy"
        ]
    );
    let core = EmbeddedCore::in_memory().unwrap();
    let policies = Policies::new(core.clone());
    let mut attached = BTreeMap::new();
    for model in core.schema().models() {
        if let Some(policy) = policies.compiled(model) {
            assert_eq!(policy.problems, Vec::<String>::new(), "{}", model.name());
            assert!(
                policy.is_open(Access::Write, true),
                "{}: an administrator may do everything",
                model.name()
            );
            attached.insert(model.name().to_string(), policy.name.clone());
        }
    }
    let expected = [
        ("Network", "network_policy"),
        ("NetworkSlice", "network_slice_policy"),
        ("Port", "port_policy"),
        ("Privilege", "grant_policy"),
        ("Site", "site_policy"),
        ("Slice", "slice_policy"),
        ("Tag", "tag_policy"),
        ("User", "user_policy"),
        ("XOSGuiExtension", "admin_policy"),
    ];
    assert_eq!(attached, expected.map(|(model, policy)| (model.to_owned(), policy.to_owned())).into());
}

/// Whatever privileges there are, the evaluator says what the table says: of one object, and of lists.
#[tokio::test]
async fn the_evaluator_agrees_with_the_table() {
    let world = World::new().await;
    let slices = world.all("Slice").await;
    let (joe, ann) = (world.person("joe").id.get(), world.person("ann").id.get());
    let mine = slices[0].id().get();
    let foreign = slices[2].id().get();
    let privilege = |accessor_id, object_type: &str, object_id, permission: &str| Privilege {
        accessor_type: "User".into(),
        accessor_id,
        object_type: object_type.into(),
        object_id,
        permission: permission.into(),
        ..Privilege::default()
    };
    let sites = world.all("Site").await;
    let second = sites[1].id().get();
    let choices = [
        privilege(joe, "Site", sites[0].id().get(), "role:admin"),
        privilege(joe, "Site", second, "role:admin"),
        privilege(joe, "Slice", mine, "role:admin"),
        privilege(joe, "Slice", foreign, "role:access"),
        Privilege { accessor_type: "Service".into(), ..privilege(joe, "Slice", foreign, "role:admin") },
        Privilege {
            expires: Some(Timestamp::from_seconds(1.0)),
            ..privilege(joe, "Site", second, "role:admin")
        },
        privilege(ann, "Slice", mine, "role:admin"),
    ];
    let mut there: Vec<Option<Privilege>> = vec![None; choices.len()];
    let (mut compared, mut allowed) = (0, 0);
    // Each step adds or takes away one privilege: all subsets, one after the other.
    for step in 1..=(1_u32 << choices.len()) {
        let mut objects = Snapshot::new();
        for model in MODELS {
            objects.insert(model, world.all(model).await);
        }
        for email in ["admin", "joe", "ann"] {
            let user = world.person(email);
            for model in MODELS {
                let info = world.model(model);
                let read = Oracle { objects: &objects, user, write: false };
                let listed =
                    world.policies.readable(world.who(email), &info, objects[model].clone()).await.unwrap();
                let ids: Vec<ObjectId> = listed.iter().map(Record::id).collect();
                let expected: Vec<ObjectId> = objects[model]
                    .iter()
                    .filter(|object| read.allows(model, object))
                    .map(Record::id)
                    .collect();
                assert_eq!(ids, expected, "step {step}: what {email} reads of {model}");
                compared += objects[model].len();
                if email != "joe" && step % 8 != 0 {
                    continue;
                }
                let write = Oracle { objects: &objects, user, write: true };
                for object in &objects[model] {
                    let expected = write.allows(model, object);
                    let found = world.may(email, Access::Write, model, object).await;
                    assert_eq!(found, expected, "step {step}: whether {email} writes {object:?}");
                    compared += 1;
                    allowed += usize::from(found);
                }
            }
        }
        let at = step.trailing_zeros() as usize;
        if let Some(there) = there.get_mut(at) {
            match there.take() {
                Some(privilege) => drop(world.client.delete(&privilege).await.unwrap()),
                None => *there = Some(world.create(choices[at].clone()).await),
            }
        }
    }
    assert!(compared > 5000 && allowed > 1000, "{compared} compared, {allowed} allowed");
}

#[tokio::test]
async fn a_denial_says_who_what_and_why() {
    let world = World::new().await;
    let site = world.model("Site");
    let first = world.all("Site").await.remove(0);
    let text = |id: &str, class: &str, policy: &str| {
        format!(
            "{{\"fields\": {{}}, \"specific_error\": \"User joe cannot access {class} {id} due to policy {policy}\", \"error\": \"XOSPermissionDenied\"}}"
        )
    };
    let status = world.policies.check(world.who("joe"), Access::Write, &site, &first).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::PermissionDenied, text("object 1", "Site", "site_policy").as_str())
    );
    let slice = world.model("Slice");
    let mut values = vec![Value::Null; slice.fields.len()];
    values[slice.shape.position("site").unwrap()] = Value::Link(first.id());
    let new = Record::new(slice.shape.clone(), values);
    let status = world.policies.check(world.who("joe"), Access::Write, &slice, &new).await.unwrap_err();
    assert_eq!(status.message(), text("new object", "Slice", "slice_policy"));
    assert!(world.policies.check(&Who::Local, Access::Write, &slice, &new).await.is_ok());
    world.privilege("joe", ("Site", first.id().get()), "role:admin").await;
    assert!(world.policies.check(world.who("joe"), Access::Write, &slice, &new).await.is_ok());
}

fn changed(object: &Record, field: &str, value: Value) -> Record {
    let mut values = object.values().to_vec();
    values[object.shape().position(field).unwrap()] = value;
    Record::new(object.shape().clone(), values)
}

#[tokio::test]
async fn a_list_costs_as_many_reads_as_one_object() {
    let world = World::new().await;
    let slice = world.model("Slice");
    let first = world.all("Slice").await.remove(0);
    // 10,000 slices without ids in the store, at 100 sites that are.
    let mut sites = Vec::new();
    for at in 0..100 {
        let name = format!("site{at}");
        let (login_base, abbreviated_name) = (name.clone(), name.clone());
        sites.push(world.create(Site { name, login_base, abbreviated_name, ..Site::default() }).await.id);
    }
    for site in &sites[..10] {
        world.privilege("joe", ("Site", site.get()), "role:admin").await;
    }
    world.privilege("joe", ("Slice", 1_000_099), "role:access").await;
    let slices: Vec<Record> = (0..10_000)
        .map(|at| {
            let moved = changed(&first, "site", Value::Link(sites[at % 100]));
            let other = changed(&moved, "creator", Value::Null);
            changed(&other, "id", Value::Int(1_000_000 + at as i64))
        })
        .collect();
    let policy = world.policies.compiled(&slice).unwrap();
    let person = world.person("joe");
    for (objects, expected) in [(slices.clone(), 1001), (slices[..1].to_vec(), 1)] {
        let count = objects.len();
        let node = policy.node.specialise(&Ctx { access: Access::Read, is_admin: false, user: Some(person) });
        let mut evaluation = Evaluation::new(&world.core, world.core.schema(), person);
        let envs: Vec<Env> = objects.into_iter().map(Env::of).collect();
        let said = evaluation.all(&node, &envs).await.unwrap();
        assert_eq!(said.iter().filter(|said| **said == Tri::True).count(), expected);
        assert!(evaluation.reads <= 4, "{} reads for {count} objects", evaluation.reads);
    }
}

#[tokio::test]
async fn models_without_a_policy_are_open_to_everybody() {
    let world = World::new().await;
    for model in ["Service", "ServiceInstance", "Node"] {
        assert!(world.policies.is_open(world.who("joe"), Access::Write, &world.model(model)), "{model}");
    }
    let site = world.create(Node { name: "n".into(), ..Node::default() }).await;
    assert!(site.id.is_set());
    let node = world.all("Node").await.remove(0);
    assert!(world.may("joe", Access::Write, "Node", &node).await);
}
