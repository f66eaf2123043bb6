//! What the tests of this crate share.
#![allow(dead_code, reason = "not every program of tests needs all of it")]

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::models::{Service, ServiceInstance};
use xos_model_client::{
    Caller, Change, Cursor, DefaultValue, Error, ErrorKind, Feed, FieldDef, FieldFault, Guard, Kind, LinkDef,
    LoadModels, ModelAccessor, ModelClient, ModelDef, ObjectId, Onboard, Onboarded, Op, Presence, Query,
    Record, Result, ServiceFiles, Shape, Target, Touch, Value, Write, Written,
};

use crate::postgres::Cluster;

/// The store that these tests run on.
#[derive(Copy, Clone, Debug, PartialEq)]
#[allow(dead_code, reason = "each program of tests has one of them")]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// A new core that nobody opens again.
pub(crate) fn memory() -> EmbeddedCore {
    memory_with(Options::default())
}

pub(crate) fn memory_with(options: Options) -> EmbeddedCore {
    match crate::ON {
        On::Sqlite => EmbeddedCore::in_memory_with(options).unwrap(),
        On::Postgres => EmbeddedCore::connect(&url(&format!("schema={}", new_schema())), options).unwrap(),
    }
}

/// A folder for databases; with PostgreSQL only their names are of use.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The database at a path, or in a schema that goes by its name.
pub(crate) fn open_core(path: impl AsRef<Path>, options: Options) -> Result<EmbeddedCore> {
    match crate::ON {
        On::Sqlite => EmbeddedCore::open(path, options),
        On::Postgres => EmbeddedCore::connect(&url(&format!("schema={}", schema_of(path.as_ref()))), options),
    }
}

/// A schema that no other test has.
pub(crate) fn new_schema() -> String {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    format!("new_{}", LAST.fetch_add(1, Ordering::Relaxed))
}

fn schema_of(path: &Path) -> String {
    path.display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// The URL of the cluster that the tests of this process share.
pub(crate) fn url(parameters: &str) -> String {
    the(Cluster::shared()).url(parameters)
}

/// What needs PostgreSQL is not tested where it is not installed.
pub(crate) fn the<T>(cluster: Option<T>) -> T {
    cluster.unwrap_or_else(|| {
        skipped("PostgreSQL (install: apt-get install postgresql)");
        // No test of this program can do anything without it.
        std::process::exit(0)
    })
}

/// Says it past the capture of the test harness, and where `.ci/run` looks.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {what}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let file = std::fs::File::options().create(true).append(true).open(target.join("skipped.txt"));
    writeln!(file.unwrap(), "{what}").unwrap();
}

pub(crate) fn client(core: &EmbeddedCore) -> ModelClient {
    client_as(core, Caller::Client)
}

pub(crate) fn client_as(core: &EmbeddedCore, by: Caller) -> ModelClient {
    ModelClient::new(Arc::new(core.clone()), by)
}

/// A field as the derive would make it: optional, without options.
pub(crate) fn field(number: u16, name: &str, kind: Kind) -> FieldDef {
    FieldDef {
        name: name.to_owned().into(),
        number,
        kind,
        presence: Presence::Optional,
        max_length: None,
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
        link: None,
        help: "".into(),
    }
}

pub(crate) fn link(number: u16, name: &str, target: &str) -> FieldDef {
    let link = LinkDef { target: target.to_owned().into(), reverse: None, reverse_number: None };
    FieldDef { link: Some(link), ..field(number, name, Kind::Link) }
}

pub(crate) fn links(number: u16, name: &str, target: &str) -> FieldDef {
    FieldDef { kind: Kind::Links, ..link(number, name, target) }
}

pub(crate) fn required(field: FieldDef) -> FieldDef {
    FieldDef { presence: Presence::Required, ..field }
}

pub(crate) fn with_default(field: FieldDef, default: DefaultValue) -> FieldDef {
    FieldDef { default: Some(default), ..field }
}

pub(crate) fn model(name: &str, base: &str, fields: Vec<FieldDef>) -> ModelDef {
    ModelDef {
        name: name.to_owned().into(),
        app_label: "test".into(),
        version: "1".into(),
        base: Some(base.to_owned().into()),
        owner_class: None,
        is_abstract: false,
        plural: None,
        verbose_name: None,
        policy: None,
        validators: Vec::new().into(),
        custom_python: false,
        fields: fields.into(),
        help: "".into(),
        needs: &[],
    }
}

pub(crate) async fn load(core: &EmbeddedCore, models: Vec<ModelDef>) -> Result<Onboarded> {
    let load = LoadModels {
        name: "test".into(),
        version: "1".into(),
        models,
        core_version: None,
        files: ServiceFiles::default(),
    };
    core.onboard(&Onboard::Load(load)).await
}

/// A core in memory with these models.
pub(crate) async fn core_with(models: Vec<ModelDef>) -> EmbeddedCore {
    let core = memory();
    load(&core, models).await.unwrap();
    core
}

/// The full shape of a model.
pub(crate) fn shape(core: &EmbeddedCore, model: &str) -> Arc<Shape> {
    core.schema().expect_model(model).unwrap().shape.clone()
}

fn positions(shape: &Shape, fields: &[(&str, Value)]) -> Vec<(u16, Value)> {
    let place = |name: &str| shape.position(name).unwrap_or_else(|| panic!("no field {name}")) as u16;
    fields.iter().map(|(name, value)| (place(name), value.clone())).collect()
}

pub(crate) fn a_create(core: &EmbeddedCore, model: &str, fields: &[(&str, Value)]) -> Write {
    let shape = shape(core, model);
    let op = Op::Create(positions(&shape, fields));
    Write { shape, target: Target::New, op, by: Caller::Client, guard: Guard::None }
}

pub(crate) fn a_set(
    core: &EmbeddedCore,
    model: &str,
    id: ObjectId,
    fields: &[(&str, Value)],
    by: Caller,
) -> Write {
    let shape = shape(core, model);
    let op = Op::Set { fields: positions(&shape, fields), touch: Touch::AsTheRulesSay };
    Write { shape, target: Target::Object(id), op, by, guard: Guard::None }
}

pub(crate) fn a_delete(core: &EmbeddedCore, model: &str, id: ObjectId) -> Write {
    let shape = shape(core, model);
    Write { shape, target: Target::Object(id), op: Op::Delete, by: Caller::Client, guard: Guard::None }
}

pub(crate) async fn write(core: &EmbeddedCore, write: Write) -> Result<Written> {
    core.write(vec![write]).await.pop().unwrap()
}

pub(crate) async fn create(core: &EmbeddedCore, model: &str, fields: &[(&str, Value)]) -> Result<Record> {
    Ok(write(core, a_create(core, model, fields)).await?.record.unwrap())
}

pub(crate) async fn set(
    core: &EmbeddedCore,
    model: &str,
    id: ObjectId,
    fields: &[(&str, Value)],
    by: Caller,
) -> Result<Written> {
    write(core, a_set(core, model, id, fields, by)).await
}

pub(crate) async fn delete(core: &EmbeddedCore, model: &str, id: ObjectId) -> Result<Written> {
    write(core, a_delete(core, model, id)).await
}

pub(crate) async fn get(core: &EmbeddedCore, model: &str, id: ObjectId) -> Option<Record> {
    core.get(&shape(core, model), &[id]).await.unwrap().pop().unwrap()
}

/// The ids that a query finds.
pub(crate) async fn ids(core: &EmbeddedCore, query: Query) -> Vec<i32> {
    let found = core.find(&query, xos_model_client::Page::first(10_000)).await.unwrap();
    found.records.iter().map(|record| record.id().get()).collect()
}

pub(crate) fn text(record: &Record, field: &str) -> String {
    record.get(field).unwrap().to_string()
}

/// The faults of an object that is not valid.
pub(crate) fn faults(error: &Error) -> Vec<FieldFault> {
    match error.kind() {
        ErrorKind::Invalid { faults, .. } => faults.clone(),
        other => panic!("expected an invalid object, found {other:?}"),
    }
}

/// The message of the only fault, which is about this field.
pub(crate) fn fault_of(error: &Error, field: &str) -> String {
    let faults = faults(error);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].field.as_deref(), Some(field), "{faults:?}");
    faults[0].message.clone()
}

/// All changes up to where the feed has caught up, and the cursor there.
pub(crate) async fn changes(feed: &mut Feed) -> (Vec<Change>, Cursor) {
    let mut found = Vec::new();
    loop {
        match feed.next().await.unwrap() {
            Change::CaughtUp(cursor) => return (found, cursor),
            change => found.push(change),
        }
    }
}

pub(crate) async fn a_service(core: &EmbeddedCore, name: &str) -> Service {
    client(core).create(Service { name: name.into(), ..Default::default() }).await.unwrap()
}

pub(crate) async fn an_instance(core: &EmbeddedCore, name: &str, owner: &Service) -> ServiceInstance {
    let object = ServiceInstance {
        name: Some(name.into()),
        owner: xos_model_client::Link::of(owner),
        ..Default::default()
    };
    client(core).create(object).await.unwrap()
}
