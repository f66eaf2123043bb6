//! Who is given which event, and what is committed.

use std::collections::HashMap;

use xos_sync::prelude::*;

use crate::support::{Kafka, Log, Note, Program, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_sees_every_event_and_a_restart_repeats_none_that_was_processed() {
    let kafka = Kafka::new(&[("pods", 3)]);
    let folder = tempfile::tempdir().unwrap();
    let config = kafka.config(&folder.path().join("core.db"));
    let log = Log::default();
    let service =
        || Synchronizer::new("lab").event_step(Note::new(&log, "one")).event_step(Note::new(&log, "other"));
    kafka.publish_all("pods", 0..500).await;
    let program = Program::start(config.clone(), service());
    until("all came", async || log.lines().len() >= 1000).await;
    program.stop().await;
    kafka.publish_all("pods", 500..600).await;
    let program = Program::start(config, service());
    until("the rest came", async || log.lines().len() >= 1200).await;
    program.stop().await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1200);
    for step in ["one", "other"] {
        // The events of a key are in order.
        let mut last: HashMap<usize, usize> = HashMap::new();
        let of_step = lines.iter().filter_map(|line| line.strip_prefix(step)?.trim().parse::<usize>().ok());
        for number in of_step {
            assert!(last.insert(number % 5, number).is_none_or(|before| before < number), "{step} {number}");
        }
        assert_eq!(lines.iter().filter(|line| line.starts_with(step)).count(), 600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_given_up_goes_to_the_dead_letters_and_the_next_one_is_processed() {
    let kafka = Kafka::new(&[("pods", 1), ("pods.lab.note.dead", 1)]);
    let folder = tempfile::tempdir().unwrap();
    let mut config = kafka.config(&folder.path().join("core.db"));
    config.engine.first_retry = std::time::Duration::from_millis(10);
    let log = Log::default();
    let give_up = GiveUp::DeadLetter { after: 3, topic: None };
    let service = Synchronizer::new("lab").event_step(Note { give_up, ..Note::new(&log, "note") });
    for value in ["1", "bad", "2"] {
        kafka.publish("pods", "key", value).await;
    }
    let program = Program::start(config, service);
    until("the next one", async || log.count("note 2") == 1).await;
    program.stop().await;
    assert_eq!(log.lines(), ["note 1", "note bad", "note bad", "note bad", "note 2"]);
    assert_eq!(kafka.committed("lab.note", "pods").await, 3);
    let dead = kafka.content("pods.lab.note.dead").await;
    assert_eq!(dead.len(), 1);
    assert!(dead[0].1.contains("bad"), "{dead:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_behind_an_event_that_is_parked_is_committed() {
    let kafka = Kafka::new(&[("pods", 1)]);
    let folder = tempfile::tempdir().unwrap();
    let mut config = kafka.config(&folder.path().join("core.db"));
    config.engine.first_retry = std::time::Duration::from_millis(10);
    let log = Log::default();
    let service = || Synchronizer::new("lab").event_step(Note::new(&log, "note"));
    for value in ["1", "bad", "2"] {
        kafka.publish("pods", "key", value).await;
    }
    let program = Program::start(config.clone(), service());
    until("some attempts", async || log.count("note bad") >= 3).await;
    program.stop().await;
    assert_eq!((log.count("note 1"), log.count("note 2")), (1, 0));
    assert_eq!(kafka.committed("lab.note", "pods").await, 1);
    let before = log.lines().len();
    let program = Program::start(config, service());
    until("another attempt", async || log.lines().len() > before).await;
    program.stop().await;
    assert_eq!(log.lines()[before], "note bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_are_away_in_the_middle_cost_no_event() {
    let kafka = Kafka::new(&[("pods", 2)]);
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let service = Synchronizer::new("lab").event_step(Note::new(&log, "note"));
    let program = Program::start(kafka.config(&folder.path().join("core.db")), service);
    kafka.publish_all("pods", 0..50).await;
    until("the first ones", async || log.lines().len() >= 20).await;
    kafka.cluster.broker_down(1).unwrap();
    let publishing = kafka.publish_all("pods", 50..100);
    let ((), ()) = tokio::join!(publishing, async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        kafka.cluster.broker_up(1).unwrap();
    });
    until("all came", async || (0..100).all(|number| log.count(&format!("note {number}")) > 0)).await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_processes_what_is_published_and_ends() {
    let kafka = Kafka::new(&[("pods", 2)]);
    let folder = tempfile::tempdir().unwrap();
    let mut config = kafka.config(&folder.path().join("core.db"));
    config.once = true;
    let log = Log::default();
    kafka.publish_all("pods", 0..100).await;
    let service = Synchronizer::new("lab").event_step(Note::new(&log, "note"));
    xos_sync::run_until(config, service, std::future::pending()).await.unwrap();
    assert_eq!(log.lines().len(), 100);
}
