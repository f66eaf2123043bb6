//! What a `ServiceInstanceLink` may connect.

use xos_model_client::{FieldFault, ModelInfo, Value};

use crate::sql::Sql;
use crate::store::{Db, Draft, Outcome, bound};

/// The fields of a link between service instances.
#[derive(Clone, Debug)]
pub(crate) struct LinkFields {
    /// The instance that is used.
    pub(crate) provider: usize,
    /// What uses it: at most one of these is set.
    subscribers: Vec<usize>,
}

impl LinkFields {
    /// The places of the fields, when the model has them.
    pub(super) fn of(info: &ModelInfo) -> Option<Self> {
        let subscribers = ["subscriber_service_instance", "subscriber_service", "subscriber_network"];
        Some(LinkFields {
            provider: info.shape.position("provider_service_instance")?,
            subscribers: subscribers.iter().filter_map(|name| info.shape.position(name)).collect(),
        })
    }

    /// At most one subscriber, and no second live link that connects the same.
    pub(super) fn check(&self, draft: &mut Draft<'_>, db: &Db) -> Outcome<()> {
        let mut fields = vec![self.provider];
        fields.extend(&self.subscribers);
        if !draft.touches(&fields) {
            return Ok(());
        }
        let values: Vec<Value> =
            fields.iter().map(|field| draft.value(db, *field)).collect::<Outcome<_>>()?;
        if values.iter().skip(1).filter(|value| !value.is_null()).count() > 1 {
            let message = "Only one of subscriber_service, subscriber_service_instance, subscriber_network should be set";
            draft.faults.push(FieldFault::whole(message));
            return Ok(());
        }
        let terms: Vec<String> = fields
            .iter()
            .enumerate()
            .map(|(at, field)| format!("s.{} IS ?{}", draft.column(*field).name, at + 1))
            .collect();
        let sql = format!(
            "SELECT s.id FROM {} s JOIN {} b ON b.id = s.id WHERE {} AND b.deleted = 0 AND s.id <> ?{}",
            draft.layout.tables[draft.column(self.provider).level],
            draft.layout.bottom_table,
            terms.join(" AND "),
            fields.len() + 1
        );
        let given = values.iter().map(bound).chain([Sql::from(draft.id.get())]);
        let twin = db.connection.one(&sql, given, |row| Ok(row.get::<i32>(0)?))?;
        if let Some(id) = twin {
            let attributes: Vec<String> = fields
                .iter()
                .zip(&values)
                .map(|(field, value)| format!("{}={value}", draft.column(*field).plain))
                .collect();
            draft.faults.push(FieldFault::whole(format!(
                "A ServiceInstanceLink with attributes '{}' already exists (it is {id})",
                attributes.join(", ")
            )));
        }
        Ok(())
    }
}
