//! The table of objects: `list`, and `--show`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use xos_model_client::{
    ModelAccessor, ModelInfo, ModelName, ObjectId, ObjectKey, Page, Query, QueryKind, Record, Schema,
    Timestamp, Value,
};

use crate::config::Config;
use crate::door::Door;
use crate::error::Result;
use crate::shell::register_next_run;
use crate::synchronizer::{LooksAt, Synchronizer};

/// Prints the objects of a synchronizer, or those of one model, also while it runs.
pub(super) async fn list(
    config: &Config,
    service: &Synchronizer,
    name: &str,
    model: Option<&str>,
) -> Result<()> {
    let door = Door::to_look(config, name).await?;
    let accessor = door.accessor();
    let table = match model {
        None => object_table(accessor.as_ref(), service).await?,
        Some(model) => {
            let name = accessor.schema().expect_model(model)?.name().clone();
            table(accessor.as_ref(), service, &[name]).await?
        }
    };
    super::print(&table)
}

/// Opens the core that the configuration chooses for reading only, also while a synchronizer runs on it: through its
/// socket, else its file. A core on the network has 10 s to answer.
///
/// # Errors
///
/// A database that does not exist or cannot be read; a remote core that is away.
pub async fn open_read_only(config: &Config, name: &str) -> Result<Arc<dyn ModelAccessor>> {
    Ok(Door::to_look(config, name).await?.accessor())
}

/// The objects of a synchronizer as a table for people: model, id, name, code, status, next try.
///
/// # Errors
///
/// A core that is away.
pub async fn object_table(accessor: &dyn ModelAccessor, service: &Synchronizer) -> Result<String> {
    let models: Vec<ModelName> = service.shown_models().iter().map(|model| model.name.clone()).collect();
    table(accessor, service, &models).await
}

/// The objects of these models, and of those that inherit from them.
async fn table(accessor: &dyn ModelAccessor, service: &Synchronizer, models: &[ModelName]) -> Result<String> {
    let mut rows: BTreeMap<ObjectKey, Row> = BTreeMap::new();
    let schema = accessor.schema();
    for model in models {
        let Some(model) = schema.model(model).filter(|model| !model.def.is_abstract) else { continue };
        for kind in [QueryKind::Live, QueryKind::DeletedObjects] {
            let query = Query::live(model.shape.clone()).of_kind(kind);
            let mut page = Some(Page::default());
            while let Some(this) = page {
                let found = accessor.find(&query, this).await?;
                for record in &found.records {
                    let mut row = Row::of(&schema, model, record);
                    row.see(service.looks_at(&schema, &row.model));
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
    was_synchronized: bool,
    policy_code: i64,
    policy_status: String,
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
            was_synchronized: time("enacted").is_some_and(Timestamp::is_set),
            policy_code: record.get("policy_code").and_then(Value::as_int).unwrap_or(0),
            policy_status: text("policy_status"),
            links: links.collect(),
        }
    }

    /// Shows what those who look at the object say of it.
    fn see(&mut self, by: LooksAt) {
        // What policies leave when they have nothing to say.
        let quiet = ["", "done", "Policy in process"].contains(&self.policy_status.as_str());
        match by {
            LooksAt { step: true, policy } => {
                if policy && !quiet {
                    let _ = write!(self.status, " (policy: {})", self.policy_status);
                }
            }
            LooksAt { step: false, policy: true } => {
                self.is_dirty = false;
                self.code = self.policy_code;
                self.status = std::mem::take(&mut self.policy_status);
                self.next.clear();
            }
            LooksAt { step: false, policy: false } => {
                self.is_dirty = false;
                // Another program may synchronize it.
                if !self.was_synchronized {
                    "(no step takes it)".clone_into(&mut self.status);
                }
            }
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
