//! Unloading the models of a service.

use std::sync::Arc;

use xos_model_client::{Caller, Cleanup, ModelId, ModelName, Onboarded};

use super::alter::{Alteration, alter, tables};
use super::{CORE, Keep, Kept, listed, refused};
use crate::sql::{Row, params};
use crate::store::{Catalog, Outcome, Store, read_services};

impl Store {
    pub(super) fn unload(&mut self, name: &str, cleanup: Cleanup) -> Outcome<Onboarded> {
        if name == CORE {
            return Err(refused(name, "cannot be unloaded: everything is built on them"));
        }
        let old = self.db.catalog.clone();
        let is_its = |id: &ModelId| {
            old.stored.get(id.0 as usize).and_then(Option::as_ref).is_some_and(|model| model.service == name)
        };
        let models: Vec<ModelId> = old.layouts().map(|layout| layout.id).filter(is_its).collect();
        let services = read_services(&self.db.connection)?;
        let known = services.iter().find(|(service, _)| service == name);
        if models.is_empty() && known.is_none() {
            return Ok(Onboarded::NothingChanged);
        }
        let dependants = dependants(&old, &models);
        if !dependants.is_empty() {
            let problem = format!(
                "cannot be unloaded: {} of other services are built on them; unload those first",
                listed(&dependants)
            );
            return Err(refused(name, problem));
        }
        match cleanup {
            Cleanup::RequireClean => self.require_clean(name, &models)?,
            Cleanup::AutomaticallyClean => {
                self.transaction(|store| store.delete_all_of(&models))?;
                if self.reaps() {
                    self.reap_all()?;
                }
                let (live, deleted) = self.count_of(&models)?;
                if live + deleted > 0 {
                    return Ok(Onboarded::TryAgain { left: live + deleted });
                }
            }
            Cleanup::Purge => {}
        }
        let stored = old
            .stored
            .iter()
            .enumerate()
            .map(|(at, model)| if models.contains(&ModelId(at as u16)) { None } else { model.clone() });
        let next = Arc::new(Catalog::new(old.generation + 1, stored.collect())?);
        let drops = drops(&old, &models)?;
        let kept = Kept::unloaded(known.map_or("", |(_, version)| version));
        self.transaction(|store| {
            if cleanup == Cleanup::Purge {
                store.purge_all_of(&models)?;
            }
            alter(store, &next, &drops)?;
            store.keep(name, &Keep::Now(Some(kept)))?;
            store.write_models(&old, &next, name, None)
        })?;
        self.use_catalog(next);
        Ok(Onboarded::Unloaded)
    }

    fn require_clean(&self, name: &str, models: &[ModelId]) -> Outcome<()> {
        let (live, deleted) = self.count_of(models)?;
        if live > 0 {
            let problem = format!(
                "cannot be unloaded: they have {live} live objects; delete them first, or unload with the cleanup AutomaticallyClean"
            );
            return Err(refused(name, problem));
        }
        if deleted > 0 {
            let problem = format!(
                "cannot be unloaded: {deleted} of their objects are still being deleted; try again when they are gone"
            );
            return Err(refused(name, problem));
        }
        Ok(())
    }

    /// How many live and how many soft-deleted objects these models have.
    fn count_of(&self, models: &[ModelId]) -> Outcome<(u64, u64)> {
        let (mut live, mut deleted) = (0, 0);
        for model in models {
            let layout = self.db.catalog.expect_layout(*model)?;
            let sql = format!(
                "SELECT count(*), CAST(coalesce(sum(deleted), 0) AS INTEGER) FROM {} WHERE leaf = ?1",
                layout.bottom_table
            );
            let counts = |row: &Row<'_>| Ok((row.get::<u64>(0)?, row.get::<u64>(1)?));
            let (all, gone) = self.db.connection.one(&sql, params![model.0], counts)?.unwrap_or_default();
            live += all - gone;
            deleted += gone;
        }
        Ok((live, deleted))
    }

    fn delete_all_of(&mut self, models: &[ModelId]) -> Outcome<()> {
        for object in self.objects_of(models)? {
            // An earlier one may have taken it along.
            if let Some(object) = self.reached(object.0, object.1)?.filter(|object| !object.deleted) {
                self.delete_with_all_that_links(object, Caller::Client)?;
            }
        }
        Ok(())
    }

    /// Purges the objects of these models with all that links to them, whatever state they are in.
    fn purge_all_of(&mut self, models: &[ModelId]) -> Outcome<()> {
        self.db.connection.links_are_checked_at_commit()?;
        for (bottom, id) in self.objects_of(models)? {
            if let Some(object) = self.reached(bottom, id)? {
                self.purge_with_all_that_links(object)?;
            }
        }
        self.trim_tombstones()
    }

    fn objects_of(&self, models: &[ModelId]) -> Outcome<Vec<(ModelId, i32)>> {
        let mut found = Vec::new();
        for model in models {
            let layout = self.db.catalog.expect_layout(*model)?;
            let sql = format!("SELECT id FROM {} WHERE leaf = ?1 ORDER BY id DESC", layout.bottom_table);
            found.extend(
                self.db.connection.all(&sql, params![model.0], |row| Ok((layout.bottom, row.get(0)?)))?,
            );
        }
        Ok(found)
    }
}

/// Models of other services that inherit from these, link to them or take owners from them.
fn dependants(catalog: &Catalog, models: &[ModelId]) -> Vec<ModelName> {
    let others = catalog.layouts().filter(|layout| !models.contains(&layout.id));
    let infos = others.filter_map(|layout| catalog.schema.by_id(layout.id));
    let is_its = |id: &ModelId| models.contains(id);
    infos
        .filter(|info| {
            let owner = info.def.owner_class.as_ref().and_then(|name| catalog.schema.model(name));
            info.chain.iter().any(is_its)
                || info.fields.iter().filter_map(|field| field.target).any(|target| is_its(&target))
                || owner.is_some_and(|owner| is_its(&owner.id))
        })
        .map(|info| info.name().clone())
        .collect()
}

/// The tables of these models, those of heirs first.
fn drops(catalog: &Catalog, models: &[ModelId]) -> Outcome<Vec<Alteration>> {
    let mut found = Vec::new();
    for model in models {
        let layout = catalog.expect_layout(*model)?;
        found.push((layout.tables.len(), tables(layout)));
    }
    found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
    Ok(found.into_iter().map(|(_, drop)| drop).collect())
}
