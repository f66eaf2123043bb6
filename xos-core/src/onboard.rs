//! Loading and unloading models.
//!
//! All that a load needs is checked before anything is changed, and all of it is one transaction: after a refusal the
//! core is as it was.

mod alter;
mod compare;
mod core_version;
mod kept;
mod unload;

use std::collections::BTreeSet;
use std::sync::Arc;

use xos_model_client::{
    DefaultValue, ErrorKind, LoadModels, LoadState, ModelDef, ModelId, ModelName, ModelsStatus, Onboard,
    Onboarded, ServiceFiles, models,
};

#[cfg(feature = "server")]
pub(crate) use self::kept::KEPT;
use self::kept::Keep;
pub(crate) use self::kept::Kept;
use crate::rules::{normalise, problem};
use crate::store::{Catalog, Fault, Outcome, Store, StoredModel, read_services};

/// The service that the models of every core belong to.
const CORE: &str = "core";

impl Store {
    /// Loads or unloads models, or tells what is loaded.
    pub(crate) fn onboard(&mut self, what: &Onboard) -> Outcome<Onboarded> {
        self.exclusively(|store| store.onboard_alone(what))
    }

    fn onboard_alone(&mut self, what: &Onboard) -> Outcome<Onboarded> {
        match what {
            Onboard::Load(load) => self.load(load),
            Onboard::Unload { name, cleanup } => self.unload(name, *cleanup),
            Onboard::Status => {
                let services = read_services(&self.db.connection)?;
                let status = |(name, version)| ModelsStatus { name, version, state: LoadState::Present };
                Ok(Onboarded::Status(services.into_iter().map(status).collect()))
            }
        }
    }

    /// The models that every core has: when a database is opened.
    pub(crate) fn load_core(&mut self, models: &[&ModelDef]) -> Outcome<()> {
        let version = models.first().map_or(crate::CORE_VERSION, |model| model.version.as_ref());
        self.load_as(CORE, version, models, None).map(|_| ())
    }

    fn load(&mut self, load: &LoadModels) -> Outcome<Onboarded> {
        if load.name.is_empty() || load.name == CORE {
            return Err(refused(&load.name, "cannot be loaded: a service needs a name of its own"));
        }
        core_version::check(&load.name, load.core_version.as_deref())?;
        // What every core has comes along with what is built on it; the core's own definitions count.
        let is_of_core = |model: &ModelDef| {
            model.app_label == CORE
                && (self.db.catalog.schema.model(&model.name).is_some()
                    || models::core_models().any(|core| core.name == model.name))
        };
        let models: Vec<&ModelDef> = load.models.iter().filter(|model| !is_of_core(model)).collect();
        if let Some(model) = models.iter().find(|model| model.app_label == CORE) {
            let problem = format!(
                "cannot be loaded: {} says it belongs to the core (app_label = \"core\"), which has no such model; give it the service's app_label",
                model.name
            );
            return Err(refused(&load.name, problem));
        }
        self.load_as(&load.name, &load.version, &models, Some(&load.files))
    }

    /// `files` are those of a service; the core's own models have none.
    fn load_as(
        &mut self,
        service: &str,
        version: &str,
        models: &[&ModelDef],
        files: Option<&ServiceFiles>,
    ) -> Outcome<Onboarded> {
        let old = self.db.catalog.clone();
        let mut stored = old.stored.clone();
        let mut changed: Vec<ModelId> = Vec::new();
        for def in models {
            if let Some(id) = place(service, def, &mut stored)? {
                changed.push(id);
            }
        }
        let known = read_services(&self.db.connection)?;
        let same_version = known.iter().any(|(name, known)| name == service && known == version);
        let keep = match files {
            Some(files) => self.to_keep(service, Kept::loaded(version, files))?,
            None => Keep::AsItIs,
        };
        // Other files are another generation too: whoever reads them finds out by it.
        if changed.is_empty() && !owners_differ(&old, &stored) && matches!(keep, Keep::AsItIs) {
            if !same_version {
                self.transaction(|store| store.write_version(service, version))?;
            }
            return Ok(Onboarded::NothingChanged);
        }
        let next = Arc::new(Catalog::new(old.generation + 1, stored)?);
        let alterations = compare::alterations(self, &old, &next, &changed, service)?;
        let names = changed
            .iter()
            .filter_map(|id| next.schema.by_id(*id))
            .map(|model| model.name().clone())
            .collect();
        self.transaction(|store| {
            alter::alter(store, &next, &alterations)?;
            store.keep(service, &keep)?;
            store.write_models(&old, &next, service, Some(version))
        })?;
        self.use_catalog(next);
        Ok(if changed.is_empty() { Onboarded::NothingChanged } else { Onboarded::Loaded { models: names } })
    }
}

/// Puts a model among the others, and tells its id when it is new or differs.
fn place(service: &str, def: &ModelDef, stored: &mut Vec<Option<StoredModel>>) -> Outcome<Option<ModelId>> {
    check_name(service, def)?;
    let known =
        stored.iter().position(|model| model.as_ref().is_some_and(|model| model.def.name == def.name));
    let Some(at) = known else {
        let at = stored.len();
        let Ok(id) = u16::try_from(at) else {
            return Err(refused(
                service,
                "cannot be loaded: this core had 65,536 models, more have no number",
            ));
        };
        let taken: BTreeSet<String> =
            stored.iter().flatten().map(|model| model.table.to_ascii_lowercase()).collect();
        let plain = def.name.to_ascii_lowercase();
        // SQLite does not tell upper from lower case in names; the core does.
        let table = if taken.contains(&plain) { format!("{plain}_{at}") } else { plain };
        stored.push(Some(StoredModel { def: def.clone(), service: service.to_owned(), table }));
        return Ok(Some(ModelId(id)));
    };
    let Some(model) = stored[at].as_mut() else { return Ok(None) };
    if model.def.app_label != def.app_label {
        let problem = format!(
            "cannot be loaded: the model {} is loaded already by {} (app_label \"{}\", here \"{}\"); give one of them another name",
            def.name, model.service, model.def.app_label, def.app_label
        );
        return Err(refused(service, problem));
    }
    if service == def.app_label {
        // Another service may have brought it along before; now its own service has come.
        service.clone_into(&mut model.service);
    }
    if model.def == *def {
        return Ok(None);
    }
    model.def = def.clone();
    Ok(Some(ModelId(at as u16)))
}

fn check_name(service: &str, def: &ModelDef) -> Outcome<()> {
    let name = &def.name;
    let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good || name.contains("__") || name.starts_with("sqlite_") {
        let problem = format!(
            "cannot be loaded: \"{name}\" is no name for a model; take ASCII letters, digits and single underscores, a letter first"
        );
        return Err(refused(service, problem));
    }
    for (at, field) in def.fields.iter().enumerate() {
        let default =
            field.default.as_ref().and_then(DefaultValue::constant).filter(|default| !default.is_null());
        let wrong = default.and_then(|default| match normalise(field, default) {
            Ok(default) => problem(field, &default),
            Err(problem) => Some(problem),
        });
        if let Some(wrong) = wrong {
            let problem = format!(
                "cannot be loaded: the default of {name}.{} does not fit: {wrong}; give it another default",
                field.name
            );
            return Err(refused(service, problem));
        }
        let twin = def.fields.iter().take(at).find(|twin| twin.name.eq_ignore_ascii_case(&field.name));
        if let Some(twin) = twin.filter(|twin| twin.name != field.name) {
            let problem = format!(
                "cannot be loaded: {name} has the fields \"{}\" and \"{}\", which differ in upper and lower case only; give one another name",
                twin.name, field.name
            );
            return Err(refused(service, problem));
        }
    }
    Ok(())
}

fn owners_differ(old: &Catalog, stored: &[Option<StoredModel>]) -> bool {
    let owner = |model: &Option<StoredModel>| model.as_ref().map(|model| model.service.clone());
    old.stored.iter().map(owner).ne(stored.iter().map(owner))
}

/// Models that are not loaded or unloaded.
fn refused(service: &str, problem: impl Into<String>) -> Fault {
    let service = if service.is_empty() { "a service without name" } else { service };
    ErrorKind::Onboarding { service: service.to_owned(), problem: problem.into() }.into()
}

/// A name list for an error.
fn listed(names: &[ModelName]) -> String {
    names.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ")
}
