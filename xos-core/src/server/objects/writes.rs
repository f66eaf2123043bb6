//! Create and Delete, and what all writes share.

use bytes::Bytes;
use tonic::Status;
use xos_model_client::{
    Caller, FieldPos, Guard, ModelAccessor as _, ModelInfo, ObjectId, Op, Record, Target, Value, Write,
    Written,
};

use super::ask::Ask;
use crate::server::call::Answer;
use crate::server::policies::Access;
use crate::server::status::{exception, invalid, malformed, not_found, permission_denied};
use crate::server::users::{Person, Who};
use crate::server::wire::read_id;

/// The validator of slices that asks for the account of the caller; all others are the store's.
const HAS_CREATOR: &str = "slice_has_creator";

impl Ask<'_> {
    pub(super) async fn create(&self, message: &Bytes) -> Answer {
        let given = self.how()?.table.read(message).map_err(malformed)?;
        let mut fields = given.fields;
        self.sign(&mut fields, None)?;
        if !self.world.policies.is_open(&self.who, Access::Write, self.model) {
            let mut values = vec![Value::Null; self.model.fields.len()];
            for (at, value) in &fields {
                values[usize::from(*at)] = value.clone();
            }
            let record = Record::new(self.model.shape.clone(), values);
            self.world.policies.check(&self.who, Access::Write, self.model, &record).await?;
        }
        let written = self.write(Target::New, Op::Create(fields), Caller::Client, Guard::None).await;
        let written = written.map_err(|error| self.told(&error))?;
        self.tell_written(&written).await
    }

    pub(super) async fn delete(&self, message: &Bytes) -> Answer {
        let id = read_id(message).map_err(malformed)?;
        if !self.world.policies.is_open(&self.who, Access::Write, self.model) {
            let there = self.expect(id).await?;
            self.world.policies.check(&self.who, Access::Write, self.model, &there).await?;
        }
        let target = Target::Object(ObjectId::new(id));
        let written = self.write(target, Op::Delete, Caller::Client, Guard::None).await;
        let written = written.map_err(|error| self.told(&error))?;
        let is_write_protected =
            || written.record.as_ref().is_some_and(|record| is_true(record.get("write_protect")));
        if !written.changed && !is_write_protected() {
            // It is deleted already: as if it were not there.
            return Err(not_found(self.model, id));
        }
        Ok(Bytes::new())
    }

    /// One write of the model.
    pub(super) async fn write(
        &self,
        target: Target,
        op: Op,
        by: Caller,
        guard: Guard,
    ) -> Result<Written, xos_model_client::Error> {
        let write = Write { shape: self.model.shape.clone(), target, op, by, guard };
        let answer = self.world.core.write(vec![write]).await.pop();
        answer.unwrap_or_else(|| Err(xos_model_client::Error::away("the store gave no answer")))
    }

    /// The object as it was stored.
    pub(super) async fn tell_written(&self, written: &Written) -> Answer {
        match &written.record {
            Some(record) => self.tell(record).await,
            None => Err(not_found(self.model, written.id.get())),
        }
    }

    /// Who created an object: the caller, when nobody is named; and only an administrator names somebody else.
    ///
    /// `before` is the object as it is stored, `None` for a new one.
    pub(super) fn sign(
        &self,
        fields: &mut Vec<(FieldPos, Value)>,
        before: Option<&Record>,
    ) -> Result<(), Status> {
        let Who::User(person) = &self.who else { return Ok(()) };
        let Some(at) = self.model.shape.position("creator") else { return Ok(()) };
        let given = fields.iter().find(|(field, _)| usize::from(*field) == at);
        let given = given.map(|(_, value)| value.as_link());
        let creator = match (before, given) {
            (None, None | Some(None)) => {
                fields.retain(|(field, _)| usize::from(*field) != at);
                fields.push((at as FieldPos, Value::Link(person.id)));
                Some(person.id)
            }
            (Some(_), None) => return Ok(()),
            (_, Some(given)) => given,
        };
        let was = before.and_then(|record| record.values().get(at)?.as_link());
        if is_slice(self.model) && creator != was && !may_name(person, was, creator) {
            return Err(permission_denied("Insufficient privileges to change slice creator"));
        }
        if creator.is_none()
            && let Some(validator) = self.validator(HAS_CREATOR)
        {
            return Err(invalid(validator));
        }
        Ok(())
    }

    /// What a validator of the model says when it does not hold; `None` when the model does not have it.
    fn validator(&self, policy: &str) -> Option<&str> {
        let chain = self.model.chain.iter().filter_map(|id| self.served.schema.by_id(*id));
        let mut validators = chain.flat_map(|level| level.def.validators.iter());
        let found = validators.find(|validator| validator.policy == policy)?;
        Some(found.message.as_ref())
    }
}

/// Whether somebody may make `creator` the one who created an object: who has no creator yet may get the caller.
fn may_name(person: &Person, was: Option<ObjectId>, creator: Option<ObjectId>) -> bool {
    person.is_admin || (was.is_none() && creator == Some(person.id))
}

fn is_slice(model: &ModelInfo) -> bool {
    model.name() == "Slice" && model.def.app_label == "core"
}

fn is_true(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool).unwrap_or(false)
}

/// A name in `update_fields` that is no field of the model.
pub(super) fn unknown_names(names: &[&str]) -> Status {
    exception(format!(
        "The following fields do not exist in this model or are m2m fields: {}",
        names.join(", ")
    ))
}
