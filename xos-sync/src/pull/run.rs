//! One task per pull step.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch as told;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{Instrument as _, info_span, warn};
use xos_model_client::Caller;

use super::lines::{self, Told};
use super::{AnyPull, PullStep};
use crate::backoff::Backoff;
use crate::beside::{Setting, core_is_back, guarded, stopped, until};
use crate::context::Context;
use crate::events::is_deferral;
use crate::step::{StepErrorKind, StepResult};

/// All pull steps at work.
pub(crate) struct PullEngine {
    tasks: JoinSet<(&'static str, StepResult)>,
    stopping: told::Receiver<bool>,
    grace_period: Duration,
}

/// What a pull step works with.
pub(crate) struct Station {
    pub(super) setting: Setting,
    /// Whether it runs only once.
    pub(super) once: bool,
}

impl PullEngine {
    pub(crate) fn start(
        steps: &[Arc<dyn AnyPull>],
        setting: &Setting,
        stopping: &told::Receiver<bool>,
        once: bool,
    ) -> Self {
        let mut tasks = JoinSet::new();
        for step in steps {
            let station = Station { setting: setting.clone(), once };
            let (step, stopping) = (step.clone(), stopping.clone());
            let span = info_span!(parent: &setting.span, "pull", step = step.name());
            let run = async move { (step.name(), step.run(station, stopping).await) };
            tasks.spawn(run.instrument(span));
        }
        PullEngine { tasks, stopping: stopping.clone(), grace_period: setting.engine.grace_period }
    }

    /// For `--once`: waits until each has run, and says which failed.
    pub(crate) async fn ran(&mut self) -> Vec<&'static str> {
        let mut failed = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok((name, Err(_))) = ended {
                failed.push(name);
            }
        }
        failed
    }

    /// Waits until all have ended, or the grace period is over.
    pub(crate) async fn end(mut self) {
        stopped(&mut self.stopping).await;
        let deadline = Instant::now() + self.grace_period;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(deadline, all).await.is_err() {
            let steps = self.tasks.len();
            warn!(steps, "the grace period is over: pull steps that still run are dropped");
        }
    }
}

impl Station {
    pub(super) fn context(&self, attempt: u32) -> Context {
        let attempt = u16::try_from(attempt).unwrap_or(u16::MAX);
        Context::new(self.setting.accessor.clone(), Caller::Pull, &self.setting.around, attempt)
    }

    /// Returns when the core answers.
    pub(super) async fn core_is_there(&self) {
        let accessor = self.setting.accessor.as_ref();
        if accessor.cursor().await.is_err_and(|error| error.is_interruption()) {
            core_is_back(accessor).await;
        }
    }

    /// How long to rest after so many failures: not shorter than without.
    pub(super) fn rest(&self, interval: Duration, failures: u32, name: &str, round: u64) -> Duration {
        let interval = jittered(interval, name, round);
        if failures == 0 {
            return interval;
        }
        let engine = &self.setting.engine;
        Backoff { first: engine.first_retry, cap: engine.retry_cap }.after(failures, &name).max(interval)
    }
}

/// 10 % more or less, so that not everything comes at once.
fn jittered(interval: Duration, name: &str, round: u64) -> Duration {
    // The jitter of the backoff goes from nothing to a quarter more.
    let wide = Backoff { first: interval, cap: Duration::MAX }.after(1, &(name, round));
    interval.mul_f64(0.9) + wide.saturating_sub(interval).mul_f64(0.8)
}

/// Runs a pull step again and again.
pub(super) async fn pull<S: PullStep>(
    step: &S,
    station: Station,
    mut stopping: told::Receiver<bool>,
) -> StepResult {
    let (mut told, mut failures) = (Told::default(), 0);
    for round in 0.. {
        if until(&mut stopping, station.core_is_there()).await.is_none() {
            break;
        }
        let context = station.context(failures + 1);
        lines::started();
        let deadline = station.setting.engine.step_deadline;
        let result = guarded(deadline, "the pull step", step.pull_records(&context)).await;
        let mut rest = None;
        match &result {
            Ok(()) => {
                failures = 0;
                told.works();
                lines::done();
            }
            Err(error) if *error.kind() == StepErrorKind::Interrupted => {
                let back = core_is_back(station.setting.accessor.as_ref());
                if until(&mut stopping, back).await.is_none() {
                    break;
                }
                continue;
            }
            Err(error) if is_deferral(error) || *error.kind() == StepErrorKind::Innocuous => {
                told.not_now(error);
                rest = error.delay();
            }
            Err(error) => {
                failures += 1;
                let after = error
                    .delay()
                    .unwrap_or_else(|| station.rest(step.interval(), failures, step.name(), round));
                told.failed(error, failures, after);
                rest = Some(after);
            }
        }
        if station.once {
            return result;
        }
        let rest = rest.unwrap_or_else(|| station.rest(step.interval(), 0, step.name(), round));
        if until(&mut stopping, sleep(rest)).await.is_none() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_varies_by_10_percent() {
        let interval = Duration::from_secs(100);
        let all: Vec<Duration> = (0..1000).map(|round| jittered(interval, "step", round)).collect();
        let (least, most) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(90) && *least < Duration::from_secs(91), "{least:?}");
        assert!(*most <= Duration::from_secs(110) && *most > Duration::from_secs(109), "{most:?}");
    }
}
