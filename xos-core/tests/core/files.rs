//! Files that are in use, full, damaged, of somebody else, or not writable.

use std::path::Path;

use xos_core::{Durability, EmbeddedCore, Options};
use xos_model_client::{Error, ErrorKind, ModelAccessor, Query};

use crate::common::*;

fn open(path: &Path) -> Result<EmbeddedCore, Error> {
    EmbeddedCore::open(path, Options::default())
}

/// The error of opening it for writing, which is one of the store.
fn refused(path: &Path) -> String {
    let error = open(path).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Store { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_second_writer_is_told_who_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    let error = refused(&path);
    assert!(
        error.contains(&format!("process {}", std::process::id())) && error.contains("stop that process"),
        "{error}"
    );
    drop(core);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_reader_sees_what_a_running_writer_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    a_service(&core, "one").await;
    let reader = EmbeddedCore::open_read_only(&path).unwrap();
    let names =
        |core: EmbeddedCore| async move { ids(&core, Query::live(shape(&core, "Service"))).await.len() };
    assert_eq!(names(reader.clone()).await, 1);
    a_service(&core, "two").await;
    assert_eq!(names(reader.clone()).await, 2);
    // Models that are loaded later can be read too.
    load(&core, vec![model("Thing", "XOSBase", vec![])]).await.unwrap();
    let id = create(&core, "Thing", &[]).await.unwrap().id();
    assert_eq!(reader.get(&shape(&core, "Thing"), &[id]).await.unwrap().len(), 1);
    let error = write(&reader, a_create(&core, "Thing", &[])).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    drop(core);
    // And after the writer has gone.
    let reader = EmbeddedCore::open_read_only(&path).unwrap();
    assert_eq!(names(reader).await, 2);
}

#[tokio::test]
async fn what_a_killed_writer_left_can_be_read_and_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    a_service(&core, "one").await;
    // What is on the disk while it runs is what a killed process leaves.
    let left = folder.path().join("left.db");
    std::fs::copy(&path, &left).unwrap();
    std::fs::copy(folder.path().join("core.db-wal"), folder.path().join("left.db-wal")).unwrap();
    let reader = EmbeddedCore::open_read_only(&left).unwrap();
    assert_eq!(ids(&reader, Query::live(shape(&core, "Service"))).await, [1]);
    drop(reader);
    let next = open(&left).unwrap();
    assert_eq!(ids(&next, Query::live(shape(&core, "Service"))).await, [1]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    std::fs::write(
        &path,
        "This is a letter to somebody, and longer than the header of a database by far. ".repeat(20),
    )
    .unwrap();
    assert!(refused(&path).contains("is not a database"));
    assert!(EmbeddedCore::open_read_only(&path).unwrap_err().to_string().contains("is not a database"));
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE letters (text)").unwrap();
    drop(other);
    assert!(refused(&path).contains("belongs to another program"));
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    drop(open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path);
    assert!(error.contains("newer version") && error.contains("format 99"), "{error}");
}

#[tokio::test]
async fn a_missing_folder_and_a_missing_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&folder.path().join("no/core.db")).contains("there is no folder"));
    let error = EmbeddedCore::open_read_only(folder.path().join("core.db")).unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_folder_or_file_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let set =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    a_service(&core, "one").await;
    drop(core);
    set(&path, 0o400);
    if std::fs::File::options().append(true).open(&path).is_ok() {
        skipped(
            "a_read_only_folder_or_file_is_refused: this user may write everything (run without CAP_DAC_OVERRIDE)",
        );
        return;
    }
    assert!(refused(&path).contains("read-only"), "{}", refused(&path));
    set(&path, 0o600);
    set(folder.path(), 0o500);
    let error = refused(&folder.path().join("new.db"));
    set(folder.path(), 0o700);
    assert!(error.contains("make the folder"), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_nobody_can_write_is_refused() {
    let error = refused(Path::new("/proc/core.db"));
    assert!(error.contains("make the folder /proc writable, or give another database"), "{error}");
}

#[tokio::test]
async fn a_full_disk_stores_nothing_by_half_and_the_core_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    a_service(&core, "before").await;
    drop(core);
    let pages = std::fs::metadata(&path).unwrap().len() / 4096;
    let options = Options { max_pages: Some(pages as u32 + 20), ..Options::default() };
    let core = EmbeddedCore::open(&path, options).unwrap();
    let big = "x".repeat(20_000);
    let writes = (0..100).map(|at| {
        a_create(&core, "Service", &[("name", format!("s{at}").into()), ("description", big.clone().into())])
    });
    let answers = core.write(writes.collect()).await;
    assert!(answers.iter().all(Result::is_err));
    for error in answers.into_iter().map(Result::unwrap_err) {
        assert!(matches!(error.kind(), ErrorKind::Store { .. }) && error.is_passing_trouble(), "{error}");
        assert!(error.to_string().contains("is full, nothing was stored; make room"), "{error}");
    }
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await, [1]);
    let after = a_service(&core, "after").await;
    drop(core);
    let core = open(&path).unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await, [1, after.id.get()]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_moved_away_takes_nothing_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, away) = (folder.path().join("core.db"), folder.path().join("away.db"));
    let core = open(&path).unwrap();
    a_service(&core, "one").await;
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await, [1]);
    std::fs::rename(&path, &away).unwrap();
    for _ in 0..2 {
        let error = write(&core, a_create(&core, "Service", &[("name", "two".into())])).await.unwrap_err();
        assert!(error.is_passing_trouble(), "{error}");
        assert!(error.to_string().contains("was moved, deleted or replaced"), "{error}");
        assert!(core.remember("space", "key", Some(1.into())).await.is_err());
    }
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await, [1], "reading goes on");
    std::fs::rename(&away, &path).unwrap();
    let three = a_service(&core, "three").await;
    drop(core);
    let core = open(&path).unwrap();
    assert_eq!(ids(&core, Query::live(shape(&core, "Service"))).await, [1, three.id.get()]);
    assert!(core.recall("space").await.unwrap().is_empty());
}

#[tokio::test]
async fn full_durability_is_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { durability: Durability::Full, ..Options::default() };
    let core = EmbeddedCore::open(folder.path().join("core.db"), options).unwrap();
    a_service(&core, "one").await;
}

#[tokio::test]
async fn a_program_remembers_what_it_likes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = open(&path).unwrap();
    core.remember("recipe", "a", Some(serde_json::json!({"id": 5}))).await.unwrap();
    core.remember_all("recipe", vec![("b".into(), Some(1.into())), ("c".into(), Some(2.into()))])
        .await
        .unwrap();
    core.remember("other", "a", Some(true.into())).await.unwrap();
    core.remember("recipe", "b", None).await.unwrap();
    drop(core);
    let core = open(&path).unwrap();
    let recalled = core.recall("recipe").await.unwrap();
    assert_eq!(serde_json::json!(recalled), serde_json::json!({"a": {"id": 5}, "c": 2}));
}

#[cfg(unix)]
#[test]
fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core.db");
    let core = EmbeddedCore::open(&path, Options::default()).unwrap();
    for file in ["core.db", "core.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    core.close();
}
