//! Tools for tests: of a step, and of a whole synchronizer.
//!
//! There is no second, subtly different core for tests: [`MockAccessor`] is the embedded core in memory, with a
//! [journal](Journal) of what was asked of it, and behind [`Faulty`], which makes it fail on demand.
//!
//! # Examples
//!
//! A unit test of a step:
//!
//! ```
//! use xos_sync::prelude::*;
//!
//! struct Shout;
//!
//! impl SyncStep for Shout {
//!     type Model = Site;
//!     async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
//!         o.abbreviated_name = o.name.to_uppercase();
//!         ctx.save(o).await?;
//!         Ok(())
//!     }
//!     async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
//!         Ok(())
//!     }
//! }
//!
//! # xos_sync::__private::run_test(async {
//! let core = MockAccessor::new();
//! let site = Site { name: "mysite".into(), login_base: "my".into(), abbreviated_name: "my".into(), ..Default::default() };
//! let mut site = core.create(site).await?;
//! Shout.sync_record(&core.context(), &mut site).await.unwrap();
//! assert_eq!(core.get::<Site>(site.id).await?.abbreviated_name, "MYSITE");
//! # Ok::<(), xos_sync::Error>(())
//! # }).unwrap();
//! ```

mod bus;
mod faulty;
mod journal;
mod mock;
pub mod simulate;

pub use faulty::{Call, Fault, Faulty, Rule};
pub use journal::{Entry, Journal, Outcome};
pub use mock::MockAccessor;
#[doc(inline)]
pub use simulate::{
    Backend, BackendError, Oracle, Place, Random, Report, Simulation, Trouble, Violation, simulate,
};
