//! Creations, changes and deletions.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::CoreClient;
use super::codec::{Plan, encode_id};
use super::describe::Method;
use super::status::{About, Doing, explain};
use super::transport::{CallError, CallKind, CallMeta};
use crate::accessor::{Caller, FieldPos, Guard, Op, Target, Touch, Write, Written};
use crate::error::{Error, ErrorKind, Result};
use crate::field::Condition;
use crate::query::{Operator, Query};
use crate::record::{Record, Shape, ShapeField};
use crate::schema::ModelInfo;
use crate::secret::Masks;
use crate::value::{ObjectId, Value};

/// How long after a failure an object is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl CoreClient {
    pub(super) async fn write_one(&self, write: Write) -> Result<Written> {
        if write.guard != Guard::None {
            let what = "check the guard of a write: a core 4.0.4 has none".to_owned();
            return Err(ErrorKind::Unsupported(what).into());
        }
        match (write.target, write.op) {
            (Target::New, Op::Create(fields)) => self.create(&write.shape, fields).await,
            (Target::Object(id), Op::Set { fields, touch }) => {
                self.set(&write.shape, id, &fields, touch, write.by).await
            }
            (Target::Object(id), Op::Delete) => self.delete(&write.shape, id).await,
            (Target::New, _) => Err(unsupported("change or delete an object that it does not have yet")),
            (Target::Object(_), Op::Create(_)) => Err(unsupported("create an object with a given id")),
        }
    }

    async fn create(&self, shape: &Arc<Shape>, fields: Vec<(FieldPos, Value)>) -> Result<Written> {
        let plan = self.plan(shape)?;
        let about = About { model: shape.model(), id: ObjectId::UNSET, doing: Doing::Write };
        let body = plan.encode_create(&fields)?;
        // The core looks at no metadata of a creation.
        let meta = CallMeta { authenticated: true, ..CallMeta::default() };
        match self.transport().call(plan.path(Method::Create)?.clone(), body, meta, CallKind::Once).await {
            Ok(answer) => written(&plan, &answer),
            Err(error @ (CallError::Lost { .. } | CallError::Deadline(_))) => {
                self.look_for_created(shape, &fields, &error.without(&masks(&fields))).await
            }
            Err(error) => Err(explain(error.without(&masks(&fields)), &about)),
        }
    }

    async fn set(
        &self,
        shape: &Arc<Shape>,
        id: ObjectId,
        fields: &[(FieldPos, Value)],
        touch: Touch,
        by: Caller,
    ) -> Result<Written> {
        let plan = self.plan(shape)?;
        let Some(set) = plan.encode_set(id, fields, by, touch)? else {
            let record = self.get_one(shape, id).await?;
            let missing = || ErrorKind::NotFound { model: shape.model().clone(), id };
            return Ok(Written { id, record: Some(record.ok_or_else(missing)?), changed: false });
        };
        let meta = CallMeta {
            caller: Some(by),
            is_update: true,
            update_fields: Some(set.update_fields),
            touch,
            authenticated: true,
        };
        // A synchronizer is the only one to write its fields. What a client writes, somebody may have changed between
        // a first and a second time.
        let kind = if by.is_synchronizer() { CallKind::Repeatable } else { CallKind::Once };
        match self.transport().call(plan.path(Method::Update)?.clone(), set.message, meta, kind).await {
            Ok(answer) => written(&plan, &answer),
            Err(error) => {
                let about = About { model: shape.model(), id, doing: Doing::Write };
                Err(explain(error.without(&masks(fields)), &about))
            }
        }
    }

    /// Deletes an object. The core's answer does not tell what that came to: it is empty, and the same error for an
    /// object that is deleted already and for one that never was. So it is looked at.
    async fn delete(&self, shape: &Arc<Shape>, id: ObjectId) -> Result<Written> {
        let plan = self.plan(shape)?;
        let about = About { model: shape.model(), id, doing: Doing::Write };
        let meta = CallMeta { authenticated: true, ..CallMeta::default() };
        let body = encode_id(id);
        let path = plan.path(Method::Delete)?;
        let call = || self.transport().call(path.clone(), body.clone(), meta.clone(), CallKind::Once);
        let (answer, was_lost) = match call().await {
            // A second time does no harm, but what it finds may be the first one's doing.
            Err(CallError::Lost { .. }) => (call().await, true),
            answer => (answer, false),
        };
        let deleted = match answer {
            Ok(_) => true,
            Err(CallError::NotSent { reason, .. }) if was_lost => {
                return Err(explain(CallError::Lost { reason }, &about));
            }
            Err(error) => match explain(error, &about) {
                error if error.is_not_found() => was_lost,
                error => return Err(error),
            },
        };
        let there = match self.look(|| self.get_one(shape, id)).await {
            Ok(there) => there,
            Err(error) if !deleted => return Err(error),
            Err(error) if error.is_interruption() => {
                let reason = format!(
                    "the core took the deletion, and then could not be asked what it came to: {error}"
                );
                return Err(ErrorKind::OutcomeUnknown { reason }.into());
            }
            // One with a text that the core cannot send: to delete it is the way to be rid of it.
            Err(_) => return Ok(Written { id, record: None, changed: true }),
        };
        match there {
            None if deleted => Ok(Written { id, record: None, changed: true }),
            None => Err(ErrorKind::NotFound { model: shape.model().clone(), id }.into()),
            Some(record) => {
                // A write-protected object is still there, and nobody was told.
                let is_deleted = match record.get("deleted") {
                    Some(value) => value.as_bool().unwrap_or(true),
                    None => self.is_deleted(shape, id).await?,
                };
                Ok(Written { id, record: Some(record), changed: deleted && is_deleted })
            }
        }
    }

    async fn is_deleted(&self, shape: &Arc<Shape>, id: ObjectId) -> Result<bool> {
        let served = self.served();
        let model = served.remote().schema.expect_model(shape.model())?;
        let Some(field) = model.field("deleted") else { return Ok(true) };
        let field = ShapeField { name: field.def.name.clone(), kind: field.def.kind };
        let shape = Arc::new(Shape::new(shape.model().clone(), [field]));
        let record = self.get_one(&shape, id).await?;
        Ok(record.and_then(|record| record.values().first().and_then(Value::as_bool)).unwrap_or(true))
    }

    /// Looks at what became of a write, until the core answers: as long as the call itself might have taken.
    async fn look<T, F: Future<Output = Result<T>>>(&self, ask: impl Fn() -> F) -> Result<T> {
        let look = async {
            loop {
                self.until_up().await;
                match ask().await {
                    Err(error) if error.is_interruption() => tokio::time::sleep(LOOK_AGAIN).await,
                    found => return found,
                }
            }
        };
        let at_most = self.transport().options().call_deadline;
        tokio::time::timeout(at_most, look)
            .await
            .unwrap_or_else(|_| Err(self.why_away().unwrap_or_else(|| Error::away("it does not answer"))))
    }

    /// The answer to a creation was lost. It is never made again; the object is looked for by what it can be found by.
    async fn look_for_created(
        &self,
        shape: &Arc<Shape>,
        fields: &[(FieldPos, Value)],
        error: &CallError,
    ) -> Result<Written> {
        let served = self.served();
        let unknown = |found: &str| -> Error {
            ErrorKind::OutcomeUnknown { reason: format!("{error}; {found}") }.into()
        };
        let Some(model) = served.remote().schema.model(shape.model()) else {
            return Err(unknown("it was not looked for"));
        };
        let Some(key) = key_of(model, shape, fields) else {
            return Err(unknown("its model has no key to look for it by"));
        };
        let query = key.conditions.iter().cloned().fold(Query::live(shape.clone()), Query::with);
        let Ok(found) = self.look(|| self.find_all(&query, ObjectId::UNSET)).await else {
            return Err(unknown("it could not be looked for"));
        };
        match found.as_slice() {
            [] => Err(unknown(&format!("there is none with {}", key.text))),
            [record] if key.is_unique && has_all(record, fields) => {
                tracing::info!(model_name = %shape.model(), pk = record.id().get(), "the answer to a creation was lost; the object is there");
                Ok(Written { id: record.id(), record: Some(record.clone()), changed: true })
            }
            [record, ..] => Err(unknown(&format!(
                "there is one with {}, {} {}, which may be it or another one",
                key.text,
                shape.model(),
                record.id()
            ))),
        }
    }
}

/// The answer to a write: the object as it is stored.
fn written(plan: &Plan, answer: &[u8]) -> Result<Written> {
    let record = plan.decode(answer)?;
    Ok(Written { id: record.id(), record: Some(record), changed: true })
}

/// The secrets that a write sends.
fn masks(fields: &[(FieldPos, Value)]) -> Masks {
    Masks::of_values(fields.iter().map(|(_, value)| value))
}

/// What an object can be found by.
struct Key {
    conditions: Vec<Condition>,
    /// Whether the core refuses a second one.
    is_unique: bool,
    text: String,
}

/// A unique field, fields that are unique together, or the key that recipes find objects by.
fn key_of(model: &ModelInfo, shape: &Shape, fields: &[(FieldPos, Value)]) -> Option<Key> {
    let given = |name: &str| {
        let at = shape.position(name)?;
        fields.iter().find(|(position, _)| usize::from(*position) == at).map(|(_, value)| value)
    };
    let unique =
        model.fields.iter().filter(|field| field.def.unique).map(|field| vec![field.def.name.as_ref()]);
    let unique = unique.chain(model.unique_together()).map(|names| (names, true));
    let by_recipe: Vec<&str> = model
        .tosca_keys()
        .into_iter()
        .filter_map(|group| group.into_iter().find(|name| given(name).is_some()))
        .collect();
    unique.chain([(by_recipe, false)]).find_map(|(names, is_unique)| {
        let mut conditions = Vec::new();
        let mut text = Vec::new();
        for name in names {
            let value = given(name).filter(|value| !value.is_null())?;
            text.push(format!("{name} = {value}"));
            let field = name.to_owned().into();
            conditions.push(Condition {
                field,
                operator: Operator::Equal,
                value: value.clone(),
                invert: false,
            });
        }
        (!conditions.is_empty()).then(|| Key { conditions, is_unique, text: text.join(", ") })
    })
}

/// Whether an object has every value that was sent.
fn has_all(record: &Record, fields: &[(FieldPos, Value)]) -> bool {
    fields.iter().all(|(at, value)| record.values().get(usize::from(*at)) == Some(value))
}

fn unsupported(what: &str) -> Error {
    ErrorKind::Unsupported(what.to_owned()).into()
}
