//! Update: what of a message is stored, and on whose behalf.
//!
//! A client sends the whole object or parts of it, and names in the metadata what is to be stored; what is named and
//! is not in the message stays as it is. See `xos-framework.md` §4.2.

use http::HeaderMap;
use tonic::Status;
use xos_model_client::{
    Caller, ErrorKind, FieldPos, Guard, Kind, ModelInfo, ObjectId, Op, Record, Target, Touch, Value, Written,
};

use super::ask::Ask;
use super::writes::unknown_names;
use crate::server::call::{Answer, Call};
use crate::server::policies::Access;
use crate::server::status::{feedback_denial, malformed, not_found, permission_denied};
use crate::server::wire::{Given, is_secret};

/// How often a write is tried again that somebody else came before.
const TRIES: usize = 8;

/// What the metadata of an update say.
#[derive(Debug, Default)]
struct Flags {
    by_synchronizer: bool,
    is_sync_save: bool,
    is_policy_save: bool,
    always_update_timestamp: bool,
    /// The names in `update_fields`, when it is there at all.
    update_fields: Option<Vec<String>>,
}

impl Flags {
    fn of(headers: &HeaderMap) -> Self {
        let text = |key: &str| headers.get(key).and_then(|value| value.to_str().ok());
        // Of these only that they are there counts, not their values.
        let has = |key: &str| headers.contains_key(key);
        Flags {
            by_synchronizer: text("caller_kind") == Some("synchronizer"),
            is_sync_save: has("is_sync_save"),
            is_policy_save: has("is_policy_save"),
            always_update_timestamp: has("always_update_timestamp"),
            update_fields: text("update_fields").map(|names| names.split(',').map(str::to_owned).collect()),
        }
    }

    /// On whose behalf the write is.
    fn caller(&self) -> Caller {
        match self {
            Flags { by_synchronizer: false, .. } => Caller::Client,
            Flags { is_sync_save: true, .. } => Caller::Step,
            Flags { is_policy_save: true, .. } => Caller::Policy,
            // A pull step, an event step or the engine: none of them moves a time.
            _ => Caller::Pull,
        }
    }

    /// Whether `updated` may be stored: when everything is, or when it is named.
    fn stores_updated(&self) -> bool {
        self.update_fields.as_ref().is_none_or(|names| names.iter().any(|name| name == "updated"))
    }

    /// Whether a plain field is to be stored.
    fn stores(&self, name: &str, kind: Kind) -> bool {
        self.update_fields.as_ref().is_none_or(|names| {
            let is_it = |found: &String| {
                found == name || (kind == Kind::Link && found.strip_suffix("_id") == Some(name))
            };
            names.iter().any(is_it)
        })
    }

    /// Whether a list is named, so that it is stored when it is empty, too.
    fn names_list(&self, name: &str) -> bool {
        self.update_fields.iter().flatten().any(|found| found.strip_suffix("_ids") == Some(name))
    }

    /// Names that are no fields of the model.
    fn check_names(&self, model: &ModelInfo) -> Result<(), Status> {
        let is_known = |name: &str| {
            model.fields.iter().any(|field| {
                let own = field.def.name.as_ref();
                !field.def.is_id()
                    && match field.def.kind {
                        Kind::Link => own == name || name.strip_suffix("_id") == Some(own),
                        Kind::Links => name.strip_suffix("_ids") == Some(own),
                        _ => own == name,
                    }
            })
        };
        let names = self.update_fields.iter().flatten();
        let unknown: Vec<&str> = names.map(String::as_str).filter(|name| !is_known(name)).collect();
        if unknown.is_empty() { Ok(()) } else { Err(unknown_names(&unknown)) }
    }
}

impl Ask<'_> {
    pub(super) async fn update(&self, call: &Call) -> Answer {
        let given = self.how()?.table.read(&call.message).map_err(malformed)?;
        let flags = Flags::of(&call.headers);
        let id = ObjectId::new(given.id);
        if !id.is_set() {
            return Err(not_found(self.model, given.id));
        }
        let is_open = self.world.policies.is_open(&self.who, Access::Write, self.model);
        let is_quiet = !flags.by_synchronizer && !flags.stores_updated();
        let needs_before = !is_open || is_quiet || self.model.shape.position("creator").is_some();
        let before = if needs_before { Some(self.expect(given.id).await?) } else { None };
        let mut fields = self.stored(&given, &flags);
        if let Some(before) = before.as_ref().filter(|_| !is_open) {
            let next = after(before, &fields);
            self.world.policies.check_update(&self.who, self.model, before, &next).await?;
        }
        if let Err(unknown) = flags.check_names(self.model) {
            // That there is no such object is told first.
            self.expect(given.id).await?;
            return Err(unknown);
        }
        if let Some(before) = &before {
            self.sign(&mut fields, Some(before))?;
        }
        let written = match before {
            Some(before) if is_quiet => self.write_quietly(id, &flags, fields, before).await?,
            _ => {
                let touches = flags.always_update_timestamp && flags.stores_updated();
                let touch = if touches { Touch::Updated } else { Touch::AsTheRulesSay };
                let op = Op::Set { fields, touch };
                let written = self.write(Target::Object(id), op, flags.caller(), Guard::None).await;
                written.map_err(|error| self.told(&error))?
            }
        };
        self.tell_written(&written).await
    }

    /// What of the message is stored.
    fn stored(&self, given: &Given, flags: &Flags) -> Vec<(FieldPos, Value)> {
        let mut stored = Vec::with_capacity(given.fields.len());
        let mut lists_given = Vec::new();
        for (at, value) in &given.fields {
            let Some(field) = self.model.fields.get(usize::from(*at)) else { continue };
            let (name, kind) = (field.def.name.as_ref(), field.def.kind);
            let is_stored = match value {
                Value::Links(ids) => {
                    lists_given.push(*at);
                    // A list with members is what was meant, named or not.
                    !ids.is_empty() || flags.names_list(name)
                }
                // A client that sends back the whole object gives nobody an empty password.
                Value::Text(text) if text.is_empty() && is_secret(&self.served.schema, self.model, name) => {
                    false
                }
                // The core gives it; in a whole object it may be stale.
                _ if name == "leaf_model_name" && flags.update_fields.is_none() => false,
                _ => flags.stores(name, kind),
            };
            if is_stored {
                stored.push((*at, value.clone()));
            }
        }
        // A list that is named and not in the message is emptied: on the wire both are the same.
        for (at, field) in self.model.fields.iter().enumerate() {
            let at = at as FieldPos;
            let is_emptied = field.def.kind == Kind::Links
                && flags.names_list(&field.def.name)
                && !lists_given.contains(&at);
            if is_emptied {
                stored.push((at, Value::Links(Vec::new())));
            }
        }
        stored
    }

    /// A write of a client that does not name `updated`, so that it stays. The store would move it for a client, so
    /// it is written on behalf of nobody, and who may write what is looked at here.
    async fn write_quietly(
        &self,
        id: ObjectId,
        flags: &Flags,
        fields: Vec<(FieldPos, Value)>,
        mut before: Record,
    ) -> Result<Written, Status> {
        debug_assert!(!flags.by_synchronizer);
        let mut tries = 0;
        loop {
            self.guard_feedback(&fields, &before)?;
            let guard = before.revision().map_or(Guard::None, Guard::Revision);
            let op = Op::Set { fields: fields.clone(), touch: Touch::AsTheRulesSay };
            match self.write(Target::Object(id), op, Caller::Pull, guard).await {
                Ok(written) => return Ok(written),
                Err(error) if matches!(error.kind(), ErrorKind::Superseded { .. }) && tries < TRIES => {
                    tries += 1;
                    before = self.expect(id.get()).await?;
                }
                Err(error) => return Err(self.told(&error)),
            }
        }
    }

    /// Only a synchronizer may change feedback fields.
    fn guard_feedback(&self, fields: &[(FieldPos, Value)], before: &Record) -> Result<(), Status> {
        let changed = |at: usize, value: &Value| before.values().get(at) != Some(value);
        let refused: Vec<&str> = fields
            .iter()
            .filter_map(|(at, value)| {
                Some((usize::from(*at), value, self.model.fields.get(usize::from(*at))?))
            })
            .filter(|(at, value, field)| field.def.feedback && changed(*at, value))
            .map(|(_, _, field)| field.def.name.as_ref())
            .collect();
        if refused.is_empty() { Ok(()) } else { Err(permission_denied(&feedback_denial(refused))) }
    }
}

/// The object as it would be with these fields.
fn after(before: &Record, fields: &[(FieldPos, Value)]) -> Record {
    let mut values = before.values().to_vec();
    for (at, value) in fields {
        if let Some(place) = values.get_mut(usize::from(*at)) {
            place.clone_from(value);
        }
    }
    Record::new(before.shape().clone(), values)
}
