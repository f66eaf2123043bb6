//! The table of objects: `--show`.

use std::collections::BTreeMap;
use std::io::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use xos_model_client::{ModelAccessor, ModelDef, Page, Query, QueryKind, Record, Timestamp, Value};

use crate::config::Config;
use crate::error::{ErrorKind, Result};
use crate::shell::register_next_run;
use crate::synchronizer::Synchronizer;

/// Prints the objects of a synchronizer from its database, also while it runs.
pub(crate) async fn show(config: &Config, service: &Synchronizer) -> Result<()> {
    let name = config.name.as_deref().unwrap_or(service.name());
    let accessor = open_read_only(config, name)?;
    let table = object_table(accessor.as_ref(), &service.shown_models()).await?;
    writeln!(std::io::stdout(), "{table}").map_err(|error| {
        ErrorKind::File { path: "standard output".to_owned(), problem: error.to_string() }.into()
    })
}

/// Opens the core that the configuration chooses for reading only, also while a synchronizer runs on it.
///
/// # Errors
///
/// A database that does not exist or cannot be read; a remote core.
#[cfg(feature = "embedded")]
pub fn open_read_only(config: &Config, name: &str) -> Result<std::sync::Arc<dyn ModelAccessor>> {
    use crate::config::{CoreChoice, REMOTE_NOT_YET};

    match config.core(name) {
        CoreChoice::Embedded { database, .. } => {
            if !database.exists() {
                let problem = "there is no such database; run the synchronizer first, or name another with --db".to_owned();
                return Err(ErrorKind::File { path: database.display().to_string(), problem }.into());
            }
            Ok(std::sync::Arc::new(xos_core::EmbeddedCore::open_read_only(&database)?))
        }
        CoreChoice::Memory => Ok(std::sync::Arc::new(crate::embedded::in_memory()?)),
        CoreChoice::Remote { .. } => Err(ErrorKind::NotYet(REMOTE_NOT_YET).into()),
    }
}

/// Opens the core that the configuration chooses for reading only.
///
/// # Errors
///
/// A remote core, which this version cannot speak to.
#[cfg(not(feature = "embedded"))]
pub fn open_read_only(config: &Config, name: &str) -> Result<std::sync::Arc<dyn ModelAccessor>> {
    crate::run::open_core(config, name)
}

/// The objects of these models as a table for people: model, id, name, status, code, next try.
///
/// # Errors
///
/// A core that is away.
pub async fn object_table(accessor: &dyn ModelAccessor, models: &[&'static ModelDef]) -> Result<String> {
    let mut rows: BTreeMap<(String, i32), [String; 6]> = BTreeMap::new();
    let schema = accessor.schema();
    for model in models {
        let Some(model) = schema.model(&model.name).filter(|model| !model.def.is_abstract) else { continue };
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(model.shape.clone()).of_kind(kind);
            let mut page = Some(Page::default());
            while let Some(this) = page {
                let found = accessor.find(&query, this).await?;
                for record in &found.records {
                    let row = row(record);
                    rows.insert((row[0].clone(), record.id().get()), row);
                }
                page = found.next;
            }
        }
    }
    if rows.is_empty() {
        return Ok("no objects yet".to_owned());
    }
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["model", "id", "name", "code", "status", "next try"]);
    table.add_rows(rows.into_values());
    Ok(table.to_string())
}

fn row(record: &Record) -> [String; 6] {
    let text = |name: &str| record.get(name).and_then(Value::as_text).unwrap_or_default().to_owned();
    let flag = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
    let code = record.get("backend_code").and_then(Value::as_int).unwrap_or(0);
    let mut status = text("backend_status");
    if flag("deleted") {
        status.push_str(" (being deleted)");
    } else if flag("no_sync") || flag("lazy_blocked") {
        status.push_str(" (not to be synchronized)");
    }
    let next = register_next_run(&text("backend_register"));
    let next = next.map_or_else(String::new, |seconds| Timestamp::from_seconds(seconds.round()).to_string());
    [text("leaf_model_name"), record.id().to_string(), text("name"), code.to_string(), status, next]
}
