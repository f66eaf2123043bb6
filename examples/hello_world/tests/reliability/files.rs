//! Files that are taken away from the running program, and files that are damaged before it starts.

use crate::inside::Inside;
use crate::scene::Scene;
use crate::trouble::{Changes, Place};

const GONE: &str = "was moved, deleted or replaced while this process has it, nothing was stored";

/// What goes on to be acknowledged would be lost with the file that nobody can find any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_moved_away_takes_no_changes_until_it_is_back() {
    let scene = Scene::new();
    let mut program = scene.start();
    let mut changes = Changes::begin(Place::of(&scene)).await;
    changes.make_until_ok(100).await;
    let away = scene.path("away.db");
    std::fs::rename(scene.database(), &away).unwrap();
    assert!(changes.make_until_refused().await.contains("its log says why"));
    program.wait_for(GONE, 1);
    // Another file in its place changes nothing.
    std::fs::copy(&away, scene.database()).unwrap();
    let other = std::fs::read(scene.database()).unwrap();
    changes.make_until_refused().await;
    assert_eq!(std::fs::read(scene.database()).unwrap(), other, "it is left alone");
    std::fs::rename(&away, scene.database()).unwrap();
    changes.make_until_ok(50).await;
    changes.comes_to_rest("when the file is back", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(
        log.matches(GONE).count(),
        log.matches("a transaction failed; nothing").count() + cannot_store(&log)
    );
}

/// How often the log says why nothing can be stored: once for each trouble, however long it lasts.
fn cannot_store(log: &str) -> usize {
    let told = log.matches("the core cannot store; results wait until it can again").count();
    assert!(told <= 2, "{log}");
    // The server tells of each call that it had to refuse.
    told + log.matches("\"the store failed\"").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_deleted_takes_no_changes_and_the_program_can_be_stopped() {
    let scene = Scene::new();
    let mut program = scene.start();
    let mut changes = Changes::begin(Place::of(&scene)).await;
    changes.make_until_ok(100).await;
    changes.comes_to_rest("before", &program);
    // What its user has is a backup.
    let backup = scene.path("backup.db");
    let copy = rusqlite::Connection::open(scene.database()).unwrap();
    copy.execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    drop(copy);
    std::fs::remove_file(scene.database()).unwrap();
    assert!(changes.make_until_refused().await.contains("its log says why"));
    program.wait_for(GONE, 1);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    for end in ["-wal", "-shm"] {
        // They belong to the file that is gone.
        let _ = std::fs::remove_file(format!("{}{end}", scene.database().display()));
    }
    std::fs::rename(&backup, scene.database()).unwrap();
    let program = scene.start();
    changes.again().await;
    changes.make_until_ok(50).await;
    changes.comes_to_rest("with the backup", &program);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_deleted_is_missed_only_by_those_who_come_later() {
    let scene = Scene::new();
    let program = scene.start();
    let mut changes = Changes::begin(Place::of(&scene)).await;
    changes.make_until_ok(50).await;
    std::fs::remove_file(format!("{}.sock", scene.database().display())).unwrap();
    let recipe = scene.path("recipe.yaml").display().to_string();
    let apply = scene.command(&["apply", &recipe]).output().unwrap();
    let said = String::from_utf8_lossy(&apply.stderr).into_owned();
    assert_eq!(apply.status.code(), Some(1), "{said}");
    let pid = format!("in use by process {}", program.pid());
    assert!(said.contains(&pid) && said.contains("nothing answers on"), "{said}");
    assert!(scene.command(&["list"]).output().unwrap().status.success(), "looking needs no socket");
    changes.make_until_ok(50).await;
    changes.comes_to_rest("without a socket", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let program = scene.start();
    changes.again().await;
    changes.make_until_ok(50).await;
    changes.comes_to_rest("with a new socket", &program);
}

/// Also when somebody thought that the file beside the database could go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_programs_never_have_one_database() {
    let scene = Scene::new();
    let mut program = scene.start();
    let mut changes = Changes::begin(Place::of(&scene)).await;
    let lock = format!("{}.lock", scene.database().display());
    for lock_is_deleted in [false, true] {
        if lock_is_deleted {
            std::fs::remove_file(&lock).unwrap();
        }
        changes.make_until_ok(50).await;
        let (status, log) = scene.start().end();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(&format!("in use by process {}", program.pid())), "{log}");
    }
    // The other one is quicker: then the first may not write any more.
    std::fs::remove_file(&lock).unwrap();
    let mut second = scene.start();
    second.wait_for("other programs cannot reach this core while this one runs", 1);
    assert!(changes.make_until_refused().await.contains("its log says why"));
    program.wait_for(&format!("is in use by process {}", second.pid()), 1);
    let (status, log) = second.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    changes.make_until_ok(50).await;
    changes.comes_to_rest("alone again", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(Inside::of(scene.database()).dirty(), 0);
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let scene = Scene::new();
    let good = std::fs::read(scene.database()).unwrap();
    let half = good[..good.len() / 2].to_vec();
    let mut headless = good.clone();
    headless[..100].fill(b'x');
    let mut scrambled = good.clone();
    scrambled[4096..].fill(0xA5);
    let mut foreign = good.clone();
    foreign[68..72].copy_from_slice(&7_u32.to_be_bytes());
    let cases = [
        (half, "is damaged; restore it from a backup"),
        (headless, "is not a database; give another file"),
        (scrambled, "is damaged; restore it from a backup"),
        (foreign, "belongs to another program"),
    ];
    for (bytes, says) in cases {
        std::fs::write(scene.database(), &bytes).unwrap();
        let (status, log) = scene.start().end();
        assert_eq!(status.code(), Some(1), "{says}: {log}");
        assert!(log.contains(says), "expected {says:?}: {log}");
        let list = scene.command(&["list"]).output().unwrap();
        assert_eq!(list.status.code(), Some(1), "{says}");
        assert_eq!(std::fs::read(scene.database()).unwrap(), bytes, "{says}: it is left alone");
        let wal = std::fs::metadata(format!("{}-wal", scene.database().display()));
        assert!(wal.is_ok_and(|wal| wal.len() == 0), "{says}: who looks leaves an empty file");
    }
    std::fs::write(scene.database(), &good).unwrap();
    let (status, log) = scene.start_with(&["--once"], &[]).end();
    assert!(status.success() && !log.contains("is saying hello to"), "{log}");
}
