//! Two cores that are asked the same, one in this process and one through our server, give the same answers.
//!
//! The invariant: whatever is created, changed, deleted, read and asked for, in whatever order and on whoever's behalf,
//! a client through the wire is told what a caller in process is told, but for the times, which are each core's own.

use std::sync::Arc;

use secrecy::SecretString;
use xos_core::EmbeddedCore;
use xos_core::server::Accounts;
use xos_model_client::grpc::CoreClient;
use xos_model_client::{
    Caller, ChoiceDef, Condition, Error, ErrorKind, FieldDef, FieldPos, Guard, Kind, LinkDef, LoadModels,
    ModelAccessor, ModelDef, ObjectId, Onboard, Op, Operator, Page, Presence, Query, QueryKind, Record,
    ServiceFiles, Target, Timestamp, Touch, Value, Write,
};
use xos_sync_tests::ours::{OurServer, PASSWORD};

/// How many seeds there are, and how many things happen in each.
const SEEDS: u64 = 200;
const STEPS: usize = 40;

/// Numbers that only a seed decides.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

fn field(number: u16, name: &'static str, kind: Kind) -> FieldDef {
    let target = if kind == Kind::Links { "Service" } else { "Thing" };
    let link = LinkDef { target: target.into(), reverse: None, reverse_number: None };
    FieldDef {
        name: name.into(),
        number,
        kind,
        presence: Presence::Optional,
        max_length: kind.is_text().then_some(12),
        text: false,
        default: None,
        choices: Vec::new().into(),
        unique: false,
        unique_with: Vec::new().into(),
        db_index: false,
        feedback: false,
        bookkeeping: false,
        gui_hidden: false,
        secret: false,
        auto_now_add: false,
        tosca_key: false,
        tosca_key_one_of: None,
        link: matches!(kind, Kind::Link | Kind::Links).then_some(link),
        help: "".into(),
    }
}

fn models() -> Vec<ModelDef> {
    let choices = ["in", "out"].map(|text| ChoiceDef { value: Some(text.into()), label: text.into() });
    let thing = ModelDef {
        name: "Thing".into(),
        app_label: "test".into(),
        version: "1".into(),
        base: Some("XOSBase".into()),
        owner_class: None,
        is_abstract: false,
        plural: None,
        verbose_name: None,
        policy: None,
        validators: Vec::new().into(),
        custom_python: false,
        fields: vec![
            FieldDef { presence: Presence::Required, ..field(1, "title", Kind::Text) },
            FieldDef { unique: true, ..field(2, "label", Kind::Text) },
            FieldDef { choices: choices.to_vec().into(), ..field(3, "direction", Kind::Text) },
            field(4, "number", Kind::Int32),
            field(5, "on", Kind::Bool),
            field(6, "since", Kind::Date),
            field(7, "best", Kind::Link),
            field(8, "members", Kind::Links),
            FieldDef { feedback: true, ..field(9, "state", Kind::Text) },
            field(10, "code", Kind::Stripped),
            field(11, "address", Kind::Ip),
        ]
        .into(),
        help: "".into(),
        needs: &[],
    };
    let leaf = ModelDef {
        name: "Leaf".into(),
        base: Some("Thing".into()),
        fields: Vec::new().into(),
        ..thing.clone()
    };
    vec![thing, leaf]
}

const MODELS: [&str; 4] = ["Thing", "Leaf", "Service", "ServiceInstance"];

struct Pair {
    here: Arc<dyn ModelAccessor>,
    there: Arc<dyn ModelAccessor>,
    _server: OurServer,
}

/// One thing that is asked of both.
#[derive(Clone, Debug)]
enum Step {
    Create { model: &'static str, fields: Vec<(&'static str, Value)> },
    Set { model: &'static str, id: ObjectId, fields: Vec<(&'static str, Value)>, by: Caller, touch: Touch },
    Delete { model: &'static str, id: ObjectId },
    Get { model: &'static str, ids: Vec<ObjectId> },
    Find { model: &'static str, kind: QueryKind, conditions: Vec<Condition> },
}

impl Pair {
    async fn new() -> Self {
        let here = EmbeddedCore::in_memory().unwrap();
        Accounts::first_start(&here, Some(SecretString::from(PASSWORD))).await.unwrap();
        let server = OurServer::start(EmbeddedCore::in_memory().unwrap()).await.unwrap();
        let there = CoreClient::new(server.plain()).unwrap();
        there.ready().await.unwrap();
        let pair = Pair { here: Arc::new(here), there: Arc::new(there), _server: server };
        for core in [&pair.here, &pair.there] {
            let load = LoadModels {
                name: "test".into(),
                version: "1".into(),
                models: models(),
                core_version: None,
                files: ServiceFiles::default(),
            };
            core.onboard(&Onboard::Load(load)).await.unwrap();
        }
        pair
    }

    /// Asks both; what is told, and the id of what was created.
    async fn step(&self, step: &Step) -> (String, String, Option<ObjectId>) {
        let (here, created) = told(&*self.here, step).await;
        let (there, _) = told(&*self.there, step).await;
        (here, there, created)
    }

    /// Removes everything that a seed made.
    async fn clear(&self) {
        for model in ["ServiceInstance", "Thing", "Service"] {
            let ids = |kind| async move {
                let shape = self.here.schema().expect_model(model).unwrap().shape.clone();
                let found =
                    self.here.find(&Query::live(shape).of_kind(kind), Page::first(10_000)).await.unwrap();
                found.records.iter().map(Record::id).collect::<Vec<_>>()
            };
            for id in ids(QueryKind::Live).await {
                let free =
                    vec![("write_protect", Value::Bool(false)), ("backend_need_delete", Value::Bool(false))];
                let touch = Touch::AsTheRulesSay;
                self.step(&Step::Set { model, id, fields: free, by: Caller::Engine, touch }).await;
                self.step(&Step::Delete { model, id }).await;
            }
            for id in ids(QueryKind::DeletedObjects).await {
                let reap = vec![("backend_need_reap", Value::Bool(true))];
                let touch = Touch::AsTheRulesSay;
                self.step(&Step::Set { model, id, fields: reap, by: Caller::Engine, touch }).await;
            }
            assert!(ids(QueryKind::Live).await.is_empty() && ids(QueryKind::DeletedObjects).await.is_empty());
        }
    }
}

fn record(record: &Record) -> String {
    let values = record.iter().map(|(field, value)| match value {
        Value::Time(time) if field.name != "since" => format!("{}: {}", field.name, time.is_set()),
        value => format!("{}: {value:?}", field.name),
    });
    values.collect::<Vec<_>>().join(", ")
}

/// What an error says, whoever says it: the kind, and the fields that it is about.
fn error(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => {
            let mut fields: Vec<_> =
                faults.iter().map(|fault| fault.field.clone().unwrap_or_default()).collect();
            fields.sort();
            fields.dedup();
            format!("invalid: {}", fields.join(", "))
        }
        ErrorKind::NotFound { .. } => "not found".to_owned(),
        ErrorKind::Denied { .. } => "denied".to_owned(),
        ErrorKind::Query { .. } => "a query that means nothing".to_owned(),
        _ => error.to_string(),
    }
}

async fn told(core: &dyn ModelAccessor, step: &Step) -> (String, Option<ObjectId>) {
    let shape = |model: &str| core.schema().expect_model(model).unwrap().shape.clone();
    let write =
        |model: &str, target, op, by| Write { shape: shape(model), target, op, by, guard: Guard::None };
    let placed = |model: &str, fields: &[(&'static str, Value)]| {
        let shape = shape(model);
        let place = |name: &str| shape.position(name).unwrap() as FieldPos;
        fields.iter().map(|(name, value)| (place(name), value.clone())).collect::<Vec<_>>()
    };
    let write = match step {
        Step::Create { model, fields } => {
            write(model, Target::New, Op::Create(placed(model, fields)), Caller::Client)
        }
        Step::Set { model, id, fields, by, touch } => {
            let op = Op::Set { fields: placed(model, fields), touch: *touch };
            write(model, Target::Object(*id), op, *by)
        }
        Step::Delete { model, id } => write(model, Target::Object(*id), Op::Delete, Caller::Client),
        Step::Get { model, ids } => {
            let answer = core.get(&shape(model), ids).await;
            let all = answer.map(|found| {
                let one = |found: &Option<Record>| found.as_ref().map_or("none".to_owned(), record);
                found.iter().map(one).collect::<Vec<_>>().join("\n")
            });
            return (all.unwrap_or_else(|fault| error(&fault)), None);
        }
        Step::Find { model, kind, conditions } => {
            let mut query = Query::live(shape(model)).of_kind(*kind);
            query.conditions.clone_from(conditions);
            let answer = core.find(&query, Page::first(10_000)).await;
            let all = answer.map(|found| found.records.iter().map(record).collect::<Vec<_>>().join("\n"));
            return (all.unwrap_or_else(|fault| error(&fault)), None);
        }
    };
    let is_deletion = matches!(write.op, Op::Delete);
    match core.write(vec![write]).await.pop().unwrap() {
        // What is purged at once is there no more.
        Ok(written) if is_deletion => (format!("{} {}", written.id, written.changed), None),
        Ok(written) => (record(&written.record.unwrap()), Some(written.id)),
        Err(fault) => (error(&fault), None),
    }
}

/// The fields that lead to other objects.
const LINKS: [&str; 4] = ["best", "owner", "master_serviceinstance", "members"];

/// Whether two answers say the same. A link that leads nowhere is told through the wire in the words of a core 4.0.4,
/// which are about the whole object, and after all other faults.
fn alike(here: &str, there: &str) -> bool {
    let about_links = |told: &str| {
        told.strip_prefix("invalid: ")
            .is_some_and(|fields| fields.split(", ").any(|field| LINKS.contains(&field)))
    };
    here == there || about_links(here) && there.starts_with("invalid: ")
}

fn some_text(random: &mut Random) -> Value {
    random
        .of(&["", "a", "b", "Stark", "stark", "größe", "x_y%", " in ", "twelve chars", "thirteen char"])
        .into()
}

fn some_link(random: &mut Random, known: &[ObjectId]) -> ObjectId {
    match random.below(8) {
        0 => ObjectId::UNSET,
        1 => ObjectId::new(999_999),
        _ if known.is_empty() => ObjectId::UNSET,
        _ => random.of(known),
    }
}

fn some_fields(random: &mut Random, model: &str, known: &[ObjectId]) -> Vec<(&'static str, Value)> {
    let own: &[&'static str] = match model {
        "Thing" | "Leaf" => &[
            "title",
            "label",
            "direction",
            "number",
            "on",
            "since",
            "best",
            "members",
            "state",
            "code",
            "address",
        ],
        "Service" => &["name", "description", "kind", "enabled"],
        _ => &["name", "owner", "master_serviceinstance", "link_deleted_count"],
    };
    let common = [
        "backend_status",
        "backend_code",
        "no_sync",
        "lazy_blocked",
        "no_policy",
        "write_protect",
        "deleted",
        "backend_need_delete",
        "backend_need_reap",
        "policed",
        "enacted",
        "policy_status",
    ];
    let mut fields: Vec<(&'static str, Value)> = Vec::new();
    for _ in 0..=random.below(5) {
        let name = if random.chance(70) { random.of(own) } else { random.of(&common) };
        if fields.iter().any(|(given, _)| *given == name) {
            continue;
        }
        let value = match name {
            "number" | "backend_code" | "link_deleted_count" => Value::Int(random.below(4) as i64),
            "since" | "policed" | "enacted" => {
                Value::Time(Timestamp::from_seconds(random.below(1_000_000) as f64 / 7.0))
            }
            "on"
            | "enabled"
            | "no_sync"
            | "lazy_blocked"
            | "no_policy"
            | "write_protect"
            | "deleted"
            | "backend_need_delete"
            | "backend_need_reap" => Value::Bool(random.chance(50)),
            "best" | "owner" | "master_serviceinstance" => Value::Link(some_link(random, known)),
            "members" => Value::Links(
                (0..random.below(4)).map(|_| some_link(random, known)).filter(|id| id.is_set()).collect(),
            ),
            "direction" => random.of(&["in", "out", "up", ""]).into(),
            "kind" => random.of(&["generic", "data", "nonsense"]).into(),
            "address" => random.of(&["10.0.0.1", "::1", "10.0.0", ""]).into(),
            // Escaped on their way to any core.
            "backend_status" | "policy_status" => random.of(&["OK", "OK // no", ""]).into(),
            _ => some_text(random),
        };
        fields.push((name, value));
    }
    fields
}

fn some_conditions(random: &mut Random, model: &str, known: &[ObjectId]) -> Vec<Condition> {
    let texts: &[&'static str] = match model {
        "Thing" | "Leaf" => &["title", "label", "best__title", "members__name"],
        "Service" => &["name", "description"],
        _ => &["name", "owner__name", "master_serviceinstance__name"],
    };
    let operators = [
        Operator::Equal,
        Operator::GreaterThan,
        Operator::LessThanOrEqual,
        Operator::IExact,
        Operator::Contains,
        Operator::IContains,
        Operator::Regex,
        Operator::IRegex,
    ];
    let mut conditions = Vec::new();
    for _ in 0..random.below(3) {
        let (field, operator, value): (&'static str, Operator, Value) = match random.below(6) {
            0 => ("id", random.of(&[Operator::GreaterThan, Operator::LessThan]), {
                Value::Int(i64::from(some_link(random, known).get()))
            }),
            1 => ("no_sync", Operator::Equal, Value::Bool(random.chance(50))),
            2 => ("leaf_model_name", Operator::Equal, random.of(&["Thing", "Leaf", "Service"]).into()),
            3 => (random.of(texts), Operator::Equal, Value::Null),
            4 => (random.of(texts), random.of(&operators), random.of(&["(", "^s", "A", "[a-b]", "%"]).into()),
            _ => (random.of(texts), random.of(&operators), some_text(random)),
        };
        conditions.push(Condition { field: field.into(), operator, value, invert: random.chance(30) });
    }
    conditions
}

fn some_step(random: &mut Random, known: &[ObjectId]) -> Step {
    let model = random.of(&MODELS);
    let id = some_link(random, known);
    match random.below(100) {
        0..35 => {
            let mut fields = some_fields(random, model, known);
            let needed = if model == "Service" || model == "ServiceInstance" { "name" } else { "title" };
            if random.chance(90) && fields.iter().all(|(name, _)| *name != needed) {
                fields.push((needed, format!("n{}", random.below(1000)).into()));
            }
            fields.retain(|(name, _)| *name != "deleted");
            Step::Create { model, fields }
        }
        35..65 => {
            let by = random.of(&[Caller::Client, Caller::Step, Caller::Policy, Caller::Pull, Caller::Engine]);
            let touch = if random.chance(15) { Touch::Updated } else { Touch::AsTheRulesSay };
            Step::Set { model, id, fields: some_fields(random, model, known), by, touch }
        }
        65..75 => Step::Delete { model, id },
        75..83 => Step::Get { model, ids: (0..3).map(|_| some_link(random, known)).collect() },
        _ => {
            let kind = random.of(&[
                QueryKind::Live,
                QueryKind::Live,
                QueryKind::DirtyObjects,
                QueryKind::DeletedObjects,
                QueryKind::DirtyPolicies,
                QueryKind::DeletedPolicies,
            ]);
            Step::Find { model, kind, conditions: some_conditions(random, model, known) }
        }
    }
}

#[tokio::test]
async fn a_client_through_the_wire_is_told_what_a_caller_in_process_is_told() {
    let only: Option<u64> = std::env::var("XOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let pair = Pair::new().await;
    let mut different = Vec::new();
    for seed in (0..SEEDS).filter(|seed| only.is_none_or(|only| only == *seed)) {
        let mut random = Random(seed);
        let mut known = Vec::new();
        let mut steps = Vec::new();
        for _ in 0..STEPS {
            let step = some_step(&mut random, &known);
            let (here, there, created) = pair.step(&step).await;
            steps.push(step);
            if !alike(&here, &there) {
                let lines = |one: &str, other: &str| {
                    let parts =
                        one.split([',', '\n']).filter(|part| !other.split([',', '\n']).any(|it| it == *part));
                    parts.map(str::trim).collect::<Vec<_>>().join(", ")
                };
                different.push(format!(
                    "XOS_SEED={seed}: {:?}\n  in process: {}\n  on the wire: {}",
                    steps.last().unwrap(),
                    lines(&here, &there),
                    lines(&there, &here)
                ));
                break;
            }
            known.extend(created.filter(|id| !known.contains(id)));
        }
        pair.clear().await;
    }
    let shown = different.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(different.is_empty(), "{} of {SEEDS} seeds end in different answers:\n{shown}", different.len());
}
