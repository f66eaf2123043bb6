//! How work is found: by the feed, and by a slow scan behind it.

use xos_sync::prelude::*;

use crate::support::{Lab, seconds, site, until};

#[tokio::test(start_paused = true)]
async fn work_is_found_by_the_feed() {
    let mut lab = Lab::new();
    lab.config.engine.full_scan_interval = std::time::Duration::from_secs(10 * 24 * 3600);
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    seconds(60).await;
    let arya = lab.core.create(site("Arya")).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(lab.status::<Site>(arya.id).await, "1 OK");
    lab.core.delete(&arya).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(lab.core.get::<Site>(arya.id).await.is_err());
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_feed_does_not_tell_is_found_by_a_slow_scan() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is synced", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    // The engine takes no notice of its own bookkeeping.
    lab.make_dirty_behind_the_feed(arya.id).await;
    seconds(200).await;
    assert_eq!(lab.log.count("sync Arya"), 1);
    seconds(200).await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_the_feed_lost_its_place_everything_is_read_again() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is synced", async || lab.status::<Site>(arya.id).await == "1 OK").await;
    lab.make_dirty_behind_the_feed(arya.id).await;
    seconds(10).await;
    assert_eq!(lab.log.count("sync Arya"), 1);
    lab.core.faults().lose_changes();
    seconds(1).await;
    assert_eq!(lab.log.count("sync Arya"), 2);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_changed_while_nobody_looked_is_found_at_the_start() {
    let lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    let sansa = lab.core.create(site("Sansa")).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("both are synced", async || lab.status::<Site>(sansa.id).await == "1 OK").await;
    program.stop().await.unwrap();
    lab.log.clear();
    lab.core.create(site("Rickon")).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    let program = lab.start(Synchronizer::new("lab").sync_step(lab.step::<Site>()));
    until("it is purged", async || lab.core.get::<Site>(arya.id).await.is_err()).await;
    program.stop().await.unwrap();
    let mut lines = lab.log.lines();
    lines.sort();
    assert_eq!(lines, ["delete Arya", "sync Rickon"]);
}
