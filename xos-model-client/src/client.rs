//! The typed view on a core.

use std::fmt;
use std::sync::Arc;

use crate::accessor::{Caller, FieldPos, Guard, ModelAccessor, Op, Target, Touch, Write, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::link::LeadsTo;
use crate::model::Model;
use crate::objects::Objects;

use crate::value::{ObjectId, Value};

/// Reads and writes typed objects through any [`ModelAccessor`].
///
/// # Examples
///
/// ```no_run
/// # // no_run: needs a core; the crates `xos-core` and `xos-sync` have running examples.
/// use xos_model_client::{ModelClient, Result, models::Slice};
///
/// async fn rename(client: &ModelClient) -> Result<()> {
///     if let Some(mut slice) = client.objects::<Slice>().filter(Slice::NAME.eq("mysite_demo1")).first().await? {
///         slice.name = "mysite_demo2".into();
///         client.save(&mut slice).await?;
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ModelClient {
    accessor: Arc<dyn ModelAccessor>,
    caller: Caller,
}

/// A field that differs from what was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The field.
    pub field: &'static str,
    /// What was loaded; [`Value::Null`] for a new object.
    pub old: Value,
    /// What it is now.
    pub new: Value,
}

/// What [`ModelClient::delete`] did.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The object is soft-deleted, with all that links to it.
    Yes,
    /// Nothing happened: it is write-protected, or was deleted already.
    No,
}

/// The fields that the core keeps: they may be read, not changed.
const KEPT_BY_CORE: [&str; 7] =
    ["id", "created", "updated", "enacted", "policed", "leaf_model_name", "deleted"];

impl ModelClient {
    /// A client that writes on behalf of `caller`.
    pub fn new(accessor: Arc<dyn ModelAccessor>, caller: Caller) -> Self {
        ModelClient { accessor, caller }
    }

    /// The accessor behind it.
    pub fn accessor(&self) -> &Arc<dyn ModelAccessor> {
        &self.accessor
    }

    /// On whose behalf it writes.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The objects of a model and of those that inherit from it, to be filtered.
    pub fn objects<M: Model>(&self) -> Objects<M> {
        Objects::new(self.accessor.clone())
    }

    /// The live or soft-deleted object with this id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`], and what reading can meet.
    pub async fn get<M: Model>(&self, id: impl Into<ObjectId>) -> Result<M> {
        let id = id.into();
        let found = self.accessor.get(M::shape(), &[id]).await?;
        match found.into_iter().next().flatten() {
            Some(record) => M::from_record(record),
            None => Err(ErrorKind::NotFound { model: M::MODEL_NAME.into(), id }.into()),
        }
    }

    /// The object that a link leads to, as the more specific model `T`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when the link is unset, or the object is no `T`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # // no_run: needs a core.
    /// # use xos_model_client::{ModelClient, Result, models::{Service, ServiceInstance}};
    /// # async fn example(client: &ModelClient, o: ServiceInstance) -> Result<()> {
    /// let owner: Service = client.leaf(&o.owner).await?;
    /// # Ok(()) }
    /// ```
    pub async fn leaf<T: Model>(&self, link: &impl LeadsTo<T>) -> Result<T> {
        self.get(link.target_id()).await
    }

    /// Creates the object and returns it as the core stored it.
    ///
    /// A field is sent when it differs from its default or has none, except empty required texts, unset links and
    /// the fields the core keeps; so the core's own validation speaks.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] when it breaks a rule of its model; nothing was stored.
    pub async fn create<M: Model>(&self, object: M) -> Result<M> {
        let mut object = object;
        self.save(&mut object).await?;
        Ok(object)
    }

    /// Stores what was changed since the object was loaded, and takes what the core answered. A new object is created.
    ///
    /// Nothing is sent when nothing was changed. A field that was not changed is never sent: what somebody else
    /// changed meanwhile stays.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSendable`] when a field that the core keeps was changed, or a field that is no link was set
    /// to `None`; [`ErrorKind::Invalid`] when it breaks a rule of its model. Nothing was stored, and the object is as
    /// it was.
    pub async fn save<M: Model>(&self, object: &mut M) -> Result<()> {
        self.save_with(object, Touch::AsTheRulesSay).await
    }

    /// Like [`save`](ModelClient::save), and moves `updated`, so that the object is synchronized again.
    ///
    /// # Errors
    ///
    /// As [`save`](ModelClient::save).
    pub async fn save_and_touch<M: Model>(&self, object: &mut M) -> Result<()> {
        self.save_with(object, Touch::Updated).await
    }

    async fn save_with<M: Model>(&self, object: &mut M, touch: Touch) -> Result<()> {
        let Some(write) = self.write_for(object, touch)? else { return Ok(()) };
        let written = self.write_one(write).await?;
        if let Some(record) = written.record {
            *object = M::from_record(record)?;
        }
        Ok(())
    }

    /// The write that [`save`](ModelClient::save) would make, for who writes many objects at once through the
    /// [accessor](ModelClient::accessor); `None` when nothing was changed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSendable`], as [`save`](ModelClient::save).
    pub fn write_for<M: Model>(&self, object: &M, touch: Touch) -> Result<Option<Write>> {
        let (target, op) = if object.origin().record().is_none() {
            (Target::New, Op::Create(fields_to_create(object)?))
        } else {
            let fields = fields_to_set(object)?;
            if fields.is_empty() && touch == Touch::AsTheRulesSay {
                return Ok(None);
            }
            (Target::Object(object.id()), Op::Set { fields, touch })
        };
        Ok(Some(self.write_of::<M>(target, op)))
    }

    /// Deletes an object softly, with all that links to it. `delete_record` runs before it is gone for good.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] when there is no such object.
    pub async fn delete<M: Model>(&self, object: &M) -> Result<Deleted> {
        let written = self.write_one(self.write_to_delete(object)).await?;
        Ok(if written.changed { Deleted::Yes } else { Deleted::No })
    }

    /// The write that [`delete`](ModelClient::delete) makes, for who writes many objects at once.
    pub fn write_to_delete<M: Model>(&self, object: &M) -> Write {
        self.write_of::<M>(Target::Object(object.id()), Op::Delete)
    }

    fn write_of<M: Model>(&self, target: Target, op: Op) -> Write {
        Write { shape: M::shape().clone(), target, op, by: self.caller, guard: Guard::None }
    }

    pub(crate) async fn write_guarded<M: Model>(
        &self,
        target: Target,
        op: Op,
        guard: Guard,
    ) -> Result<Written> {
        self.write_one(Write { guard, ..self.write_of::<M>(target, op) }).await
    }

    async fn write_one(&self, write: Write) -> Result<Written> {
        let answers = self.accessor.write(vec![write]).await;
        answers.into_iter().next().unwrap_or_else(|| {
            let reason = "the accessor gave no answer to a write".to_owned();
            Err(ErrorKind::OutcomeUnknown { reason }.into())
        })
    }
}

impl fmt::Debug for ModelClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelClient(as {:?})", self.caller)
    }
}

/// The fields of an object that differ from what was loaded, with old and new value. Of a new object: those that
/// differ from their defaults.
///
/// # Examples
///
/// ```
/// use xos_model_client::{Value, changed_fields, models::Service};
///
/// let service = Service { name: "HelloWorld".into(), ..Default::default() };
/// let changed = changed_fields(&service);
/// assert_eq!(changed.len(), 1);
/// assert_eq!((changed[0].field, &changed[0].new), ("name", &Value::from("HelloWorld")));
/// ```
pub fn changed_fields<M: Model>(object: &M) -> Vec<Changed> {
    let now = object.values();
    let defaults;
    let old: &[Value] = match object.origin().record() {
        Some(record) => record.values(),
        None => {
            defaults = M::default().values();
            &defaults
        }
    };
    let names = field_names::<M>();
    let pairs = now.into_iter().zip(old).zip(names);
    pairs
        .filter(|((new, old), _)| new != *old)
        .map(|((new, old), field)| Changed { field, old: old.clone(), new })
        .collect()
}

fn field_names<M: Model>() -> Vec<&'static str> {
    let mut levels = vec![M::NAMES];
    while let Some(base) = levels.last().and_then(|names| names.base) {
        levels.push(*base);
    }
    levels.iter().rev().flat_map(|names| names.own.iter().copied()).collect()
}

pub(crate) fn fields_to_create<M: Model>(object: &M) -> Result<Vec<(FieldPos, Value)>> {
    let defaults = M::default().values();
    let mut fields = Vec::new();
    let infos = chain_fields::<M>();
    for (at, ((value, default), field)) in object.values().into_iter().zip(defaults).zip(infos).enumerate() {
        let kept = KEPT_BY_CORE.contains(&field.name.as_ref());
        if kept && value != default {
            return Err(not_sendable(object, &field.name, "is kept by the core and may not be set"));
        }
        let empty = match &value {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::Secret(secret) => secret.is_empty(),
            Value::Links(ids) => ids.is_empty(),
            _ => false,
        };
        let has_default = field.default.is_some();
        let send = if has_default { value != default } else { !empty };
        if !kept && send {
            if value.is_null() && field.link.is_none() {
                return Err(not_sendable(object, &field.name, NONE_CANNOT_BE_SENT));
            }
            fields.push((at as FieldPos, value));
        }
    }
    Ok(fields)
}

const NONE_CANNOT_BE_SENT: &str =
    "was set to None, which cannot be sent to a core: only a link can be unset; use an empty value";

pub(crate) fn fields_to_set<M: Model>(object: &M) -> Result<Vec<(FieldPos, Value)>> {
    let Some(loaded) = object.origin().record() else { return Ok(Vec::new()) };
    let mut fields = Vec::new();
    for (at, ((value, old), field)) in
        object.values().into_iter().zip(loaded.values()).zip(chain_fields::<M>()).enumerate()
    {
        if same(&value, old) {
            continue;
        }
        if KEPT_BY_CORE.contains(&field.name.as_ref()) {
            return Err(not_sendable(
                object,
                &field.name,
                "is kept by the core and may be read, not changed",
            ));
        }
        if value.is_null() && field.link.is_none() {
            return Err(not_sendable(object, &field.name, NONE_CANNOT_BE_SENT));
        }
        fields.push((at as FieldPos, value));
    }
    Ok(fields)
}

/// Whether a struct's value is what was loaded: a required field that the core left out reads as its empty value.
#[allow(clippy::float_cmp, reason = "the same bits, not about the same number")]
fn same(value: &Value, loaded: &Value) -> bool {
    value == loaded
        || match (value, loaded) {
            (Value::Text(text), Value::Null) => text.is_empty(),
            (Value::Secret(secret), Value::Null) => secret.is_empty(),
            (Value::Int(int), Value::Null) => *int == 0,
            (Value::Bool(bool), Value::Null) => !bool,
            (Value::Float(float), Value::Null) => *float == 0.0,
            (Value::Float(float), Value::Int(int)) => *float == *int as f32,
            (Value::Links(ids), Value::Null) => ids.is_empty(),
            (Value::Null, Value::Link(id)) => !id.is_set(),
            (Value::Null, Value::Time(time)) => !time.is_set(),
            _ => false,
        }
}

fn chain_fields<M: Model>() -> impl Iterator<Item = &'static crate::model::FieldDef> {
    let mut chain = vec![M::def()];
    while let Some(def) = chain.last() {
        let Some(base) = &def.base else { break };
        let Some(base) = def.needs.iter().map(|need| need()).find(|need| need.name == *base) else { break };
        chain.push(base);
    }
    chain.into_iter().rev().flat_map(|def| def.fields.iter())
}

fn not_sendable<M: Model>(object: &M, field: &str, reason: &'static str) -> Error {
    let model = M::MODEL_NAME.into();
    ErrorKind::NotSendable { model, id: object.id(), field: field.to_owned(), reason }.into()
}
