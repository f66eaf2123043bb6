//! How an embedded core is opened.

use std::fmt;
use std::sync::Arc;

use xos_model_client::{ModelDef, Timestamp};

/// What an acknowledged write survives.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the process, also by `kill -9`. A loss of power may take the last moments before it; not with
    /// PostgreSQL, whose commits always wait for its disk.
    #[default]
    Normal,
    /// A loss of power too: each commit waits for the disk.
    Full,
}

/// Who purges soft-deleted objects, and when.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Reap {
    /// The core, as soon as an object may go.
    #[default]
    Automatic,
    /// Nobody before [`EmbeddedCore::reap`](crate::EmbeddedCore::reap) is called: for tests and simulations.
    Manual,
}

/// Where the work is done.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Threads {
    /// Inline in memory; on a file by threads of its own, so that no async worker waits for a disk.
    #[default]
    Automatic,
    /// Each call does its work before it answers, on the caller's thread, one at a time: the same calls in the same
    /// order always have the same effect. Not with PostgreSQL: there it is the same as `Own`.
    Inline,
    /// One thread writes, grouping what waits into one transaction; reads of a file run beside it.
    Own,
}

/// Where the core takes the time from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How an embedded core is opened.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use xos_core::{EmbeddedCore, Options, Reap};
/// use xos_model_client::Timestamp;
///
/// let options = Options {
///     reap: Reap::Manual,
///     clock: Arc::new(|| Timestamp::from_seconds(1_700_000_000.0)),
///     ..Options::default()
/// };
/// let core = EmbeddedCore::in_memory_with(options)?;
/// # Ok::<(), xos_model_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Options {
    /// What an acknowledged write survives. Default: the death of the process.
    pub durability: Durability,
    /// Who purges soft-deleted objects. Default: the core, at once.
    pub reap: Reap,
    /// Where the work is done. Default: inline in memory, by own threads on a file.
    pub threads: Threads,
    /// Where the time comes from. Default: the system's clock.
    pub clock: Clock,
    /// How many pages of 4096 bytes the database may have; a write that needs more fails as on a full disk.
    /// Files and memory only. Default: no limit but the disk's.
    pub max_pages: Option<u32>,
    /// How many purged objects are remembered for feeds that start at an old cursor; an older cursor gets a gap.
    /// Default: 100,000.
    pub tombstones: u32,
    /// How many connections read a file or a server at once, while another writes. With PostgreSQL two more are open:
    /// one writes, one listens. Default: 2.
    pub readers: usize,
    /// The models that are there without being loaded. Default: those of every core.
    #[doc(hidden)]
    pub core_models: Option<Vec<ModelDef>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::default(),
            reap: Reap::default(),
            threads: Threads::default(),
            clock: Arc::new(Timestamp::now),
            max_pages: None,
            tombstones: 100_000,
            readers: 2,
            core_models: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("durability", &self.durability)
            .field("reap", &self.reap)
            .field("threads", &self.threads)
            .field("max_pages", &self.max_pages)
            .field("tombstones", &self.tombstones)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}
