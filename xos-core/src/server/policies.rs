//! Who may read and write what: the security policies of the models.
//!
//! A model's policy is a formula, of the core (`policies/core.xproto`) or of the service that brought the model. A
//! model without one has that of the nearest model that it inherits from; where there is none, everybody who logged in
//! may do everything. Whoever is on the Unix socket without credentials may too.
//!
//! What cannot be evaluated (Python, names that mean nothing) denies, unless the rest of the formula decides without
//! it. Beyond the formulas of the core:
//!
//! - a privilege that has expired does not count;
//! - only an administrator may write a user who is one, or make somebody one: else whoever may change his own name, or
//!   administers a site, could make himself an administrator;
//! - only an administrator may change who created a slice.

mod compile;
mod evaluate;
mod exists;
mod node;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tonic::Status;
use xos_model_client::xproto::{self, Document};
use xos_model_client::{ModelAccessor as _, ModelInfo, ModelName, ObjectId, Record, Schema, Value};

use self::compile::{CORE, Compiled, Texts, compile};
use self::evaluate::{Env, Evaluation};
use self::node::{Ctx, Node, Tri};
use super::status::permission_denied;
use super::users::{Person, Who};
use crate::EmbeddedCore;

/// What somebody wants to do with an object.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The policies of the models that are loaded.
pub(crate) struct Policies {
    core: EmbeddedCore,
    state: Mutex<State>,
}

struct State {
    texts: Texts,
    /// The schema that the policies were compiled with.
    schema: Arc<Schema>,
    compiled: HashMap<ModelName, Option<Arc<Compiled>>>,
    /// Of which it was logged that they cannot be evaluated.
    warned: HashSet<(ModelName, String)>,
}

impl Policies {
    pub(crate) fn new(core: EmbeddedCore) -> Self {
        let mut texts = Texts::default();
        match core_policies() {
            Ok(document) => texts.learn(CORE, &document),
            // All of them deny then; a test reads them.
            Err(error) => tracing::error!(error = %error, "the policies of the core cannot be read"),
        }
        let state = State { texts, schema: core.schema(), compiled: HashMap::new(), warned: HashSet::new() };
        Policies { core, state: Mutex::new(state) }
    }

    /// Takes the policies that stand in the xproto of a service, in place of those that it brought before. A policy of
    /// a service counts for its own models, and goes before one of the core of the same name.
    pub(crate) fn learn(&self, service: &str, document: &Document) {
        if service == CORE {
            return;
        }
        let mut state = self.state();
        state.texts.learn(service, document);
        state.compiled.clear();
        for (policy, problem) in state.texts.mistakes(service) {
            tracing::warn!(
                service,
                policy,
                problem,
                "a security policy cannot be evaluated; it denies what it does not allow without that"
            );
        }
    }

    /// The service is gone, and its policies with it.
    pub(crate) fn forget(&self, service: &str) {
        if service == CORE {
            return;
        }
        let mut state = self.state();
        state.texts.forget(service);
        state.compiled.clear();
    }

    /// Whether this model's policy lets this caller do this with every object, so that none has to be looked at.
    pub(crate) fn is_open(&self, who: &Who, access: Access, model: &ModelInfo) -> bool {
        let Who::User(person) = who else { return true };
        if access == Access::Write && !person.is_admin && self.is_guarded(model) {
            return false;
        }
        self.compiled(model).is_none_or(|policy| policy.is_open(access, person.is_admin))
    }

    /// Fails when the caller may not do this with this object. `object` is laid out by the model's full shape; of a
    /// new object it has what the caller gave.
    ///
    /// # Errors
    ///
    /// The status of a caller who may not.
    pub(crate) async fn check(
        &self,
        who: &Who,
        access: Access,
        model: &ModelInfo,
        object: &Record,
    ) -> Result<(), Status> {
        let Who::User(person) = who else { return Ok(()) };
        if self.is_open(who, access, model) {
            return Ok(());
        }
        let policy = self.compiled(model);
        let allowed = match &policy {
            Some(policy) if !policy.is_open(access, person.is_admin) => {
                let said = self.evaluate(policy, person, access, vec![object.clone()], model).await?;
                said.first() == Some(&Tri::True)
            }
            _ => true,
        };
        let guarded = access == Access::Write && self.is_user(model) && !person.is_admin;
        if allowed && !(guarded && object.get("is_admin") == Some(&Value::Bool(true))) {
            return Ok(());
        }
        let name = policy.as_ref().map_or("user_policy", |policy| &policy.name);
        Err(denied(person, model, object.id(), name))
    }

    /// Fails when the caller may not change this object like this: as it is stored, or as it would be, when a field
    /// that the policy looks at changes. Both are laid out by the model's full shape.
    ///
    /// # Errors
    ///
    /// The status of a caller who may not.
    pub(crate) async fn check_update(
        &self,
        who: &Who,
        model: &ModelInfo,
        stored: &Record,
        next: &Record,
    ) -> Result<(), Status> {
        let Who::User(person) = who else { return Ok(()) };
        self.check(who, Access::Write, model, stored).await?;
        if person.is_admin {
            return Ok(());
        }
        let changes = |field: &str| stored.get(field) != next.get(field);
        if self.is_a(model, "Slice") && changes("creator") && stored.get("creator").is_some_and(is_link) {
            return Err(permission_denied("Insufficient privileges to change slice creator"));
        }
        let looked_at = self.compiled(model).is_some_and(|policy| {
            let ctx = Ctx { access: Access::Write, is_admin: false, user: Some(person) };
            policy.node.specialise(&ctx).fields().iter().any(|field| changes(field))
        });
        if looked_at || (self.is_user(model) && changes("is_admin")) {
            self.check(who, Access::Write, model, next).await?;
        }
        Ok(())
    }

    /// Leaves out the objects that the caller may not read.
    ///
    /// # Errors
    ///
    /// When the privileges cannot be read.
    pub(crate) async fn readable(
        &self,
        who: &Who,
        model: &ModelInfo,
        objects: Vec<Record>,
    ) -> Result<Vec<Record>, Status> {
        let Who::User(person) = who else { return Ok(objects) };
        if objects.is_empty() || self.is_open(who, Access::Read, model) {
            return Ok(objects);
        }
        let Some(policy) = self.compiled(model) else { return Ok(objects) };
        let said = self.evaluate(&policy, person, Access::Read, objects.clone(), model).await?;
        Ok(objects
            .into_iter()
            .zip(said)
            .filter(|(_, said)| *said == Tri::True)
            .map(|(object, _)| object)
            .collect())
    }

    async fn evaluate(
        &self,
        policy: &Compiled,
        person: &Person,
        access: Access,
        objects: Vec<Record>,
        model: &ModelInfo,
    ) -> Result<Vec<Tri>, Status> {
        let ctx = Ctx { access, is_admin: person.is_admin, user: Some(person) };
        let node = policy.node.specialise(&ctx);
        if let Node::Known(known) = node {
            return Ok(vec![known; objects.len()]);
        }
        let mut evaluation = Evaluation::new(&self.core, self.core.schema(), person);
        let envs: Vec<Env> = objects.into_iter().map(Env::of).collect();
        let said = evaluation.all(&node, &envs).await.map_err(|error| {
            tracing::error!(error = %error, policy = policy.name, model = %model.name(), "a security policy cannot be evaluated now");
            Status::unavailable("what you may do cannot be read now; try again, and see the log of the core")
        })?;
        tracing::trace!(policy = policy.name, objects = envs.len(), reads = evaluation.reads, "evaluated");
        Ok(said)
    }

    /// The policy of a model. It is logged once when it cannot be evaluated.
    fn compiled(&self, model: &ModelInfo) -> Option<Arc<Compiled>> {
        let schema = self.core.schema();
        let mut state = self.state();
        let state = &mut *state;
        if !Arc::ptr_eq(&state.schema, &schema) {
            state.compiled.clear();
            state.schema = schema;
        }
        if let Some(compiled) = state.compiled.get(model.name()) {
            return compiled.clone();
        }
        // A model that is gone meanwhile is judged by what it was.
        let model = state.schema.model(model.name()).unwrap_or(model);
        let compiled = compile(&state.schema, &state.texts, model).map(Arc::new);
        for problem in compiled.iter().flat_map(|policy| &policy.problems) {
            if state.warned.insert((model.name().clone(), problem.clone())) {
                let policy = compiled.as_ref().map_or("", |policy| &policy.name);
                tracing::warn!(
                    policy,
                    model = %model.name(),
                    problem,
                    "a security policy cannot be evaluated; it denies what it does not allow without that"
                );
            }
        }
        state.compiled.insert(model.name().clone(), compiled.clone());
        compiled
    }

    /// Whether there are rules beyond the model's policy.
    fn is_guarded(&self, model: &ModelInfo) -> bool {
        self.is_user(model) || self.is_a(model, "Slice")
    }

    fn is_user(&self, model: &ModelInfo) -> bool {
        self.is_a(model, "User")
    }

    fn is_a(&self, model: &ModelInfo, base: &str) -> bool {
        let schema = self.core.schema();
        schema.model(base).is_some_and(|base| base.def.app_label == "core" && model.chain.contains(&base.id))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The core's policies.
pub(super) fn core_policies() -> Result<Document, xproto::SyntaxErrors> {
    xproto::parse("core.xproto", include_str!("policies/core.xproto"))
}

fn is_link(value: &Value) -> bool {
    value.as_link().is_some()
}

fn denied(person: &Person, model: &ModelInfo, id: ObjectId, policy: &str) -> Status {
    let object = if id.is_set() { format!("object {id}") } else { "new object".to_owned() };
    let (email, class) = (&person.email, model.name());
    permission_denied(&format!("User {email} cannot access {class} {object} due to policy {policy}"))
}
