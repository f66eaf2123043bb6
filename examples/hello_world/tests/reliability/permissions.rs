//! A database, or its folder, that may not be written.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::inside::Inside;
use crate::scene::Scene;
use crate::trouble::{Changes, Place};

fn set(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Whether permissions mean something to this user.
fn obeys(scene: &Scene, test: &str) -> bool {
    let file = scene.path("read-only");
    std::fs::write(&file, "").unwrap();
    set(&file, 0o400);
    let obeys = std::fs::File::options().append(true).open(&file).is_err();
    if !obeys {
        xos_sync_tests::skipped(&format!(
            "{test}: this user may write everything (run: setpriv --bounding-set=-dac_override,-dac_read_search)"
        ));
    }
    obeys
}

#[test]
fn what_may_not_be_written_is_told_at_the_start_and_stays_as_it_is() {
    let scene = Scene::new();
    if !obeys(&scene, "what_may_not_be_written_is_told_at_the_start_and_stays_as_it_is") {
        return;
    }
    let folder = scene.database().parent().unwrap().to_owned();
    let lock = folder.join("hello.db.lock");
    let before = std::fs::read(scene.database()).unwrap();
    let refused = |says: &[&str]| {
        let (status, log) = scene.start().end();
        assert_eq!(status.code(), Some(1), "{log}");
        for part in says {
            assert!(log.contains(part), "expected {part:?}: {log}");
        }
        assert_eq!(std::fs::read(scene.database()).unwrap(), before);
    };
    set(scene.database(), 0o400);
    refused(&["cannot be written: the file is read-only; make it writable, or give another database"]);
    set(scene.database(), 0o600);
    set(&lock, 0o400);
    refused(&["cannot be opened for writing"]);
    set(&lock, 0o600);
    // SQLite needs files of its own beside the database.
    set(&folder, 0o500);
    refused(&["its folder is read-only; make both writable, or give another database"]);
    set(&folder, 0o700);
    let (status, log) = scene.start_with(&["--once"], &[]).end();
    assert!(status.success(), "{log}");
}

/// A program keeps what it has opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_that_go_while_it_runs_are_told_at_the_next_start() {
    let scene = Scene::new();
    if !obeys(&scene, "permissions_that_go_while_it_runs_are_told_at_the_next_start") {
        return;
    }
    let folder = scene.database().parent().unwrap().to_owned();
    let program = scene.start();
    let mut changes = Changes::begin(Place::of(&scene)).await;
    changes.make_until_ok(50).await;
    set(scene.database(), 0o400);
    set(&folder, 0o500);
    changes.make_until_ok(50).await;
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let (status, log) = scene.start().end();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("read-only"), "{log}");
    set(&folder, 0o700);
    set(scene.database(), 0o600);
    let program = scene.start();
    changes.again().await;
    changes.make_until_ok(50).await;
    changes.comes_to_rest("when it may be written again", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(Inside::of(scene.database()).dirty(), 0);
}
