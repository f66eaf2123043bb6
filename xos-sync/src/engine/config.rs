//! The engine's options.

use std::time::Duration;

use super::types::{Lane, ModelId};

/// The options of an [`Engine`](super::Engine).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many steps run at once. Default 64.
    pub concurrency: usize,
    /// How many results may wait to be stored before nothing more starts. Default 1024.
    pub unstored: usize,
    /// How long a step may run. Default 10 minutes; `None`: as long as it likes.
    pub deadline: Option<Duration>,
    /// The delay after the first failure; it doubles with each one. Default 5 seconds.
    pub first_retry: Duration,
    /// The longest delay after failures. Default 5 minutes.
    pub retry_cap: Duration,
    /// The longest delay after deferrals. Default 60 seconds.
    pub deferred_cap: Duration,
    /// The delay after what was nobody's fault: an interruption, a conflict, a store that the core could not
    /// take. Default 1 second.
    pub pause: Duration,
    /// How long after its cancellation a step that runs on is reported. Default 10 seconds.
    pub stop_notice: Duration,
    /// Makes the jitter of two replicas or two tests differ. Default 0.
    pub seed: u64,
    /// Every model that a key, a leaf or a link can name, observed or not; [`ModelId`] is the position. Facts
    /// about other leaves are ignored.
    pub models: Vec<Model>,
    /// Limits beside `concurrency`.
    pub limits: Vec<Limit>,
}

/// What the engine has to know of a model.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Model {
    /// Its name, for explanations.
    pub name: String,
    /// Whether scans list it (it is the leaf of objects that some handler observes).
    pub observed: bool,
    /// The *observed* models whose objects its objects may depend on (links and `dependency_graph`; with a
    /// link to a base, its leaves too). After a start or a gap its objects start only when the reads of these
    /// have ended; and its own deletions only when the reads of the models that may depend on it have.
    pub needs: Vec<ModelId>,
}

/// At most so many runs at once, in one lane, of the objects of some models together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The leaf models that share it, for example all that one step takes.
    pub models: Vec<ModelId>,
    /// Whose runs count.
    pub lane: Lane,
    /// The limit; 0 counts as 1.
    pub at_most: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 64,
            unstored: 1024,
            deadline: Some(Duration::from_secs(600)),
            first_retry: Duration::from_secs(5),
            retry_cap: Duration::from_secs(300),
            deferred_cap: Duration::from_secs(60),
            pause: Duration::from_secs(1),
            stop_notice: Duration::from_secs(10),
            seed: 0,
            models: Vec::new(),
            limits: Vec::new(),
        }
    }
}
