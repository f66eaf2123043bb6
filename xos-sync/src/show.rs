//! The table of objects: `--show`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use xos_model_client::{
    ModelAccessor, ModelInfo, ObjectId, ObjectKey, Page, Query, QueryKind, Record, Schema, Timestamp, Value,
};

use crate::config::Config;
#[cfg(any(feature = "embedded", feature = "grpc"))]
use crate::config::CoreChoice;
use crate::error::{ErrorKind, Result};
use crate::shell::register_next_run;
use crate::step::AnyStep;
use crate::synchronizer::Synchronizer;

/// Prints the objects of a synchronizer from its database, also while it runs.
pub(crate) async fn show(config: &Config, service: &Synchronizer) -> Result<()> {
    let name = config.name.as_deref().unwrap_or(service.name());
    let accessor = open_read_only(config, name).await?;
    let table = object_table(accessor.as_ref(), service).await?;
    writeln!(std::io::stdout(), "{table}").map_err(|error| {
        ErrorKind::File { path: "standard output".to_owned(), problem: error.to_string() }.into()
    })
}

/// Opens the core that the configuration chooses for reading only, also while a synchronizer runs on it. A core on the
/// network has 10 s to answer.
///
/// # Errors
///
/// A database that does not exist or cannot be read; a remote core that is away.
pub async fn open_read_only(config: &Config, name: &str) -> Result<Arc<dyn ModelAccessor>> {
    match config.core(name) {
        #[cfg(feature = "embedded")]
        CoreChoice::Embedded { database, .. } => {
            if !database.exists() {
                let problem =
                    "there is no such database; run the synchronizer first, or name another with --db"
                        .to_owned();
                return Err(ErrorKind::File { path: database.display().to_string(), problem }.into());
            }
            Ok(Arc::new(xos_core::EmbeddedCore::open_read_only(&database)?))
        }
        #[cfg(feature = "grpc")]
        CoreChoice::Remote { endpoint } => Ok(Arc::new(crate::remote::connect_soon(config, endpoint).await?)),
        _ => crate::core::open_core(config, name).await,
    }
}

/// The objects of a synchronizer as a table for people: model, id, name, code, status, next try.
///
/// # Errors
///
/// A core that is away.
pub async fn object_table(accessor: &dyn ModelAccessor, service: &Synchronizer) -> Result<String> {
    let mut rows: BTreeMap<ObjectKey, Row> = BTreeMap::new();
    let schema = accessor.schema();
    let is_taken = |leaf: &str| {
        let taken = |step: &Arc<dyn AnyStep>| {
            Some(schema.is_a(schema.model(leaf)?.id, schema.model(&step.model().name)?.id))
        };
        service.steps.iter().any(|step| taken(step) == Some(true))
    };
    for model in service.shown_models() {
        let Some(model) = schema.model(&model.name).filter(|model| !model.def.is_abstract) else { continue };
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(model.shape.clone()).of_kind(kind);
            let mut page = Some(Page::default());
            while let Some(this) = page {
                let found = accessor.find(&query, this).await?;
                for record in &found.records {
                    let mut row = Row::of(&schema, model, record);
                    if !is_taken(&row.model) {
                        row.is_dirty = false;
                        "(no step takes it)".clone_into(&mut row.status);
                    }
                    // A base and its leaf are one object; the leaf has all links.
                    let entry = rows.entry(ObjectKey { root: model.root, id: record.id() });
                    let links = row.links.clone();
                    entry.or_insert(row).links.extend(links);
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
    let mut cells: Vec<[String; 6]> = rows.values().map(|row| row.cells(&rows)).collect();
    cells.sort_by(|one, other| one[0].cmp(&other[0]));
    table.add_rows(cells);
    Ok(table.to_string())
}

/// One object, as the table shows it.
struct Row {
    model: String,
    id: ObjectId,
    name: String,
    code: i64,
    status: String,
    note: &'static str,
    next: String,
    is_dirty: bool,
    links: Vec<ObjectKey>,
}

impl Row {
    fn of(schema: &Schema, model: &ModelInfo, record: &Record) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_text).unwrap_or_default().to_owned();
        let flag = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
        let time = |name: &str| record.get(name).and_then(Value::as_time);
        let left_alone = flag("no_sync") || flag("lazy_blocked");
        let note = match (flag("deleted"), left_alone) {
            (true, _) => " (being deleted)",
            (false, true) => " (not to be synchronized)",
            (false, false) => "",
        };
        let next = register_next_run(&text("backend_register"));
        let links = model.fields.iter().filter_map(|field| {
            let id = record.get(&field.def.name)?.as_link()?;
            Some(ObjectKey { root: schema.by_id(field.target?)?.root, id })
        });
        Row {
            model: text("leaf_model_name"),
            id: record.id(),
            name: text("name"),
            code: record.get("backend_code").and_then(Value::as_int).unwrap_or(0),
            status: text("backend_status"),
            note,
            next: next
                .map_or_else(String::new, |seconds| Timestamp::from_seconds(seconds.round()).to_string()),
            is_dirty: !left_alone && time("updated").max(time("changed_by_policy")) > time("enacted"),
            links: links.collect(),
        }
    }

    fn cells(&self, rows: &BTreeMap<ObjectKey, Row>) -> [String; 6] {
        let mut status = format!("{}{}", self.status, self.note);
        // An object that has not failed itself, but waits for one that has.
        let failed =
            self.links.iter().filter_map(|key| rows.get(key)).find(|row| row.is_dirty && row.code == 2);
        if let (true, true, Some(failed)) = (self.is_dirty, self.next.is_empty(), failed) {
            let _ = write!(status, " (waits for {} {})", failed.model, failed.id);
        }
        let (id, code) = (self.id.to_string(), self.code.to_string());
        [self.model.clone(), id, self.name.clone(), code, status, self.next.clone()]
    }
}
