//! What the checks share: models, writes, questions.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use xos_model_client::{
    Caller, ChoiceDef, Cleanup, Condition, DefaultValue, Error, ErrorKind, FieldDef, FieldFault, FieldPos,
    Guard, Kind, LinkDef, LoadModels, ModelAccessor, ModelDef, ObjectId, Onboard, Onboarded, Op, Operator,
    Page, Presence, Query, QueryKind, Record, Result, ServiceFiles, Shape, Target, Touch, Value, Write,
    Written,
};

use crate::subject::Subject;

/// A field as the derive would make it: optional, without options.
pub(crate) fn field(number: u16, name: &str, kind: Kind) -> FieldDef {
    FieldDef {
        name: name.to_owned().into(),
        number,
        kind,
        presence: Presence::Optional,
        max_length: kind.is_text().then_some(200),
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

pub(crate) fn choices(field: FieldDef, values: &[&'static str]) -> FieldDef {
    let choice = |value: &&'static str| ChoiceDef { value: Some((*value).into()), label: (*value).into() };
    FieldDef { choices: values.iter().map(choice).collect::<Vec<_>>().into(), ..field }
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

/// A model with a field of each kind.
pub(crate) fn thing() -> ModelDef {
    let fields = vec![
        field(1, "title", Kind::Text),
        FieldDef { text: true, max_length: None, ..field(2, "story", Kind::Text) },
        field(3, "code", Kind::Stripped),
        field(4, "page", Kind::Url),
        field(5, "address", Kind::Ip),
        field(6, "number", Kind::Int32),
        field(7, "size", Kind::UInt32),
        field(8, "on", Kind::Bool),
        field(9, "share", Kind::Float),
        field(10, "since", Kind::Date),
        link(11, "service", "Service"),
        links(12, "members", "Service"),
        FieldDef { feedback: true, ..field(13, "state", Kind::Text) },
        FieldDef { max_length: Some(5), ..field(14, "short", Kind::Text) },
        choices(field(15, "direction", Kind::Text), &["in", "out"]),
        FieldDef { unique: true, ..field(16, "label", Kind::Text) },
    ];
    model("Thing", "XOSBase", fields)
}

/// What loads the models of the service "test".
pub(crate) fn a_load(models: Vec<ModelDef>) -> LoadModels {
    LoadModels {
        name: "test".into(),
        version: "1".into(),
        models,
        core_version: None,
        files: ServiceFiles::default(),
    }
}

pub(crate) async fn loads(core: &dyn ModelAccessor, models: Vec<ModelDef>) -> Result<Onboarded> {
    core.onboard(&Onboard::Load(a_load(models))).await
}

pub(crate) async fn unload(core: &dyn ModelAccessor, cleanup: Cleanup) -> Result<Onboarded> {
    core.onboard(&Onboard::Unload { name: "test".into(), cleanup }).await
}

/// Asks until the answer is right, for as long as a slow machine may take.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < Duration::from_secs(60), "waited for long: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn shape_of(core: &dyn ModelAccessor, model: &str) -> Arc<Shape> {
    core.schema().expect_model(model).unwrap().shape.clone()
}

pub(crate) fn place(shape: &Shape, field: &str) -> FieldPos {
    let place = shape.position(field).unwrap_or_else(|| panic!("{shape:?} has no field {field}"));
    FieldPos::try_from(place).unwrap()
}

/// A field and its new value.
pub(crate) type Given<'a> = (&'a str, Value);

fn placed(shape: &Shape, fields: &[Given<'_>]) -> Vec<(FieldPos, Value)> {
    fields.iter().map(|(name, value)| (place(shape, name), value.clone())).collect()
}

impl Subject {
    pub(crate) async fn load(&self, models: Vec<ModelDef>) {
        loads(&*self.core, models).await.unwrap();
    }

    pub(crate) fn shape(&self, model: &str) -> Arc<Shape> {
        shape_of(&*self.core, model)
    }

    pub(crate) fn a_create(&self, model: &str, fields: &[Given<'_>]) -> Write {
        let shape = self.shape(model);
        let op = Op::Create(placed(&shape, fields));
        Write { shape, target: Target::New, op, by: Caller::Client, guard: Guard::None }
    }

    pub(crate) fn a_set(&self, model: &str, id: ObjectId, fields: &[Given<'_>], by: Caller) -> Write {
        let shape = self.shape(model);
        let op = Op::Set { fields: placed(&shape, fields), touch: Touch::AsTheRulesSay };
        Write { shape, target: Target::Object(id), op, by, guard: Guard::None }
    }

    pub(crate) fn a_delete(&self, model: &str, id: ObjectId) -> Write {
        let shape = self.shape(model);
        Write { shape, target: Target::Object(id), op: Op::Delete, by: Caller::Client, guard: Guard::None }
    }

    pub(crate) async fn write(&self, write: Write) -> Result<Written> {
        self.core.write(vec![write]).await.pop().unwrap()
    }

    /// Any number of writes, as many at once as the accessor takes.
    pub(crate) async fn write_all(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut writes = writes.into_iter().peekable();
        while writes.peek().is_some() {
            let some = writes.by_ref().take(self.core.abilities().max_batch).collect();
            answers.extend(self.core.write(some).await);
        }
        answers
    }

    pub(crate) async fn try_create(&self, model: &str, fields: &[Given<'_>]) -> Result<Record> {
        Ok(self.write(self.a_create(model, fields)).await?.record.unwrap())
    }

    pub(crate) async fn create(&self, model: &str, fields: &[Given<'_>]) -> ObjectId {
        self.try_create(model, fields).await.unwrap().id()
    }

    /// The error of an object that is refused.
    pub(crate) async fn refused(&self, model: &str, fields: &[Given<'_>]) -> Error {
        let before = self.ids(Query::live(self.shape(model))).await;
        let error = self.try_create(model, fields).await.unwrap_err();
        assert_eq!(
            self.ids(Query::live(self.shape(model))).await,
            before,
            "it was stored all the same: {error}"
        );
        error
    }

    pub(crate) async fn try_set(
        &self,
        model: &str,
        id: ObjectId,
        fields: &[Given<'_>],
        by: Caller,
    ) -> Result<Written> {
        self.write(self.a_set(model, id, fields, by)).await
    }

    pub(crate) async fn set(&self, model: &str, id: ObjectId, fields: &[Given<'_>], by: Caller) -> Record {
        self.try_set(model, id, fields, by).await.unwrap().record.unwrap()
    }

    pub(crate) async fn delete(&self, model: &str, id: ObjectId) -> Written {
        self.write(self.a_delete(model, id)).await.unwrap()
    }

    pub(crate) async fn find(&self, model: &str, id: ObjectId) -> Option<Record> {
        self.core.get(&self.shape(model), &[id]).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn get(&self, model: &str, id: ObjectId) -> Record {
        self.find(model, id).await.unwrap_or_else(|| panic!("there is no {model} {id}"))
    }

    /// Waits until an object is purged: where the core does it in the background, that takes a moment.
    pub(crate) async fn gone(&self, model: &str, id: ObjectId) {
        until(&format!("{model} {id} is purged"), || async { self.find(model, id).await.is_none() }).await;
    }

    /// All records that a query finds, page by page.
    pub(crate) async fn all(&self, query: &Query) -> Vec<Record> {
        let (mut records, mut page) = (Vec::new(), Some(Page::first(1000)));
        while let Some(this) = page {
            let found = self.core.find(query, this).await.unwrap();
            records.extend(found.records);
            page = found.next;
        }
        records
    }

    pub(crate) async fn ids(&self, query: Query) -> Vec<ObjectId> {
        self.all(&query).await.iter().map(Record::id).collect()
    }

    /// The objects of a kind.
    pub(crate) async fn of_kind(&self, model: &str, kind: QueryKind) -> Vec<ObjectId> {
        self.ids(Query::live(self.shape(model)).of_kind(kind)).await
    }

    pub(crate) async fn is_dirty(&self, model: &str, id: ObjectId, kind: QueryKind) -> bool {
        self.of_kind(model, kind).await.contains(&id)
    }

    pub(crate) async fn is_deleted(&self, model: &str, id: ObjectId) -> bool {
        self.get(model, id).await.get("deleted") == Some(&Value::Bool(true))
    }

    pub(crate) async fn service(&self, name: &str) -> ObjectId {
        self.create("Service", &[("name", name.into())]).await
    }

    pub(crate) async fn instance(&self, name: &str, owner: ObjectId) -> ObjectId {
        self.create("ServiceInstance", &[("name", name.into()), ("owner", owner.into())]).await
    }

    /// What the engine writes after a step that went well.
    pub(crate) async fn enact(&self, model: &str, id: ObjectId) {
        let updated = self.get(model, id).await.get("updated").unwrap().clone();
        let fields = [("enacted", updated), ("backend_status", "OK".into()), ("backend_code", 1.into())];
        self.set(model, id, &fields, Caller::Engine).await;
    }

    /// What the engine writes before the first step: the object is to be kept until its `delete_record` has run.
    pub(crate) async fn claim(&self, model: &str, id: ObjectId) {
        self.set(model, id, &[("backend_need_delete", true.into())], Caller::Engine).await;
    }

    /// What the engine writes after `delete_record`.
    pub(crate) async fn let_go(&self, model: &str, id: ObjectId) {
        self.try_set(model, id, &[("backend_need_reap", true.into())], Caller::Engine).await.unwrap();
    }
}

/// A condition, inverted when the name has a `!` before it.
pub(crate) fn on(field: &str, operator: Operator, value: impl Into<Value>) -> Condition {
    let invert = field.starts_with('!');
    let field = field.trim_start_matches('!').to_owned().into();
    Condition { field, operator, value: value.into(), invert }
}

pub(crate) fn text(record: &Record, field: &str) -> String {
    record.get(field).unwrap_or_else(|| panic!("{record:?} has no field {field}")).to_string()
}

/// The faults of an object that is not valid, by field; the whole object's under "".
pub(crate) fn faults(error: &Error) -> BTreeMap<String, String> {
    let ErrorKind::Invalid { faults, .. } = error.kind() else {
        panic!("expected an invalid object: {error}")
    };
    let by_field = |fault: &FieldFault| (fault.field.clone().unwrap_or_default(), fault.message.clone());
    faults.iter().map(by_field).collect()
}

/// The message of the only fault, which is about this field.
pub(crate) fn fault_of(error: &Error, field: &str) -> String {
    let mut faults = faults(error);
    assert_eq!(faults.keys().map(String::as_str).collect::<Vec<_>>(), [field], "{error}");
    faults.remove(field).unwrap()
}

impl Subject {
    /// The message of the only fault, which is about this link.
    pub(crate) fn fault_of_link(&self, error: &Error, link: &str) -> String {
        if !self.less.links {
            return fault_of(error, link);
        }
        let faults = faults(error);
        assert!(faults.len() == 1 && faults.keys().all(|about| about.is_empty() || about == link), "{error}");
        faults.into_values().collect()
    }
}
