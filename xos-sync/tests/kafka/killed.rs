//! A program that is killed in the middle of its work.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xos_sync::prelude::*;
use xos_sync::run_until;

use crate::support::{Kafka, event_bus, until};

const BROKERS: &str = "XOS_TEST_KAFKA_BROKERS";
const NOTES: &str = "XOS_TEST_KAFKA_NOTES";

/// Notes each event in a file, which outlives the program.
struct InFile(PathBuf);

impl EventStep for InFile {
    fn topics(&self) -> Vec<String> {
        vec!["pods".to_owned()]
    }

    async fn process_event(&self, _: &Context, event: &Event) -> StepResult {
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0)?;
        file.write_all(format!("{}\n", event.offset).as_bytes())?;
        Ok(())
    }
}

/// The program that is killed: this test's own binary again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is a part of the other one"]
async fn the_program() {
    let (Ok(brokers), Ok(notes)) = (std::env::var(BROKERS), std::env::var(NOTES)) else { return };
    let mut config = Config::in_memory();
    config.event_bus = event_bus(&brokers);
    let service = Synchronizer::new("lab").event_step(InFile(notes.into()));
    run_until(config, service, std::future::pending()).await.unwrap();
}

fn program(brokers: &str, notes: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["killed::the_program", "--exact", "--ignored"])
        .env(BROKERS, brokers)
        .env(NOTES, notes)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn noted(notes: &Path) -> Vec<i64> {
    let text = std::fs::read_to_string(notes).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_event_and_nothing_is_committed_that_was_not_processed() {
    let kafka = Kafka::new(&[("pods", 1)]);
    let folder = tempfile::tempdir().unwrap();
    let notes = folder.path().join("notes");
    let total = 2000;
    kafka.publish_all("pods", 0..total).await;
    for kill in 1..=3 {
        let mut child = program(&kafka.brokers(), &notes);
        let already = noted(&notes).len();
        until("it works", async || noted(&notes).len() > already + 100 * kill).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let committed = kafka.committed("lab.InFile", "pods").await;
        let seen: BTreeSet<i64> = noted(&notes).into_iter().collect();
        for offset in 0..committed {
            assert!(seen.contains(&offset), "{offset} is committed ({committed}) and was not processed");
        }
        if kill > 1 {
            assert!(committed > 0, "nothing was committed");
        }
    }
    let mut child = program(&kafka.brokers(), &notes);
    let all: BTreeSet<i64> = (0..i64::try_from(total).unwrap()).collect();
    until("all is processed", async || noted(&notes).into_iter().collect::<BTreeSet<i64>>() == all).await;
    until("all is committed", async || {
        kafka.committed("lab.InFile", "pods").await == i64::try_from(total).unwrap()
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
}
