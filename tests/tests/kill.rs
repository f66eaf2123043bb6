//! `kill -9` at random points: nothing acknowledged is missing, no needed deletion is forgotten.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xos_core::EmbeddedCore;
use xos_model_client::{ModelAccessor, Page, Query, QueryKind, Record, Value};
use xos_sync_tests::workspace;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kill_target");

/// How often the program is killed.
const KILLS: u64 = 10;

fn start(folder: &Path, seed: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.arg(folder.join("kill.db")).arg(folder).arg(seed);
    command.current_dir(workspace()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// What one object went through, by the two files.
#[derive(Debug, Default)]
struct Story {
    synced: bool,
    delete_ran: bool,
    delete_acknowledged: bool,
    delete_begun: bool,
    created: bool,
    value: i64,
}

fn stories(folder: &Path) -> BTreeMap<i32, Story> {
    let mut stories: BTreeMap<i32, Story> = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("steps")).unwrap().lines() {
        let (what, id) = line.split_once(' ').unwrap();
        let story = stories.entry(id.parse().unwrap()).or_default();
        match what {
            "sync" => story.synced = true,
            _ => story.delete_ran = true,
        }
    }
    for line in std::fs::read_to_string(folder.join("acks")).unwrap().lines() {
        let mut words = line.split(' ');
        // A last line that the kill cut off was never acknowledged to anybody.
        let (Some(what), Some(Ok(id)), Some(Ok(value))) =
            (words.next(), words.next().map(str::parse), words.next().map(str::parse::<i64>))
        else {
            continue;
        };
        let story = stories.entry(id).or_default();
        match what {
            "create" => story.created = true,
            "update" => story.value = story.value.max(value),
            "deleting" => story.delete_begun = true,
            _ => story.delete_acknowledged = true,
        }
    }
    stories
}

async fn records(core: &EmbeddedCore, kind: QueryKind) -> Vec<Record> {
    let query = Query::live(core.schema().model("Thing").unwrap().shape.clone()).of_kind(kind);
    let mut records = Vec::new();
    let mut page = Some(Page::default());
    while let Some(this) = page {
        let found = core.find(&query, this).await.unwrap();
        records.extend(found.records);
        page = found.next;
    }
    records
}

#[xos_sync::test]
async fn nothing_acknowledged_is_lost_and_no_deletion_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    assert!(start(folder.path(), "fill").wait().unwrap().success());
    for kill in 1..=KILLS {
        let mut program = start(folder.path(), &kill.to_string());
        // A different point each time; what is checked does not depend on it.
        std::thread::sleep(Duration::from_millis(300 + kill * kill * 37 % 700));
        program.kill().unwrap();
        program.wait().unwrap();
    }
    let last = start(folder.path(), "drain").wait().unwrap();
    assert!(last.success(), "the last run ends when nothing is ready: {last}");

    let stories = stories(folder.path());
    let core = EmbeddedCore::open_read_only(folder.path().join("kill.db")).unwrap();
    let live = records(&core, QueryKind::Live).await;
    assert!(records(&core, QueryKind::DeletedObjects).await.is_empty(), "all that was deleted is purged");
    let mut alive = BTreeSet::new();
    for record in &live {
        let id = record.id().get();
        alive.insert(id);
        let time = |field: &str| record.get(field).and_then(Value::as_time);
        assert!(time("enacted") >= time("updated"), "object {id} is not synchronized");
        assert_eq!(record.get("backend_status").and_then(Value::as_text), Some("OK"), "object {id}");
        let value = record.get("value").and_then(Value::as_int).unwrap();
        if let Some(story) = stories.get(&id) {
            assert!(
                value >= story.value,
                "object {id} lost an acknowledged change: {value} < {}",
                story.value
            );
            assert!(!story.delete_acknowledged, "object {id} lives though its deletion was acknowledged");
        }
    }
    let mut purged = 0;
    for (id, story) in stories.iter().filter(|(id, _)| !alive.contains(id)) {
        purged += 1;
        assert!(!story.synced || story.delete_ran, "object {id} was purged without delete_record");
        assert!(!story.created || story.delete_begun, "object {id} is missing");
    }
    println!("{} objects live, {purged} were deleted, {KILLS} kills", live.len());
    assert!(live.len() > 100 && purged > 10, "the test did something: {} live, {purged} purged", live.len());
}
