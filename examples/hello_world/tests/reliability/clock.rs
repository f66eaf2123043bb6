//! A clock that is set back: Debian's `faketime` lies to the program about the time.

use std::path::{Path, PathBuf};

use crate::inside::Inside;
use crate::outside::Outside;
use crate::scene::{Program, Scene, until};
use crate::trouble::{Changes, Place};
use xos_sync_tests::hello::greeting_named;

/// The library that lies, where it is installed.
fn liar() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let found = folders.flatten().map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    found.into_iter().find(|path| path.is_file())
}

/// The program, whose clock is wrong by what a file says.
struct Lied {
    scene: Scene,
    liar: PathBuf,
}

impl Lied {
    fn new(test: &str) -> Option<Self> {
        let Some(liar) = liar() else {
            xos_sync_tests::skipped(&format!(
                "{test}: no libfaketime (install: apt-get install libfaketime)"
            ));
            return None;
        };
        Some(Lied { scene: Scene::new(), liar })
    }

    fn file(&self) -> PathBuf {
        self.scene.path("clock")
    }

    /// Sets the clock.
    fn set(&self, offset: &str) {
        std::fs::write(self.scene.path("next clock"), format!("{offset}\n")).unwrap();
        std::fs::rename(self.scene.path("next clock"), self.file()).unwrap();
    }

    fn start(&self) -> Program {
        let text = |path: &Path| path.display().to_string();
        let (liar, file) = (text(&self.liar), text(&self.file()));
        self.scene.start_with(
            &[],
            &[
                ("LD_PRELOAD", liar.as_str()),
                ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
                ("FAKETIME_NO_CACHE", "1"),
                // Who sets a clock does not set the one that only counts.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ],
        )
    }

    /// When an object was last changed, by the program's clock.
    fn newest(&self) -> f64 {
        Inside::of(self.scene.database()).rows.values().map(|row| row.version).fold(0.0, f64::max)
    }
}

/// An hour and more, both ways, while it runs and between its starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_hidden_by_a_clock_that_is_set() {
    let Some(lied) = Lied::new("no_change_is_hidden_by_a_clock_that_is_set") else { return };
    lied.set("+0");
    let mut program = lied.start();
    let mut changes = Changes::begin(Place::of(&lied.scene)).await;
    changes.make_until_ok(50).await;
    changes.comes_to_rest("before", &program);
    for (offset, restart) in [("-1h", false), ("-2h", true), ("+1h", false), ("-1d", true), ("-2d", false)] {
        let before = lied.newest();
        lied.set(offset);
        if restart {
            let (status, log) = program.stop();
            assert_eq!(status.code(), Some(0), "{log}");
            program = lied.start();
            changes.again().await;
        }
        // Each of the fifty is changed once more.
        changes.make_until_ok(50).await;
        changes.comes_to_rest(&format!("at {offset}, restarted: {restart}"), &program);
        assert!(lied.newest() > before, "later than before, whatever the clock says");
    }
    // Nothing runs again and again.
    let mut outside = Outside::new(lied.scene.log());
    outside.read();
    assert_eq!(outside.repeated(), 0);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    let (status, log) = lied.scene.start_with(&["--once"], &[]).end();
    assert!(status.success() && !log.contains("is saying hello to"), "with the true time: {log}");
}

/// A failure waits for some seconds, not for the hour that the clock went back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_tried_again_in_time_though_the_clock_was_set_back() {
    let Some(lied) = Lied::new("a_failure_is_tried_again_in_time_though_the_clock_was_set_back") else {
        return;
    };
    lied.scene.configure("engine: {first_retry: 1 s, retry_cap: 2 s}\n");
    lied.set("+0");
    let mut program = lied.start();
    let client = lied.scene.client().await;
    client.create(greeting_named("o0", "Joffrey Baratheon")).await.unwrap();
    program.wait_for("\"e\":\"Maybe not\"", 2);
    until("the failure is stored", || {
        Inside::of(lied.scene.database()).rows.values().any(|row| row.code == 2)
    });
    program.kill();
    lied.set("-1h");
    let mut program = lied.start();
    program.wait_for("\"e\":\"Maybe not\"", 3);
    lied.set("-1d");
    program.wait_for("\"e\":\"Maybe not\"", 6);
    let (status, log) = program.stop();
    assert_eq!(status.code(), Some(0), "{log}");
}
