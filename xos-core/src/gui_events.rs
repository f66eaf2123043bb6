//! What the core tells the world of each change: the topic `xos.gui_events` of the event bus.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::{Map, Value as Json, json};
use tokio::sync::watch;
use xos_model_client::{
    Cursor, Error, Kind, ModelAccessor as _, ModelId, ModelInfo, ObjectId, Record, Schema, Value,
};

use crate::EmbeddedCore;
use crate::classes::{class_names, is_secret};
use crate::hub::{Entry, Tick, What};
use crate::shell::Size;
use crate::store::Replay;

/// The topic on which the core 4.0.4 tells of changes.
pub const GUI_EVENTS: &str = "xos.gui_events";

/// How many changes are taken at once.
const PAGE: usize = 256;

/// One change of an object, as the core 4.0.4 publishes it on the topic [`GUI_EVENTS`].
#[derive(Clone, PartialEq)]
pub struct GuiEvent {
    /// The message's key: the name of the object's model.
    pub key: String,
    /// The message: JSON with `pk`, `changed_fields` and `object`, for an object that is gone for good also
    /// `"deleted": true`.
    pub value: Vec<u8>,
    /// All changes up to this position were told, this one included.
    pub cursor: Cursor,
}

impl fmt::Debug for GuiEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuiEvent({}, {} bytes, at {})", self.key, self.value.len(), self.cursor.0)
    }
}

impl EmbeddedCore {
    /// The changes after a position, each as a message of the topic [`GUI_EVENTS`]. Ends when the core is closed.
    ///
    /// The message shows the object as it is when it is told of; of two changes in quick succession both may show the
    /// later state. Which fields changed is known of changes that were made in this process; a change of before it
    /// started, or by another server on the same database, has no `changed_fields`. The hash of a user's password is
    /// never told. Changes that are so old that they were forgotten are left out, with a warning in the log.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_util::StreamExt as _;
    /// use xos_core::EmbeddedCore;
    /// use xos_model_client::{Caller, Cursor, ModelClient, models::Service};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> xos_model_client::Result<()> {
    /// let core = EmbeddedCore::in_memory()?;
    /// let mut events = core.gui_events(Cursor::default());
    /// let client = ModelClient::new(std::sync::Arc::new(core.clone()), Caller::Client);
    /// client.create(Service { name: "HelloWorld".into(), ..Default::default() }).await?;
    /// let event = events.next().await.unwrap();
    /// assert_eq!(event.key, "Service");
    /// # Ok(()) }
    /// ```
    pub fn gui_events(&self, from: Cursor) -> BoxStream<'static, GuiEvent> {
        let teller = Teller {
            tick: self.inner.hub.subscribe(),
            core: self.clone(),
            at: from.0,
            ready: VecDeque::new(),
        };
        stream::unfold(teller, |mut teller| async {
            let event = teller.next().await?;
            Some((event, teller))
        })
        .boxed()
    }
}

/// One who tells of changes.
struct Teller {
    core: EmbeddedCore,
    tick: watch::Receiver<Tick>,
    /// All up to this revision was taken.
    at: u64,
    ready: VecDeque<GuiEvent>,
}

impl Teller {
    async fn next(&mut self) -> Option<GuiEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let tick = *self.tick.borrow_and_update();
            if tick.closed {
                return None;
            }
            if self.at >= tick.revision || tick.away {
                self.tick.changed().await.ok()?;
                continue;
            }
            if let Err(error) = self.take_page(tick.revision).await {
                tracing::warn!(error = %error, "changes cannot be told on the event bus now; trying again with the next one");
                self.tick.changed().await.ok()?;
            }
        }
    }

    async fn take_page(&mut self, last: u64) -> Result<(), Error> {
        let (entries, up_to) = match self.core.inner.hub.after(self.at, PAGE) {
            Some(entries) => {
                let up_to = entries.last().map_or(last, |entry| entry.revision);
                (entries, up_to)
            }
            None => match self.replay().await? {
                Replay::Changes(entries, up_to) => (entries, up_to),
                Replay::TooOld | Replay::Unknown => {
                    tracing::warn!(
                        from = self.at,
                        to = last,
                        "changes that were to be told on the event bus are forgotten; they are left out"
                    );
                    (Vec::new(), last)
                }
            },
        };
        let objects = self.objects(&entries).await?;
        let schema = self.core.schema();
        let events = entries.iter().filter_map(|entry| {
            let model = schema.by_id(entry.leaf).filter(|model| !model.name().is_empty())?;
            event(&schema, model, entry, objects.get(&(entry.leaf, entry.id)))
        });
        self.ready.extend(events);
        self.at = up_to;
        Ok(())
    }

    async fn replay(&self) -> Result<Replay, Error> {
        let at = self.at;
        self.core.inner.shell.read(Size::Many, move |db| db.replay(at, PAGE)).await
    }

    /// The objects as they are now, one read for each model.
    async fn objects(&self, entries: &[Entry]) -> Result<BTreeMap<(ModelId, i32), Record>, Error> {
        let schema = self.core.schema();
        let mut wanted: BTreeMap<ModelId, Vec<ObjectId>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.what != What::Purged) {
            wanted.entry(entry.leaf).or_default().push(ObjectId::new(entry.id));
        }
        let mut objects = BTreeMap::new();
        for (leaf, mut ids) in wanted {
            let Some(model) = schema.by_id(leaf) else { continue };
            ids.sort_unstable();
            ids.dedup();
            let shape = Arc::clone(&model.shape);
            for record in self.core.get(&shape, &ids).await?.into_iter().flatten() {
                objects.insert((leaf, record.id().get()), record);
            }
        }
        Ok(objects)
    }
}

/// The message of a change; `None` when the object is gone meanwhile: its end is told of, too.
fn event(schema: &Schema, model: &ModelInfo, entry: &Entry, object: Option<&Record>) -> Option<GuiEvent> {
    let mut message = Map::new();
    message.insert("pk".to_owned(), json!(entry.id));
    let changed: Vec<&str> = entry
        .fields
        .places()
        .filter_map(|place| model.fields.get(place))
        .map(|field| &*field.def.name)
        .collect();
    message.insert("changed_fields".to_owned(), json!(changed));
    let object = match (entry.what, object) {
        (What::Purged, _) => {
            message.insert("deleted".to_owned(), json!(true));
            json!({"id": entry.id})
        }
        (What::Saved(_), object) => shown(schema, model, object?),
    };
    message.insert("object".to_owned(), object);
    Some(GuiEvent {
        key: model.name().to_string(),
        value: Json::Object(message).to_string().into_bytes(),
        cursor: Cursor(entry.revision),
    })
}

/// An object in the words of the core: links as ids, times in whole seconds, nothing that nobody may edit.
fn shown(schema: &Schema, model: &ModelInfo, record: &Record) -> Json {
    let mut object = Map::new();
    for (field, value) in model.fields.iter().zip(record.values()) {
        let (name, def) = (&*field.def.name, &field.def);
        if def.auto_now_add || is_secret(schema, model, name) {
            continue;
        }
        let name = if def.kind == Kind::Link { format!("{name}_id") } else { name.to_owned() };
        object.insert(name, to_json(value));
    }
    object.insert("class_names".to_owned(), json!(format!("{},object", class_names(schema, model))));
    Json::Object(object)
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => json!(text),
        // That it is there, never what it is.
        Value::Secret(_) => json!(value.to_string()),
        Value::Int(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::Float(number) => json!(number),
        Value::Time(time) => json!(time.seconds().trunc() as i64),
        Value::Link(id) => json!(id.get()),
        Value::Links(ids) => json!(ids.iter().map(|id| id.get()).collect::<Vec<i32>>()),
    }
}
