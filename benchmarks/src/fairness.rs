//! B3: who waits while some objects change all the time. One step at once, of 2 ms; 200 cold objects that are due once, and
//! some hot ones that change every millisecond.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Time};

use crate::args::Args;
use crate::instant::{Instant, Records};
use crate::kube;
use crate::machine::every_millisecond;
use crate::measure::in_turns;
use crate::ours::{Call, Running, config, runtime};
use crate::report::Row;

const COLD: usize = 200;
const STEP: Duration = Duration::from_millis(2);

pub fn run(args: &Args) -> Vec<Row> {
    let time = Duration::from_secs(if args.quick { 3 } else { 10 });
    let mut rows = Vec::new();
    for hot in [1, 3, 10] {
        let [ours, peer] = in_turns(args.repeats(), [&mut || ours(hot, time), &mut || peer(hot, time)]);
        let case = |what: &str| format!("{hot} hot + {COLD} cold, {} s: {what}", time.as_secs());
        let never = Row::new(case("cold never served"), "objects");
        rows.push(never.ours(&ours[0]).beside(kube::name(), &peer[0]).exactly(0.0));
        let worst = Row::new(case("worst wait of a cold one (never served: all the time)"), "s");
        rows.push(worst.ours(&ours[1]).beside(kube::name(), &peer[1]));
        let steps = Row::new(case("steps that ran"), "steps");
        rows.push(steps.ours(&ours[2]).beside(kube::name(), &peer[2]));
    }
    rows
}

/// When each object's step began first, and how many began.
#[derive(Default)]
struct Seen {
    first: Vec<Option<Duration>>,
    steps: usize,
}

struct Watch {
    start: Time,
    seen: Mutex<Seen>,
}

impl Watch {
    fn new(count: usize) -> Arc<Self> {
        let seen = Seen { first: vec![None; count], steps: 0 };
        Arc::new(Watch { start: Time::now(), seen: Mutex::new(seen) })
    }

    fn begins(&self, id: usize) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.steps += 1;
        seen.first[id - 1].get_or_insert(self.start.elapsed());
    }

    /// Cold objects never served, the worst wait of one in seconds, steps that ran.
    fn figures(&self, hot: usize, time: Duration) -> Vec<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let cold = &seen.first[hot..];
        let never = cold.iter().filter(|first| first.is_none()).count();
        let worst = cold.iter().map(|first| first.unwrap_or(time)).max().unwrap_or_default();
        vec![never as f64, worst.as_secs_f64(), seen.steps as f64]
    }
}

/// The hot ones, which have the first numbers, change.
async fn changes(hot: usize, time: Duration, mut change: impl FnMut(usize)) {
    let end = Time::now() + time;
    let mut tick = every_millisecond();
    while Time::now() < end {
        tick.tick().await;
        (1..=hot).for_each(&mut change);
    }
}

fn ours(hot: usize, time: Duration) -> Vec<f64> {
    let core = Instant::new(hot + COLD, true, Records::Kept);
    runtime().block_on(async move {
        let watch = Watch::new(hot + COLD);
        let seen = watch.clone();
        let step = Call(move |id| {
            seen.begins(id);
            async {
                tokio::time::sleep(STEP).await;
                Ok(())
            }
        });
        let running = Running::start(core.clone(), config(1), step);
        let changing = tokio::spawn(changes(hot, time, move |id| core.change(id)));
        changing.await.expect("the changes end");
        let figures = watch.figures(hot, time);
        running.stop().await;
        figures
    })
}

fn peer(hot: usize, time: Duration) -> Vec<f64> {
    kube::runtime().block_on(async move {
        let watch = Watch::new(hot + COLD);
        let seen = watch.clone();
        let controller = kube::controller(hot + COLD, 1, Duration::from_secs(60), move |id| {
            seen.begins(id);
            async {
                tokio::time::sleep(STEP).await;
                Ok(())
            }
        });
        for id in 1..=hot + COLD {
            controller.requests.ask(id);
        }
        let (task, requests) = controller.spawn();
        let changing = tokio::spawn(changes(hot, time, move |id| requests.ask(id)));
        changing.await.expect("the changes end");
        let figures = watch.figures(hot, time);
        kube::end(task).await;
        figures
    })
}
