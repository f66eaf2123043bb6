//! What a real core was asked, our server is asked again.

use xos_core::{EmbeddedCore, Options, Reap};
use xos_sync_tests::against::intended::Intended;
use xos_sync_tests::against::{Count, Ours, Recordings, replay};
use xos_sync_tests::ours::OurServer;
use xos_sync_tests::workspace;

const FILES: [&str; 4] =
    ["calls.jsonl", "load-calls.jsonl", "synchronizer-session.jsonl", "policy-session.jsonl"];

#[tokio::test]
async fn our_server_answers_as_the_recorded_core_did() {
    let Some(recordings) = Recordings::open().unwrap() else { return };
    let list = std::fs::read_to_string(workspace().join("tests/differences.md")).unwrap();
    let intended = Intended::read(&list).unwrap();
    let only = std::env::var("XOS_REPLAY").unwrap_or_default();
    let mut all = Count::default();
    for file in FILES.iter().filter(|file| file.contains(&only)) {
        let manual = Options { reap: Reap::Manual, ..Options::default() };
        let server = OurServer::start(EmbeddedCore::in_memory_with(manual).unwrap()).await.unwrap();
        let ours = Ours { store: server.core.clone(), client: server.raw().unwrap() };
        let count = replay(&recordings, &ours, file, &intended).await.unwrap();
        println!("{file}: {count}");
        for different in &count.different {
            println!("  different: {different}");
        }
        all.compared += count.compared;
        all.equal += count.equal;
        all.intended += count.intended;
        all.different.extend(count.different);
    }
    println!("all: {all}");
    assert!(
        all.different.is_empty(),
        "{} differences are not meant to be; they are listed above",
        all.different.len()
    );
    assert!(all.compared >= 600, "{}", all.compared);
    assert!(
        intended.unused().is_empty(),
        "rows of tests/differences.md that nothing was found for: {:#?}",
        intended.unused()
    );
}
