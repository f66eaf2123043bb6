//! A whole synchronizer in a world that goes wrong, from a seed.
//!
//! The program under test runs as it does in earnest: engine, steps and policies. Around it everything is simulated on
//! one thread, in virtual time: the core is the embedded one in memory, the world outside a scripted [`Backend`], and
//! clients make random edits by the definitions of the models. Calls fail before or after they took effect, changes
//! are told late, twice or not at all, clocks are set, the core restarts, and the program dies at any await and
//! before or after any call, to be started again on what was stored ([`Trouble`]).
//!
//! Then the troubles end, and what must be so is looked at ([`Oracle`]): everything converges and stays quiet, the end
//! is the same as that of a run of the same edits without troubles, nothing was leaked or created twice, every needed
//! deletion happened. An author says nothing of that.
//!
//! # How to use it
//!
//! 1. Let the client of your backend be replaced by one that calls a [`Backend`]: `put`, `get`, `delete` and so on.
//! 2. Write a function that makes your synchronizer with it, and mark it with
//!    [`#[xos_sync::simulation]`](macro@crate::simulation), or call [`simulate`].
//! 3. `cargo test` runs some hundred seeds, and then one run for **every** point where the program may die.
//!
//! ```
//! use xos_sync::prelude::*;
//! use xos_sync::testing::{Backend, simulate};
//!
//! struct SyncSite(Backend);
//!
//! impl SyncStep for SyncSite {
//!     type Model = Site;
//!     async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
//!         Ok(self.0.put(format!("site/{}", o.id), &o.name).await?)
//!     }
//!     async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
//!         self.0.delete(&format!("site/{}", o.id)).await?;
//!         Ok(())
//!     }
//! }
//!
//! #[xos_sync::simulation(seeds = 1000)]
//! fn sites(backend: Backend) -> Synchronizer {
//!     Synchronizer::new("sites").sync_step(SyncSite(backend))
//! }
//!
//! # fn sites(backend: Backend) -> Synchronizer { Synchronizer::new("sites").sync_step(SyncSite(backend)) }
//! // The same by hand, and a report of it:
//! let report = simulate(sites).objects(5).seeds(0..4).run();
//! assert!(report.is_ok(), "{report}");
//! ```
//!
//! With a step that uses `create` instead of `put`, and does not look first, the same test says which seed shows that
//! a resource is there twice, and the command that shows it again:
//!
//! ```
//! # use xos_sync::prelude::*;
//! # use xos_sync::testing::{Backend, Oracle, simulate};
//! # struct SyncSite(Backend);
//! # impl SyncStep for SyncSite {
//! #     type Model = Site;
//! async fn sync_record(&self, _ctx: &Context, o: &mut Site) -> StepResult {
//!     Ok(self.0.create(format!("site/{}", o.id), &o.name).await?)
//! }
//! #     async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
//! #         self.0.delete(&format!("site/{}", o.id)).await?;
//! #         Ok(())
//! #     }
//! # }
//! # let sites = simulate(|backend| Synchronizer::new("sites").sync_step(SyncSite(backend)));
//! # let report = sites.objects(20).seeds(0..20).run();
//! assert_eq!(report.violations()[0].oracle, Some(Oracle::CreatedOnce));
//! ```
//!
//! # What the environment says to [`Simulation::test`]
//!
//! | variable | what is run |
//! |---|---|
//! | `SEED=17` | this seed alone, with its log in virtual time |
//! | `CRASH_POINT=17` | this crash point alone, with its log |
//! | `SEEDS=100000`, `SEEDS=5000..6000` | so many seeds, or these; best with `cargo test --release .. -- --nocapture` |
//!
//! # What a synchronizer has to keep to
//!
//! - A seed repeats exactly as long as handlers take time and random numbers from here: `tokio::time`, and the
//!   [`Backend`]. No threads, no files, no network.
//! - The end must not depend on when clients do what. Where a field does, such as a counter, say
//!   [`ignoring`](Simulation::ignoring).
//! - An [`AnsibleStep`](crate::ansible::AnsibleStep) runs no playbook here: what its playbook and variables say is `put`
//!   into the backend, and what is to be deleted is deleted there.
//! - Recipes are not applied. Event and pull steps run, and die with the program; what goes wrong within them is only
//!   what goes wrong in the core and the backend.

mod backend;
mod course;
mod door;
mod ends;
mod handlers;
mod log;
mod oracle;
mod program;
mod random;
mod recorder;
mod replay;
mod report;
mod runner;
mod trouble;
mod values;
mod witness;
mod workload;
mod world;

use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;

use futures_util::FutureExt as _;
use xos_model_client::ModelClient;

pub use self::backend::{Backend, BackendError};
use self::course::Subject;
pub use self::oracle::Oracle;
pub use self::random::Random;
use self::replay::Asked;
pub use self::report::{Place, Report, Violation};
use self::runner::{Extent, panic_text, processors, run_crash_points, run_seeds};
pub use self::trouble::Trouble;
use crate::shell::sabotage::Sabotage;
use crate::synchronizer::Synchronizer;

/// The backend, for a playbook that is run in a simulation.
#[cfg(feature = "ansible")]
pub(crate) fn backend_here() -> Option<Backend> {
    handlers::backend()
}

/// How many seeds a test runs that says nothing else.
const SEEDS: u64 = 200;

/// How many objects clients make in each run, at least.
const OBJECTS: usize = 50;

/// A simulation of the synchronizer that `make` makes: each time that the program is started.
///
/// # Examples
///
/// ```
/// use xos_sync::prelude::*;
/// use xos_sync::testing::simulate;
///
/// struct SyncSite;
///
/// impl SyncStep for SyncSite {
///     type Model = Site;
///     async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
///         Ok(())
///     }
///     async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
///         Ok(())
///     }
/// }
///
/// let report = simulate(|_backend| Synchronizer::new("sites").sync_step(SyncSite)).objects(4).crash_points();
/// assert!(report.is_ok());
/// println!("{report}");
/// ```
pub fn simulate(make: impl Fn(Backend) -> Synchronizer + Send + Sync + 'static) -> Simulation {
    let subject = Subject {
        make: Arc::new(make),
        client: None,
        objects: OBJECTS,
        troubles: Trouble::ALL.to_vec(),
        ignored: Vec::new(),
        sabotage: None,
        template: Arc::default(),
    };
    let extent = Extent { threads: processors(), to_the_end: false };
    Simulation { subject, seeds: 0..SEEDS, extent }
}

/// What is simulated, and how much of it. Made by [`simulate`].
#[must_use = "nothing is simulated before `run`, `crash_points` or `test`"]
pub struct Simulation {
    subject: Subject,
    seeds: Range<u64>,
    extent: Extent,
}

impl Simulation {
    /// The seeds, one run for each. 0 to 200 by default.
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// How many objects clients make in each run, at least. 50 by default.
    pub fn objects(mut self, count: usize) -> Self {
        self.subject.objects = count;
        self
    }

    /// What goes wrong: these kinds only. All by default.
    pub fn troubles(mut self, kinds: impl IntoIterator<Item = Trouble>) -> Self {
        self.subject.troubles = kinds.into_iter().collect();
        self
    }

    /// What clients do, instead of random edits by the definitions of the models.
    ///
    /// It is done twice: without troubles, and with them. So what it does must not depend on what it reads, but for what
    /// it wrote itself; numbers come from the [`Random`]. Pauses are made with `tokio::time::sleep`, and cost nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # use xos_sync::prelude::*;
    /// # use xos_sync::testing::simulate;
    /// # struct SyncSite;
    /// # impl SyncStep for SyncSite {
    /// #     type Model = Site;
    /// #     async fn sync_record(&self, _: &Context, _: &mut Site) -> StepResult { Ok(()) }
    /// #     async fn delete_record(&self, _: &Context, _: &Site) -> StepResult { Ok(()) }
    /// # }
    /// let sites = simulate(|_backend| Synchronizer::new("sites").sync_step(SyncSite)).client(|client, random| async move {
    ///     for number in 0..10 {
    ///         let name = format!("site {number}");
    ///         let mut site = client.create(Site { login_base: name.clone(), abbreviated_name: name.clone(), name, ..Default::default() }).await?;
    ///         tokio::time::sleep(std::time::Duration::from_secs(random.below(5))).await;
    ///         site.name = random.text(8);
    ///         client.save(&mut site).await?;
    ///     }
    ///     Ok(())
    /// });
    /// assert!(sites.seeds(0..2).run().is_ok());
    /// ```
    pub fn client<F, R>(mut self, client: F) -> Self
    where
        F: Fn(ModelClient, Random) -> R + Send + Sync + 'static,
        R: Future<Output = crate::Result<()>> + Send + 'static,
    {
        self.subject.client = Some(Arc::new(move |core, random| client(core, random).boxed()));
        self
    }

    /// A field that may be another one in the end than without troubles.
    pub fn ignoring(mut self, field: impl Into<String>) -> Self {
        self.subject.ignored.push(field.into());
        self
    }

    /// How many threads run seeds: each has a world of its own. One for each processor by default.
    pub fn threads(mut self, count: usize) -> Self {
        self.extent.threads = count;
        self
    }

    /// Runs all seeds, though one fails. By default the first failure ends it.
    pub fn to_the_end(mut self) -> Self {
        self.extent.to_the_end = true;
        self
    }

    /// Breaks the engine, to see that it is found.
    #[doc(hidden)]
    pub fn sabotaged(mut self, how: Sabotage) -> Self {
        self.subject.sabotage = Some(how);
        self
    }

    /// Runs the seeds. What a seed does depends on nothing but the seed.
    pub fn run(&self) -> Report {
        run_seeds(&self.subject, self.seeds.clone(), self.extent)
    }

    /// Runs a small workload once without troubles, and then once for each point where the program may die: at each await of
    /// a handler, before and after each call of the core and the backend. It dies there and is started again.
    ///
    /// The small workload is two objects of each model, a change of each, and the deletion of half of them; or the
    /// [`client`](Simulation::client).
    pub fn crash_points(&self) -> Report {
        run_crash_points(&self.subject, None, self.extent)
    }

    /// What a test does: runs the seeds, then all crash points, and prints both reports; or what the environment
    /// [asks for](self#what-the-environment-says-to-simulationtest).
    ///
    /// # Panics
    ///
    /// When an oracle is violated: with what was found, and the command that shows it again.
    #[allow(clippy::panic, reason = "a test fails by panicking")]
    pub fn test(mut self) {
        let asked = replay::asked().unwrap_or_else(|problem| panic!("{problem}"));
        let reports = match asked {
            Some(Asked::One(place)) => {
                log::show();
                self.extent.threads = 1;
                vec![match place {
                    Place::Seed(seed) => self.seeds(seed..seed.saturating_add(1)).run(),
                    Place::CrashPoint(point) => run_crash_points(&self.subject, Some(point), self.extent),
                }]
            }
            Some(Asked::Seeds(seeds)) => vec![self.seeds(seeds).run()],
            None => vec![self.run(), self.crash_points()],
        };
        for report in &reports {
            // Nobody may be there to read it.
            let _ = writeln!(std::io::stdout(), "{report}");
        }
        let violations = reports.iter().flat_map(Report::violations);
        let violations: Vec<String> = violations.take(10).map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seeds", &self.seeds)
            .field("objects", &self.subject.objects)
            .finish_non_exhaustive()
    }
}
