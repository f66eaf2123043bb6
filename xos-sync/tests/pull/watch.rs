//! Backends that push.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::stream::{self, Stream, StreamExt as _};

use crate::support::{Lab, Log, seconds, site, until};

/// What the next streams give: items, and then an end, an error or nothing more.
struct Watch {
    log: Log,
    begun: AtomicUsize,
    /// How many streams end at once.
    ends: usize,
}

impl WatchStep for Watch {
    type Model = Site;
    type Item = String;

    async fn watch(&self, _ctx: &Context) -> StepResult<impl Stream<Item = StepResult<String>> + Send> {
        self.log.say("watch");
        let begun = self.begun.fetch_add(1, Ordering::SeqCst);
        if begun == 1 {
            return Err("cannot connect".into());
        }
        let items = ["one", "bad", "two"].map(|item| Ok(item.to_owned()));
        let rest = if begun == 0 {
            stream::iter(vec![Err(StepError::failed("connection reset"))]).boxed()
        } else if begun < self.ends {
            stream::empty().boxed()
        } else {
            stream::pending().boxed()
        };
        Ok(stream::iter(items).chain(rest))
    }

    async fn apply(&self, ctx: &Context, item: &String) -> StepResult {
        self.log.say(item.clone());
        if item == "bad" && self.begun.load(Ordering::SeqCst) < 6 {
            return Err("what is this?".into());
        }
        if ctx.objects::<Site>().filter(Site::NAME.eq(item.as_str())).first().await?.is_none() {
            ctx.create(site(item)).await?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn it_watches_again_with_growing_delays_and_a_bad_item_holds_up_no_other() {
    let lab = Lab::new();
    let step = Watch { log: lab.log.clone(), begun: AtomicUsize::new(0), ends: 4 };
    let program = lab.start(Synchronizer::new("lab").watch_step(step));
    until("two is there", async || lab.log.count("two") == 1).await;
    until("bad is there", async || {
        lab.core.objects::<Site>().filter(Site::NAME.eq("bad")).exists().await.unwrap()
    })
    .await;
    let delays = lab.log.seconds("watch");
    assert_eq!(delays.len(), 5, "{delays:?}");
    assert!(delays.iter().all(|delay| *delay >= 5.0), "{delays:?}");
    assert!(delays.windows(2).all(|pair| pair[1] > pair[0] * 1.2), "they grow: {delays:?}");
    let watched = lab.log.count("watch");
    seconds(3600).await;
    assert_eq!(lab.log.count("watch"), watched, "it goes on with the stream that is good");
    program.stop().await.unwrap();
}

/// Tells of one site, after a while.
struct Late(Log);

impl WatchStep for Late {
    type Model = Site;
    type Item = ();

    async fn watch(&self, _ctx: &Context) -> StepResult<impl Stream<Item = StepResult<()>> + Send> {
        self.0.say("watch");
        let late = stream::once(async {
            seconds(10).await;
            Ok(())
        });
        Ok(late.chain(stream::pending()))
    }

    async fn apply(&self, ctx: &Context, (): &()) -> StepResult {
        self.0.say("apply");
        ctx.create(site("late")).await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_waits_for_a_core_that_is_away() {
    let lab = Lab::new();
    lab.core.load::<Site>().await.unwrap();
    let program = lab.start(Synchronizer::new("lab").watch_step(Late(lab.log.clone())));
    until("it watches", async || lab.log.count("watch") == 1).await;
    lab.core.faults().go_away();
    seconds(300).await;
    assert_eq!(lab.log.count("apply"), 1);
    lab.core.faults().come_back();
    until("it is there", async || lab.core.objects::<Site>().count().await.unwrap() == 1).await;
    assert_eq!((lab.log.count("watch"), lab.log.count("apply")), (1, 2));
    tokio::time::timeout(Duration::from_secs(5), program.stop()).await.unwrap().unwrap();
}
