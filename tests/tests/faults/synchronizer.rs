//! A whole synchronizer on a network that does not hold still.

use std::time::{Duration, Instant};

use xos_model_client::ObjectId;
use xos_sync_tests::proxy::Mode;

use crate::support::{HelloWorldServiceInstance, Lab, Steps, flap, until};

fn short_deadlines(config: &mut xos_sync::Config) {
    config.accessor.call_deadline = Duration::from_millis(500);
    config.accessor.list_deadline = Duration::from_millis(500);
}

/// All are synced, changed, and deleted in the end, whatever the network does meanwhile.
async fn lives_through(objects: usize, seed: u64) {
    let (lab, made) = Lab::with_greetings(objects).await;
    let ids: Vec<ObjectId> = made.iter().map(|one| one.id).collect();
    let steps = Steps::default();
    let program = lab.start(&steps, short_deadlines);
    let rounds = 25;
    flap(&lab.proxy, seed, rounds).await;
    let since = Instant::now();
    until("all are in step", async || lab.not_ok().await == 0).await;
    println!("seed {seed}: {objects} in step {} ms after the network was good", since.elapsed().as_millis());

    // Changed while the network is bad.
    let changing = async {
        for one in &made {
            let mut mine: HelloWorldServiceInstance = lab.store.get(one.id).await.unwrap();
            mine.hello_to = format!("{} again", one.hello_to);
            lab.store.save(&mut mine).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(changing, flap(&lab.proxy, seed + 1, rounds));
    until("all are in step again", async || lab.not_ok().await == 0).await;
    for one in &made {
        let stored: HelloWorldServiceInstance = lab.store.get(one.id).await.unwrap();
        assert_eq!(stored.backend_handle, Some(format!("Jon greets {} again", one.hello_to)));
    }

    // Deleted while it is bad.
    let deleting = async {
        for one in &made {
            lab.store.delete(one).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(deleting, flap(&lab.proxy, seed + 2, rounds));
    until("all are gone", async || lab.left(&ids).await == 0).await;

    steps.assert_one_at_a_time();
    assert_eq!(steps.deleted(), objects, "each was deleted outside");
    let ((most, syncs), (most_deletions, deletions)) = (steps.syncs(), steps.deletions());
    println!(
        "seed {seed}: {syncs} syncs, {most} of one at most; {deletions} deletions, {most_deletions} at most"
    );
    // At most once for each fault, and for each reason.
    assert!(syncs <= objects * 2 * (rounds + 1), "{syncs} syncs");
    // Nothing runs for ever.
    let before = (steps.syncs(), steps.deletions());
    let polls = lab.core.count("FilterHelloWorldServiceInstance");
    until("it looks a few times more", async || {
        lab.core.count("FilterHelloWorldServiceInstance") >= polls + 8
    })
    .await;
    assert_eq!((steps.syncs(), steps.deletions()), before);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn fifty_objects_live_through_flapping() {
    lives_through(50, 11).await;
}

#[tokio::test]
async fn two_hundred_objects_live_through_flapping() {
    lives_through(200, 21).await;
}

/// How long after the network is good a new object is synced.
async fn synced_after(lab: &Lab, steps: &Steps, what: &str, since: Instant) {
    let before = steps.syncs().1;
    let made = lab.store.create(crate::support::greeting(what)).await.unwrap();
    until(what, async || lab.not_ok().await == 0).await;
    println!("{what}: recovered in {} ms", since.elapsed().as_millis());
    let runs = steps.syncs().1 - before;
    assert!((1..=3).contains(&runs), "{runs} runs");
    assert_eq!(lab.count(what).await, 1);
    assert!(made.id.is_set());
}

#[tokio::test]
async fn a_synchronizer_recovers_from_a_cut() {
    let lab = Lab::new().await;
    let steps = Steps::default();
    let program = lab.start(&steps, |_| ());
    synced_after(&lab, &steps, "before", Instant::now()).await;
    for round in 0..5 {
        let since = Instant::now();
        lab.proxy.cut();
        synced_after(&lab, &steps, &format!("synchronizer, cut {round}"), since).await;
    }
    for away in [500, 2000] {
        lab.proxy.set(Mode::Refuse);
        lab.proxy.cut();
        tokio::time::sleep(Duration::from_millis(away)).await;
        let since = Instant::now();
        lab.proxy.set(Mode::Pass);
        synced_after(&lab, &steps, &format!("synchronizer, refused for {away} ms"), since).await;
    }
    steps.assert_one_at_a_time();
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_synchronizer_recovers_from_silence() {
    let lab = Lab::new().await;
    let steps = Steps::default();
    let program = lab.start(&steps, short_deadlines);
    synced_after(&lab, &steps, "before", Instant::now()).await;
    for silent in [100, 1000, 3000] {
        lab.proxy.set(Mode::HalfOpen);
        tokio::time::sleep(Duration::from_millis(silent)).await;
        let since = Instant::now();
        lab.proxy.set(Mode::Pass);
        synced_after(&lab, &steps, &format!("synchronizer, silent for {silent} ms, deadline 500 ms"), since)
            .await;
    }
    program.stop().await.unwrap();
}

#[tokio::test]
async fn it_can_be_stopped_whatever_the_network_does() {
    for mode in [Mode::Refuse, Mode::HalfOpen, Mode::HoldAnswers] {
        let (lab, _) = Lab::with_greetings(5).await;
        let steps = Steps::default();
        let program = lab.start(&steps, |config| {
            short_deadlines(config);
            config.engine.grace_period = Duration::from_secs(2);
        });
        until("all are in step", async || lab.not_ok().await == 0).await;
        lab.proxy.set(mode);
        if mode == Mode::Refuse {
            lab.proxy.cut();
        }
        lab.store.create(crate::support::greeting("late")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        program.stop().await.unwrap();
    }
}
