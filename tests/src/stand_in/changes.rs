//! Create, update and delete, in the order and with the oddities of a real core.

use tonic::Status;
use xos_core::server::__wire::Given;
use xos_model_client::{
    Caller, FieldPos, Guard, Kind, ModelAccessor as _, ModelInfo, ObjectId, Op, Query, Target, Timestamp,
    Touch, Value, Write, Written,
};

use super::accounts::Account;
use super::core::{Core, Served, id_of};
use super::proto::declared_class;
use super::server::Call;
use super::status::{does_not_exist, exception, list, of_error, permission_denied, validation_error};
use super::validation;
use super::wire::Answer;

/// What an update says beside the message.
struct Flags<'a> {
    by_synchronizer: bool,
    always_update_timestamp: bool,
    is_sync_save: bool,
    is_policy_save: bool,
    /// The names in `update_fields`, when it is there at all.
    update_fields: Option<Vec<&'a str>>,
}

impl<'a> Flags<'a> {
    fn of(call: &'a Call) -> Self {
        // Only that they are there counts, not their values.
        let has = |key: &str| call.headers.contains_key(key);
        Flags {
            by_synchronizer: call.metadata("caller_kind") == Some("synchronizer"),
            always_update_timestamp: has("always_update_timestamp"),
            is_sync_save: has("is_sync_save"),
            is_policy_save: has("is_policy_save"),
            update_fields: call.metadata("update_fields").map(|names| names.split(',').collect()),
        }
    }

    /// Whether a field is to be stored.
    fn stores(&self, name: &str) -> bool {
        self.update_fields.as_ref().is_none_or(|names| {
            names.iter().any(|found| *found == name || found.strip_suffix("_id") == Some(name))
        })
    }

    fn names_list(&self, name: &str) -> bool {
        let names = self.update_fields.iter().flatten();
        names.into_iter().any(|found| found.strip_suffix("_ids") == Some(name))
    }
}

impl Core {
    pub(super) async fn create(&self, served: &Served, model: &ModelInfo, request: Given) -> Answer {
        let kept = ["id", "leaf_model_name", "updated", "created"];
        let mut given = by_place(request);
        given.retain(|(at, value)| !kept.contains(&name(model, *at)) && !value.is_null());
        let mut whole: Vec<Value> = model.fields.iter().map(|field| default(&field.def)).collect();
        overlay(&mut whole, &given);
        if model.name() == "ServiceInstanceLink"
            && linked(model, &whole, "provider_service_instance").is_none()
        {
            let text = format!("{} has no provider_service_instance.", declared_class(model));
            return Err(exception(text));
        }
        if let Some(owner) = self.another_owner(served, model, &whole).await? {
            given.retain(|(at, _)| *at != owner.0);
            given.push(owner);
        }
        check(served, model, &whole)?;
        let fields = given.into_iter().map(|(at, value)| (at as FieldPos, value)).collect();
        let written = self.write(served, model, Target::New, Op::Create(fields), Caller::Client).await?;
        if model.name() == "User"
            && let (Some(Value::Text(email)), Some(Value::Text(password))) =
                (value(model, &whole, "email"), value(model, &whole, "password"))
        {
            let is_admin = matches!(value(model, &whole, "is_admin"), Some(Value::Bool(true)));
            self.accounts.add(Account { email: email.clone(), password: password.clone(), is_admin });
        }
        let values = self.expect(served, model, written.id.get()).await?;
        self.one(served, model, values).await
    }

    pub(super) async fn update(
        &self,
        served: &Served,
        model: &ModelInfo,
        request: Given,
        before: Vec<Value>,
        call: &Call,
    ) -> Answer {
        let flags = Flags::of(call);
        let id = ObjectId::new(request.id);
        let given = by_place(request);
        let (lists, plain): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|(at, _)| model.fields[*at].def.kind == Kind::Links);

        // Every field of the message counts as a change when it differs, whether it is to be stored or not.
        let mut whole = before.clone();
        overlay(&mut whole, &plain);
        let changed: Vec<&str> = plain
            .iter()
            .filter(|(at, value)| before.get(*at) != Some(value))
            .map(|(at, _)| name(model, *at))
            .collect();
        if !flags.by_synchronizer {
            guard_feedback(model, &changed)?;
        }
        check_names(model, flags.update_fields.as_deref())?;
        let now = Value::Time(Timestamp::now());
        let touches = !flags.by_synchronizer || flags.always_update_timestamp;
        let deleted = matches!(value(model, &whole, "deleted"), Some(Value::Bool(true)));
        if !deleted {
            check(served, model, &whole)?;
        }

        let mut stored: Vec<(usize, Value)> = plain
            .into_iter()
            .filter(|(at, _)| flags.stores(name(model, *at)))
            .filter(|(at, _)| !["updated", "leaf_model_name"].contains(&name(model, *at)))
            .collect();
        let is_important = changed.iter().any(|name| is_important(name));
        for (asked, stamp) in
            [(flags.is_sync_save, "changed_by_step"), (flags.is_policy_save, "changed_by_policy")]
        {
            if let Some(at) = model.shape.position(stamp).filter(|_| asked && is_important) {
                stored.retain(|(known, _)| *known != at);
                stored.push((at, now.clone()));
                whole[at] = now.clone();
            }
        }
        if let Some(at) = model.shape.position("updated") {
            whole[at] = if touches { now } else { before[at].clone() };
        }
        let links_owner = stored.iter().any(|(at, _)| name(model, *at) == "owner");
        if !deleted
            && links_owner
            && let Some(owner) = self.another_owner(served, model, &whole).await?
        {
            stored.retain(|(at, _)| *at != owner.0);
            stored.push(owner);
        }
        if !deleted {
            stored.extend(lists_to_set(model, &before, lists, &flags));
        }
        // Who calls was looked at here, and so were the stamps: the store is to move `updated` when told, and never
        // by itself.
        let touch = if touches && flags.stores("updated") { Touch::Updated } else { Touch::AsTheRulesSay };
        let fields: Vec<(FieldPos, Value)> =
            stored.into_iter().map(|(at, value)| (at as FieldPos, value)).collect();
        if !fields.is_empty() || touch == Touch::Updated {
            let op = Op::Set { fields, touch };
            self.write(served, model, Target::Object(id), op, Caller::Engine).await?;
        }
        if deleted {
            // The answer is what the core has in memory, stored or not.
            return self.one(served, model, whole).await;
        }
        let values = self.expect(served, model, id.get()).await?;
        self.one(served, model, values).await
    }

    /// The owner that the core gives to an object without a live owner of its owner class: the first row of the table
    /// of that class, which is the one that was changed longest ago.
    async fn another_owner(
        &self,
        served: &Served,
        model: &ModelInfo,
        whole: &[Value],
    ) -> Result<Option<(usize, Value)>, Status> {
        let class = model.owner_class(&served.schema).and_then(|name| served.schema.model(name));
        let (Some(at), Some(class)) = (model.shape.position("owner"), class) else { return Ok(None) };
        let owners = self.find(&Query::live(class.shape.clone())).await;
        let mut owners = owners.map_err(|error| of_error(&error, &served.schema, class))?;
        let owner = linked(model, whole, "owner");
        if owners.iter().any(|values| owner.is_some_and(|owner| owner.get() == id_of(values))) {
            return Ok(None);
        }
        self.in_table_order(class, &mut owners);
        // Without any, the store says so.
        Ok(owners.first().map(|values| (at, Value::Link(ObjectId::new(id_of(values))))))
    }

    pub(super) async fn delete(
        &self,
        served: &Served,
        model: &ModelInfo,
        id: i32,
        there: Option<Vec<Value>>,
    ) -> Answer {
        let is_live =
            there.is_some_and(|values| !matches!(value(model, &values, "deleted"), Some(Value::Bool(true))));
        if !is_live {
            return Err(exception(does_not_exist(model)));
        }
        let target = Target::Object(ObjectId::new(id));
        self.write(served, model, target, Op::Delete, Caller::Client).await?;
        Ok(bytes::Bytes::new())
    }

    pub(super) async fn write(
        &self,
        served: &Served,
        model: &ModelInfo,
        target: Target,
        op: Op,
        by: Caller,
    ) -> Result<Written, Status> {
        let write = Write { shape: model.shape.clone(), target, op, by, guard: Guard::None };
        let answer = self.store.write(vec![write]).await.pop();
        let written = answer.ok_or_else(|| exception("the store gave no answer"))?;
        let written = written.map_err(|error| of_error(&error, &served.schema, model))?;
        self.moved(model, written.id);
        Ok(written)
    }
}

/// The lists of links that an update sets.
fn lists_to_set(
    model: &ModelInfo,
    before: &[Value],
    given: Vec<(usize, Value)>,
    flags: &Flags<'_>,
) -> Vec<(usize, Value)> {
    let mut set = Vec::new();
    for (at, field) in model.fields.iter().enumerate().filter(|(_, it)| it.def.kind == Kind::Links) {
        let is_named = flags.names_list(&field.def.name);
        let list = given.iter().find(|(given, _)| *given == at).map(|(_, list)| list);
        match list {
            // A defect of the core: a list that is named and does not change is cleared.
            Some(list) if is_named && same_members(list, &before[at]) => {
                set.push((at, Value::Links(Vec::new())));
            }
            Some(list) => set.push((at, list.clone())),
            None if is_named => set.push((at, Value::Links(Vec::new()))),
            None => {}
        }
    }
    set
}

fn by_place(given: Given) -> Vec<(usize, Value)> {
    given.fields.into_iter().map(|(at, value)| (usize::from(at), value)).collect()
}

fn name(model: &ModelInfo, at: usize) -> &str {
    model.fields.get(at).map_or("", |field| field.def.name.as_ref())
}

fn value<'a>(model: &ModelInfo, values: &'a [Value], name: &str) -> Option<&'a Value> {
    values.get(model.shape.position(name)?)
}

fn linked(model: &ModelInfo, values: &[Value], name: &str) -> Option<ObjectId> {
    value(model, values, name)?.as_link()
}

fn overlay(values: &mut [Value], given: &[(usize, Value)]) {
    for (at, value) in given {
        if let Some(place) = values.get_mut(*at) {
            *place = value.clone();
        }
    }
}

fn same_members(one: &Value, other: &Value) -> bool {
    let members = |value: &Value| {
        let mut ids = if let Value::Links(ids) = value { ids.clone() } else { Vec::new() };
        ids.sort_unstable();
        ids
    };
    members(one) == members(other)
}

/// What a new object has before its author says anything; what the core sets by itself counts as set.
fn default(field: &xos_model_client::FieldDef) -> Value {
    use xos_model_client::DefaultValue;
    match &field.default {
        Some(DefaultValue::Now) => Value::Time(Timestamp::now()),
        Some(DefaultValue::First) => Value::Link(ObjectId::new(1)),
        Some(default) => default.constant().unwrap_or_default(),
        None if field.auto_now_add => Value::Time(Timestamp::now()),
        // The core fills it in before it looks.
        None if field.name == "leaf_model_name" => Value::Text("-".to_owned()),
        None => Value::Null,
    }
}

fn check(served: &Served, model: &ModelInfo, whole: &[Value]) -> Result<(), Status> {
    let has_owner_class = model.owner_class(&served.schema).is_some();
    let mut faults = validation::faults(model, whole, has_owner_class);
    if faults.is_empty() { Ok(()) } else { Err(exception(validation_error(&mut faults))) }
}

/// Names in `update_fields` that are no fields. Lists of links are told apart before, by the core, too.
fn check_names(model: &ModelInfo, names: Option<&[&str]>) -> Result<(), Status> {
    let is_known = |name: &str| {
        let plain = |field: &xos_model_client::FieldInfo| {
            let own = field.def.name.as_ref();
            !field.def.is_id()
                && match field.def.kind {
                    Kind::Link => own == name || name.strip_suffix("_id") == Some(own),
                    Kind::Links => name.strip_suffix("_ids") == Some(own),
                    _ => own == name,
                }
        };
        model.fields.iter().any(plain)
    };
    let unknown: Vec<&str> = names.unwrap_or_default().iter().filter(|it| !is_known(it)).copied().collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(exception(format!(
        "The following fields do not exist in this model or are m2m fields: {}",
        unknown.join(", ")
    )))
}

/// Fields that only a synchronizer may change. In a class with such fields of its own the inherited ones are not
/// guarded: a defect of the core's generator.
fn guard_feedback(model: &ModelInfo, changed: &[&str]) -> Result<(), Status> {
    let own: Vec<&str> =
        model.def.fields.iter().filter(|field| field.feedback).map(|field| field.name.as_ref()).collect();
    let guarded = if own.is_empty() { model.feedback_fields().collect() } else { own };
    let refused: Vec<&str> = changed.iter().filter(|name| guarded.contains(name)).copied().collect();
    if refused.is_empty() {
        return Ok(());
    }
    let text =
        format!("A non Synchronizer is trying to update fields marked as feedback_state: {}", list(refused));
    Err(permission_denied(&text))
}

/// Whether a change of a field makes the other engine look at the object again.
fn is_important(name: &str) -> bool {
    let kept = ["policed", "updated", "enacted", "changed_by_step", "changed_by_policy"];
    !kept.contains(&name) && !name.starts_with("backend_") && !name.starts_with("policy_")
}
