//! Finding out which models the core serves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::codec::{Codec, NonAscii};
use super::describe::RemoteSchema;
use super::state::Served;
use super::status::Code;
use super::transport::{CallError, Transport};
use crate::error::Result;
use crate::model::ModelDef;
use crate::models::core_models;
use crate::xproto;

/// How long after a schema that could not be read it is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is known of the core's models, and how it is found out.
///
/// The core's descriptors say which models there are, and the number of each field. What they do not say (the chain of
/// inheritance, defaults, keys) comes from the models that the program knows, and for others from the core's xproto.
pub(crate) struct Models {
    transport: Transport,
    told: watch::Sender<Served>,
    known: Mutex<Known>,
    /// Held from the question to the taking of its answer: an answer that is overtaken would bring back models that are
    /// gone, or take away new ones.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// The program's own models.
    own: Vec<ModelDef>,
    /// Those of other services, by the core's xproto.
    others: Vec<ModelDef>,
    /// The schema as it was told last.
    source: Option<Source>,
}

/// What a schema was made of.
#[derive(Clone)]
enum Source {
    /// The answer of `GetSchema`.
    Schema(Bytes),
    /// Descriptors of files, from server reflection.
    Files(Vec<Vec<u8>>),
}

impl Models {
    pub(crate) fn new(transport: Transport) -> Self {
        let nothing = Served { codec: Arc::new(Codec::new(Arc::new(RemoteSchema::empty()))), number: 0 };
        Models {
            transport,
            told: watch::Sender::new(nothing),
            known: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Served> {
        self.told.subscribe()
    }

    /// Takes models into account that the program knows more of than a descriptor says.
    ///
    /// # Errors
    ///
    /// Models that do not fit together with those of the core.
    pub(crate) fn learn(&self, models: impl IntoIterator<Item = ModelDef>) -> Result<()> {
        let mut known = self.lock();
        for model in models {
            known.own.retain(|own| own.name != model.name);
            known.own.push(model);
        }
        self.describe(&mut known)
    }

    /// Reads the schema whenever the core says that it serves other models: it may need no restart for that.
    pub(crate) async fn follow(&self) {
        let mut told = self.transport.told();
        loop {
            if told.wait_for(super::transport::Told::is_news).await.is_err() {
                return;
            }
            self.read_again().await;
            if told.borrow().is_news() {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Reads the schema again: a core that needs no restart for it may serve other models by now.
    pub(crate) async fn read_again(&self) {
        let _reading = self.reading.lock().await;
        let schema = self.transport.get_schema().await;
        if let Err(error) = self.take(schema).await {
            debug!(e = error, "the schema cannot be read again");
        }
    }

    /// Takes the schema that the core told, or asks for it by reflection.
    ///
    /// # Errors
    ///
    /// In words, why the core cannot be used.
    pub(crate) async fn take(&self, schema: Result<Bytes, CallError>) -> Result<(), String> {
        let source = match schema {
            Ok(bytes) => Source::Schema(bytes),
            Err(CallError::Status { code, .. }) if code == Code::UNIMPLEMENTED => {
                let files = self.transport.reflect("xos.xos").await.map_err(|error| {
                    format!(
                        "it serves no models: neither GetSchema nor server reflection tells of any ({error})"
                    )
                })?;
                Source::Files(files.iter().map(|file| file.to_vec()).collect())
            }
            Err(error) => return Err(format!("its schema cannot be read: {error}")),
        };
        let is_new = {
            let mut known = self.lock();
            let is_new = !known.source.as_ref().is_some_and(|before| before.is(&source));
            known.source = Some(source);
            if is_new {
                self.describe(&mut known).map_err(|error| error.to_string())?;
            }
            is_new
        };
        if !is_new {
            return Ok(());
        }
        if self.has_unknown_models() {
            self.read_xproto().await;
        }
        let served = self.told.borrow().clone();
        let models = served.remote().schema.models().iter().filter(|model| !model.name().is_empty()).count();
        info!(models, "read the models of the core");
        Ok(())
    }

    /// Whether the core serves models that the program does not know.
    fn has_unknown_models(&self) -> bool {
        let known = self.lock();
        let served = self.told.borrow();
        served.remote().schema.models().iter().any(|model| {
            let name = model.name();
            !name.is_empty()
                && !core_models().any(|core| core.name == *name)
                && !known.own.iter().chain(&known.others).any(|known| known.name == *name)
        })
    }

    /// Models of other services are understood better with the xproto that the core has of them.
    async fn read_xproto(&self) {
        let text = match self.transport.get_xproto().await {
            Ok(text) => text,
            Err(error) => return debug!(e = %error, "the core does not tell its xproto"),
        };
        let models = xproto::parse("core.xproto", &text)
            .map_err(|errors| errors.to_string())
            .and_then(|document| document.models().map_err(|errors| errors.to_string()));
        match models {
            Ok(models) => {
                let mut known = self.lock();
                known.others = models;
                if let Err(error) = self.describe(&mut known) {
                    // Without it chains are inferred, which is right as a rule.
                    warn!(e = %error, "the xproto of the core does not fit its schema; it is left aside");
                    known.others.clear();
                    let _ = self.describe(&mut known);
                }
            }
            Err(error) => debug!(e = error, "the xproto of the core cannot be understood"),
        }
    }

    /// Works out what the core serves, and tells when that is something else than before.
    fn describe(&self, known: &mut Known) -> Result<()> {
        let Some(source) = &known.source else { return Ok(()) };
        let core = core_models().map(|model| -> &ModelDef { model });
        let models: Vec<&ModelDef> = core.chain(&known.own).chain(&known.others).collect();
        let before = self.told.borrow().clone();
        let previous = (before.number > 0).then(|| before.remote());
        let remote = match source {
            Source::Schema(bytes) => match RemoteSchema::find(bytes, &models, previous)? {
                Some(remote) => remote,
                // It can be given others all the same: only then will it have any.
                None => {
                    warn!("the core serves no models: it could not build those that it was given");
                    RemoteSchema::without_models(previous)?
                }
            },
            Source::Files(files) => RemoteSchema::read_files(files, &models, previous)?,
        };
        if previous.is_some_and(|previous| previous.fingerprint() == remote.fingerprint()) {
            return Ok(());
        }
        // A core 4.0.4 stores other characters and cannot send them any more; ours can.
        let is_ours = self.transport.told().borrow().is_ours();
        let non_ascii = if is_ours { NonAscii::Sent } else { NonAscii::Refused };
        self.told.send_replace(Served {
            codec: Arc::new(Codec::new(Arc::new(remote)).with_non_ascii(non_ascii)),
            number: before.number + 1,
        });
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    fn is(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Schema(one), Source::Schema(other)) => one == other,
            (Source::Files(one), Source::Files(other)) => one == other,
            _ => false,
        }
    }
}
