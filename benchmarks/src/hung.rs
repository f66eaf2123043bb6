//! B4: how fast 10,000 objects are done while the steps of others never return. The hung ones have begun before the clock
//! starts; concurrency is unlimited.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant as Time};

use tokio::sync::Notify;

use crate::args::Args;
use crate::instant::{Instant, Records};
use crate::kube;
use crate::measure::{Sample, in_turns, rate};
use crate::ours::{self, Call, Running, config, runtime};
use crate::report::Row;

/// A run of the peer that takes longer is ended; its rate is that of what was done.
const AT_MOST: Duration = Duration::from_secs(60);

pub fn run(args: &Args) -> Vec<Row> {
    let fast = if args.quick { 5_000 } else { 10_000 };
    let mut rows = Vec::new();
    let mut free = None;
    for hung in [0, 1_000, 10_000] {
        let [ours, peer] =
            in_turns(args.repeats(), [&mut || vec![ours(hung, fast)], &mut || vec![peer(hung, fast)]]);
        let case = format!("{fast} fast beside {hung} hung");
        rows.push(Row::new(case, "objects/s").ours(&ours[0]).beside(kube::name(), &peer[0]));
        let free: &(Sample, Sample) = free.get_or_insert((ours[0].clone(), peer[0].clone()));
        if hung > 0 {
            let share = |now: &Sample, free: &Sample| Sample::new(vec![now.median() / free.median()]);
            let case = format!("with {hung} hung / with none");
            let row = Row::new(case, "share").ours(&share(&ours[0], &free.0));
            rows.push(row.beside(kube::name(), &share(&peer[0], &free.1)).at_least(0.8));
        }
    }
    rows
}

/// Counts, and tells when so many are reached.
struct Count {
    so_far: AtomicUsize,
    goal: usize,
    reached: Notify,
}

impl Count {
    fn to(goal: usize) -> Arc<Self> {
        let count = Count { so_far: AtomicUsize::new(0), goal, reached: Notify::new() };
        if goal == 0 {
            count.reached.notify_one();
        }
        Arc::new(count)
    }

    fn one(&self) {
        if self.so_far.fetch_add(1, Ordering::SeqCst) + 1 == self.goal {
            self.reached.notify_one();
        }
    }
}

/// Fast objects in a second. The hung ones have the first numbers.
fn ours(hung: usize, fast: usize) -> f64 {
    let core = Instant::new(hung + fast, false, Records::Kept);
    runtime().block_on(async move {
        let begun = Count::to(hung);
        let count = begun.clone();
        let step = Call(move |id| {
            let hangs = id <= hung;
            if hangs {
                count.one();
            }
            async move { if hangs { pending().await } else { Ok(()) } }
        });
        let running = Running::start(core.clone(), config(ours::UNLIMITED), step);
        tokio::time::sleep(Duration::from_millis(100)).await;
        (1..=hung).for_each(|id| core.change(id));
        begun.reached.notified().await;
        (hung + 1..=hung + fast).for_each(|id| core.edit(id));
        let start = Time::now();
        (hung + 1..=hung + fast).for_each(|id| core.announce(id));
        core.stored(fast).await;
        let rate = rate(fast, start);
        running.stop().await;
        rate
    })
}

/// Fast objects in a second.
fn peer(hung: usize, fast: usize) -> f64 {
    kube::runtime().block_on(async move {
        let begun = Count::to(hung);
        let count = begun.clone();
        let mut controller =
            kube::controller(hung + fast, kube::UNLIMITED, Duration::from_secs(60), move |id| {
                let hangs = id <= hung;
                if hangs {
                    count.one();
                }
                async move { if hangs { pending().await } else { Ok(()) } }
            });
        let requests = controller.requests.clone();
        let run = async move {
            (1..=hung).for_each(|id| requests.ask(id));
            // Until they have begun, nothing ends.
            tokio::select! {
                _ = controller.run(1, Duration::MAX) => {}
                () = begun.reached.notified() => {}
            }
            let start = Time::now();
            (hung + 1..=hung + fast).for_each(|id| requests.ask(id));
            let done = controller.run(fast, AT_MOST).await;
            rate(done, start)
        };
        tokio::spawn(run).await.expect("the run ends")
    })
}
