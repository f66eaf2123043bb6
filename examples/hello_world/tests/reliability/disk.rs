//! The disk is full for a while.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::scene::{Program, Scene, until};
use crate::trouble::{Changes, Place};

/// Starts the program so that its database is on a disk of its own of this size, which goes when the program ends.
fn on_a_small_disk(scene: &Scene, own_mounts: &[&str], megabytes: u32) -> Program {
    let mut command = apart(own_mounts);
    command.arg(format!("mount -t tmpfs -o size={megabytes}M disk \"$0\" && exec \"$@\""));
    command.arg(scene.database().parent().unwrap()).arg(env!("CARGO_BIN_EXE_hello_world"));
    command.args(scene.arguments()).current_dir(scene.folder());
    scene.run(command)
}

/// A path as the program sees it.
fn as_seen_by(program: &Program, path: &Path) -> PathBuf {
    PathBuf::from(format!("/proc/{}/root{}", program.pid(), path.display()))
}

/// A shell that sees mounts of its own.
fn apart(own_mounts: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(own_mounts).args(["sh", "-c"]);
    command
}

/// How this user may have a disk of its own: as root, or as somebody who seems to be.
fn own_mounts() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    ways.into_iter().find(|way| {
        let mounted = apart(way).arg("mount -t tmpfs disk /mnt").output();
        mounted.is_ok_and(|output| output.status.success())
    })
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut ballast = File::create(path).unwrap();
    for size in [65_536, 4096, 1] {
        let bytes = vec![b'x'; size];
        while ballast.write_all(&bytes).is_ok() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_told_and_waited_for() {
    let Some(own_mounts) = own_mounts() else {
        xos_sync_tests::not_allowed(
            "a_full_disk_is_told_and_waited_for: a file system in memory cannot be mounted; run it as root, or with user namespaces",
        );
        return;
    };
    let scene = Scene::empty_in("disk");
    let mut program = on_a_small_disk(&scene, own_mounts, 12);
    program.wait_for("Saved sync object", 2);
    let disk = as_seen_by(&program, scene.database().parent().unwrap());
    let place = Place { scene: &scene, database: disk.join("hello.db"), holds_still: Some(program.pid()) };
    let mut changes = Changes::begin(place).await;
    changes.make_until_ok(100).await;

    fill(&disk.join("ballast"));
    let error = changes.make_until_refused().await;
    assert!(error.contains("its log says why"), "{error}");
    program.wait_for("is full, nothing was stored; make room on its disk", 1);
    changes.look("while the disk is full");
    // Looking is still possible.
    changes.read_one().await;

    std::fs::remove_file(disk.join("ballast")).unwrap();
    changes.make_until_ok(50).await;
    changes.comes_to_rest("when there is room again", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    // Once each time it came to that, not once for each object.
    let told = log.matches("a transaction failed; nothing of it was stored").count();
    assert!((1..30).contains(&told), "{told} times: {log}");
}

/// Where the system gives the file no more room than a quota: SQLite sees an error of the device, not a full one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_grow_is_told_and_waited_for() {
    let scene = Scene::new();
    // The signal that comes with the limit would end the program.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_hello_world"));
    command.args(scene.arguments()).current_dir(scene.folder());
    let mut program = scene.run(command);
    program.wait_for("serving the core", 1);
    let mut changes = Changes::begin(Place::of(&scene)).await;
    changes.make_until_ok(100).await;

    let wal = PathBuf::from(format!("{}-wal", scene.database().display()));
    let pid = program.pid();
    let limit = |bytes: Option<u64>| {
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    };
    // Half of what it has, so that it does not get along by beginning at its front again.
    limit(Some(std::fs::metadata(&wal).unwrap().len() / 2));
    let error = changes.make_until_refused().await;
    assert!(error.contains("its log says why"), "{error}");
    program.wait_for("could not be read or written, nothing was stored; check its disk", 1);
    changes.look("while the file may not grow");
    limit(None);
    changes.make_until_ok(50).await;
    changes.comes_to_rest("when it may grow again", &program);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    until("it is gone", || !wal.exists());
}
