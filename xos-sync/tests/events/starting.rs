//! What is wrong is said before anything starts.

use xos_sync::prelude::*;
use xos_sync::run_on;

use crate::support::Lab;

async fn check(service: Synchronizer, expected: &str) {
    let core = MockAccessor::new();
    let end = run_on(core.accessor(), Config::in_memory(), service, std::future::pending()).await;
    let error = end.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_step_has_either_topics_or_a_good_pattern_and_its_own_name() {
    let lab = Lab::new();
    let service = || Synchronizer::new("lab");
    check(service().event_step(lab.on(&[])), "Neither topics nor pattern is defined for step on").await;
    check(
        service().event_step(lab.on(&["a"]).pattern("b")),
        "Both topics and pattern are defined for step on. Choose one.",
    )
    .await;
    check(
        service().event_step(lab.on(&[]).pattern("(")),
        "event step on: the event bus refused the pattern \"(\"",
    )
    .await;
    check(service().event_step(lab.on(&["a", ""])), "event step on: a topic without a name").await;
    check(
        service().event_step(lab.on(&["a"])).event_step(lab.on(&["b"])),
        "two event steps are called on: each needs a name of its own",
    )
    .await;
}
