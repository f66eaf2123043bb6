//! Broken engines are found, and each oracle fires for something broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::__private::Sabotage;
use xos_sync::prelude::*;
use xos_sync::testing::{Backend, Oracle, Report, Simulation, Trouble, simulate};

use crate::everything;

/// What a step that is broken in some way does with a site.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// It is not.
    Well,
    /// When something went wrong once, it never succeeds again.
    FailsForEver,
    /// It finds something to change again and again.
    NeverRests,
    /// What it leaves depends on what went wrong.
    LeavesSomethingElse,
    /// It forgets to delete.
    Leaks,
    /// It does not look whether something is there.
    CreatesTwice,
    /// It wants to wait for an hour.
    WaitsLong,
}

struct SyncSite(Backend, How);

impl SyncStep for SyncSite {
    type Model = Site;

    async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
        let key = format!("site/{}", o.id);
        match self.1 {
            How::FailsForEver => {
                if self.0.one_in(4) {
                    self.0.put("broken", "").await?;
                }
                if self.0.get("broken").await?.is_some() {
                    return Err("it broke once".into());
                }
            }
            How::NeverRests => {
                let times = self.0.get(&key).await?.unwrap_or_default();
                ctx.recheck_after(Duration::from_secs(60));
                return Ok(self.0.put(key, format!("{times}I")).await?);
            }
            How::LeavesSomethingElse if self.0.one_in(4) => {
                return Ok(self.0.put(key, "something else").await?);
            }
            How::CreatesTwice => return Ok(self.0.create(key, &o.name).await?),
            How::WaitsLong if self.0.one_in(2) => {
                return Err(StepError::failed("later").retry_after(Duration::from_secs(3600)));
            }
            _ => {}
        }
        Ok(self.0.put(key, &o.name).await?)
    }

    async fn delete_record(&self, _ctx: &Context, o: &Site) -> StepResult {
        if self.1 != How::Leaks {
            self.0.delete(&format!("site/{}", o.id)).await?;
        }
        Ok(())
    }
}

fn sites(how: How) -> Simulation {
    simulate(move |backend| Synchronizer::new("sites").sync_step(SyncSite(backend, how)))
}

/// A program that has nothing to do after its third start.
fn gives_up() -> Simulation {
    let starts = Arc::new(AtomicUsize::new(0));
    simulate(move |backend| {
        let sites = Synchronizer::new("sites");
        let is_enough = starts.fetch_add(1, Ordering::SeqCst) > 3;
        if is_enough { sites } else { sites.sync_step(SyncSite(backend, How::Well)) }
    })
}

/// What makes an oracle fire.
fn broken() -> Vec<(Oracle, Simulation)> {
    let engine = |how| simulate(everything).sabotaged(how);
    vec![
        (Oracle::Converges, sites(How::FailsForEver)),
        (Oracle::StaysQuiet, sites(How::NeverRests)),
        (Oracle::SameEnd, sites(How::LeavesSomethingElse)),
        (Oracle::OneHandler, engine(Sabotage::TwoAtOnce)),
        (Oracle::ClaimedFirst, engine(Sabotage::SkippedClaim)),
        (Oracle::HonestStatus, engine(Sabotage::EarlyStatus)),
        (Oracle::NoLeak, sites(How::Leaks)),
        (Oracle::CreatedOnce, sites(How::CreatesTwice)),
        (Oracle::DeletionRuns, engine(Sabotage::SkippedClaim)),
        (Oracle::BoundedWait, sites(How::WaitsLong)),
        (Oracle::KeepsRunning, gives_up()),
    ]
}

#[test]
fn every_oracle_fires() {
    let broken = broken();
    for oracle in Oracle::ALL {
        assert!(broken.iter().any(|(known, _)| known == oracle), "nothing is broken for: {oracle}");
    }
    for (oracle, simulation) in broken {
        let report = simulation.seeds(0..3).threads(1).to_the_end().run();
        assert!(report.fired(oracle) > 0, "never fired: {oracle}\n{report}");
        println!("fired {} times in {} seeds: {oracle}", report.fired(oracle), report.runs());
    }
}

/// After how many seeds a broken engine is found.
fn found(how: Sabotage) -> Report {
    let report = simulate(everything).sabotaged(how).seeds(0..1000).threads(1).run();
    assert!(!report.is_ok(), "{how:?} is not found");
    println!("{how:?} is found: {}", report.violations()[0]);
    report
}

#[test]
fn a_lost_wake_up_is_found() {
    let report = found(Sabotage::LostWakeUp);
    assert!(report.fired(Oracle::Converges) > 0, "{report}");
}

#[test]
fn a_skipped_claim_is_found() {
    found(Sabotage::SkippedClaim);
}

#[test]
fn a_status_before_the_step_is_found() {
    found(Sabotage::EarlyStatus);
}

#[test]
fn a_step_that_is_not_broken_is_not_found() {
    let report = sites(How::Well).seeds(0..8).run();
    assert!(report.is_ok(), "{report}");
    for kind in [Trouble::Crash, Trouble::CallLost, Trouble::BackendSlow] {
        assert!(report.troubles(kind) > 0, "{report}");
    }
}
