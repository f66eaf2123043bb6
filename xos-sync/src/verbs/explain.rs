//! `explain`: why an object was synchronized or not, what it waits for, and when it is next due.

mod find;
mod stored;

use xos_model_client::{ModelAccessor, ModelInfo, Record, Schema};

use self::stored::Stored;
use crate::config::Config;
#[cfg(feature = "embedded")]
use crate::config::CoreChoice;
use crate::door::Door;
use crate::error::Result;
use crate::synchronizer::Synchronizer;

/// Prints what the engine of the running synchronizer says of an object, and what the stored fields say.
pub(super) async fn explain(
    config: &Config,
    service: &Synchronizer,
    name: &str,
    model: &str,
    object: &str,
) -> Result<()> {
    let door = Door::to_look(config, name).await?;
    let accessor = door.accessor();
    let schema = accessor.schema();
    let record = find::object(accessor.as_ref(), &schema, model, object).await?;
    let leaf = leaf_of(&schema, schema.expect_model(model)?, &record);
    let engine = engine(&door, config, name, leaf, &record).await;
    let by = service.looks_at(&schema, leaf.name());
    let mut lines = vec![title(leaf, &record), line("engine", &engine)];
    let stored = Stored::of(&record);
    lines.push(line("status", &stored.status()));
    for why in stored.why(by.step) {
        lines.push(line("why", &why));
    }
    if by.policy {
        for policy in stored.policy() {
            lines.push(line("policy", &policy));
        }
    }
    for next in stored.next() {
        lines.push(line("next", &next));
    }
    for failed in failed_links(accessor.as_ref(), &schema, leaf, &record).await? {
        lines.push(line("links to", &failed));
    }
    super::print(&lines.join("\n"))
}

fn line(what: &str, text: &str) -> String {
    format!("  {what:<9} {text}")
}

fn title(leaf: &ModelInfo, record: &Record) -> String {
    match find::name_of(record) {
        Some(name) => format!("{} {} \"{name}\"", leaf.name(), record.id()),
        None => format!("{} {}", leaf.name(), record.id()),
    }
}

/// The most specific model of an object. What the core made by itself does not name one.
fn leaf_of<'a>(schema: &'a Schema, model: &'a ModelInfo, record: &Record) -> &'a ModelInfo {
    let leaf = record.get("leaf_model_name").and_then(xos_model_client::Value::as_text);
    leaf.and_then(|leaf| schema.model(leaf)).unwrap_or(model)
}

/// What the engine of the running synchronizer says.
#[cfg_attr(not(feature = "serve"), allow(clippy::unused_async, reason = "only a socket is waited for"))]
async fn engine(door: &Door, config: &Config, name: &str, leaf: &ModelInfo, record: &Record) -> String {
    let _ = (config, name, leaf, record);
    match door {
        #[cfg(feature = "serve")]
        Door::Socket { line, .. } => match line.explain(leaf.name(), record.id().get()).await {
            Ok(Some(text)) => text,
            Ok(None) => format!(
                "no synchronizer runs in the program at {}: it serves its core alone",
                line.endpoint()
            ),
            Err(error) => format!("not asked: {error}"),
        },
        #[cfg(feature = "embedded")]
        Door::Look(_) => not_running(config, name),
        #[cfg(feature = "grpc")]
        Door::Remote(_) => {
            "not asked: a core on the network does not know the synchronizers' engines".to_owned()
        }
        Door::Mine(_) => "not asked: the core has no socket on this machine".to_owned(),
    }
}

/// Nobody answers on the socket: usually because nobody runs.
#[cfg(feature = "embedded")]
fn not_running(config: &Config, name: &str) -> String {
    let CoreChoice::Embedded { database, .. } = config.core(name) else {
        return "no synchronizer runs".to_owned();
    };
    let mut lock = database.clone().into_os_string();
    lock.push(".lock");
    let owner = std::fs::read_to_string(lock).unwrap_or_default();
    let owner = owner.trim();
    let is_there = !owner.is_empty() && std::path::Path::new("/proc").join(owner).exists();
    if !is_there {
        return "no synchronizer runs on this database".to_owned();
    }
    format!(
        "process {owner} seems to have this database, and nothing answers on {}: an older program, or one with \
         another accessor.socket",
        crate::embedded::socket_of(config, &database).display()
    )
}

/// The objects that this one links to, and which failed: what waits for them waits.
async fn failed_links(
    accessor: &dyn ModelAccessor,
    schema: &Schema,
    leaf: &ModelInfo,
    record: &Record,
) -> Result<Vec<String>> {
    let id = record.id();
    let Some(record) = accessor.get(&leaf.shape, &[id]).await?.pop().flatten() else { return Ok(Vec::new()) };
    let mut failed = Vec::new();
    for field in &leaf.fields {
        let link = record.get(&field.def.name).and_then(xos_model_client::Value::as_link);
        let Some((target, id)) = field.target.and_then(|target| schema.by_id(target)).zip(link) else {
            continue;
        };
        let Some(other) = accessor.get(&target.shape, &[id]).await?.pop().flatten() else { continue };
        let stored = Stored::of(&other);
        if stored.has_failed() {
            let name = title(leaf_of(schema, target, &other), &other);
            failed.push(format!("{name} ({}), which failed: {}", field.def.name, stored.status()));
        }
    }
    Ok(failed)
}
