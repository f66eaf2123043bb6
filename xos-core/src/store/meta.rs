//! The models themselves, as they are kept in the database.

use std::ops::ControlFlow;

use xos_model_client::ModelDef;

use super::catalog::{Catalog, StoredModel};
use super::fault::{Fault, Outcome, store_error};
use crate::sql::{Connection, params};

/// The key under which the generation of the schema is kept.
const GENERATION: &str = "generation";

/// The generation of the schema in a database.
pub(crate) fn read_generation(connection: &Connection) -> Outcome<u64> {
    let sql = "SELECT value FROM _state WHERE key = ?1";
    Ok(connection.one(sql, params![GENERATION], |row| Ok(row.get(0)?))?.unwrap_or(0))
}

/// All models of a database.
pub(crate) fn read_catalog(connection: &Connection, path: &str) -> Outcome<Catalog> {
    let generation = read_generation(connection)?;
    let sql = "SELECT id, service, table_name, gone, def FROM _model ORDER BY id";
    let mut models: Vec<Option<StoredModel>> = Vec::new();
    connection.each(sql, [], |row| {
        let id: usize = row.get(0)?;
        models.resize_with(id, || None);
        if row.get(3)? {
            models.push(None);
            return Ok(ControlFlow::Continue(()));
        }
        let text: String = row.get(4)?;
        let def: ModelDef = serde_json::from_str(&text).map_err(|error| {
            let problem =
                format!("holds a model this program cannot read ({error}); use the program that wrote it");
            Fault::Told(store_error(path, problem, None))
        })?;
        models.push(Some(StoredModel { def, service: row.get(1)?, table: row.get(2)? }));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(Catalog::new(generation, models)?)
}

/// Stores which models there are now, and that they changed. Only those that differ are written.
pub(crate) fn write_catalog(connection: &Connection, old: &Catalog, new: &Catalog) -> Outcome<()> {
    for (id, model) in new.stored.iter().enumerate() {
        let before = old.stored.get(id);
        match (before.and_then(Option::as_ref), model) {
            (Some(_), None) => {
                connection.execute("UPDATE _model SET gone = 1 WHERE id = ?1", params![id])?;
            }
            (before, Some(model)) => {
                let same =
                    before.is_some_and(|before| before.def == model.def && before.service == model.service);
                if !same {
                    write_model(connection, id, model)?;
                }
            }
            (None, None) => {}
        }
    }
    connection.execute(
        "INSERT INTO _state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        params![GENERATION, new.generation],
    )?;
    Ok(())
}

fn write_model(connection: &Connection, id: usize, model: &StoredModel) -> Outcome<()> {
    let def = serde_json::to_string(&model.def).map_err(|error| {
        Fault::Told(store_error("", format!("cannot hold the model {}: {error}", model.def.name), None))
    })?;
    connection.execute(
        "INSERT INTO _model (id, name, service, table_name, def) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (id) DO UPDATE SET service = excluded.service, def = excluded.def",
        params![id, model.def.name.as_ref(), model.service.as_str(), model.table.as_str(), def.as_str()],
    )?;
    Ok(())
}

/// The services that have loaded models, with their versions, by name.
pub(crate) fn read_services(connection: &Connection) -> Outcome<Vec<(String, String)>> {
    let sql = "SELECT name, version FROM _service ORDER BY name";
    connection.all(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Stores the version of a service; `None` removes the service.
pub(crate) fn write_service(connection: &Connection, name: &str, version: Option<&str>) -> Outcome<()> {
    match version {
        Some(version) => connection.execute(
            "INSERT INTO _service (name, version) VALUES (?1, ?2) \
             ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            params![name, version],
        ),
        None => connection.execute("DELETE FROM _service WHERE name = ?1", params![name]),
    }
}
