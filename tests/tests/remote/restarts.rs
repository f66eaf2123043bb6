//! A core that goes away, a synchronizer that is killed: nothing lost, nothing twice at once, and soon at work again.

use std::time::Duration;

use xos_model_client::{Caller, LoadModels, ModelAccessor as _, Onboard, ServiceFiles};
use xos_sync::model_client::{Model, ModelClient, ObjectId};
use xos_sync::prelude::*;
use xos_sync_tests::stand_in::StandIn;

use crate::support::{
    HelloWorldService, HelloWorldServiceInstance, Lab, Program, greeting, options, service, until,
};

const UPDATE: &str = "UpdateHelloWorldServiceInstance";

async fn with_jon() -> (Lab, Program, ModelClient) {
    let lab = Lab::new().await;
    let client = lab.core.client();
    let jon = client.create(service("Jon")).await.unwrap();
    let program = lab.start();
    lab.until_status::<HelloWorldService>(jon.id, "1 OK").await;
    (lab, program, client)
}

async fn all_ok(lab: &Lab, ids: &[ObjectId]) {
    let mut ids = ids.iter();
    let mut next = ids.next();
    until("all objects are OK", async || {
        while let Some(id) = next {
            if lab.status::<HelloWorldServiceInstance>(*id).await != "1 OK" {
                return false;
            }
            next = ids.next();
        }
        true
    })
    .await;
}

async fn create(client: &ModelClient, count: usize) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(client.create(greeting(&format!("number {number}"))).await.unwrap().id);
    }
    ids
}

#[tokio::test]
async fn work_goes_on_after_a_restart_in_quiet_times() {
    let (lab, program, client) = with_jon().await;
    for name in ["Arya", "Bran", "Sansa"] {
        lab.core.restart().await.unwrap();
        let one = client.create(greeting(name)).await.unwrap();
        lab.until_status::<HelloWorldServiceInstance>(one.id, "1 OK").await;
        assert_eq!(lab.log.count(&format!("Jon greets {name}")), 1);
    }
    assert_eq!(lab.log.count("sync service Jon"), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn what_changes_while_the_core_cannot_be_reached_is_done_afterwards() {
    let (lab, program, client) = with_jon().await;
    let ids = create(&client, 2).await;
    all_ok(&lab, &ids).await;
    lab.core.kill().await;
    let mut first: HelloWorldServiceInstance = client.get(ids[0]).await.unwrap();
    first.hello_to = "Sansa".into();
    client.save(&mut first).await.unwrap();
    let second: HelloWorldServiceInstance = client.get(ids[1]).await.unwrap();
    client.delete(&second).await.unwrap();
    let third = client.create(greeting("Bran")).await.unwrap();
    lab.core.resume().await.unwrap();
    until("the change is synced", async || lab.log.count("Jon greets Sansa") == 1).await;
    lab.until_status::<HelloWorldServiceInstance>(second.id, "gone").await;
    lab.until_status::<HelloWorldServiceInstance>(third.id, "1 OK").await;
    assert_eq!(lab.log.count("delete number 1"), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_restart_in_the_middle_of_two_hundred_objects() {
    let (lab, program, client) = with_jon().await;
    let ids = create(&client, 200).await;
    for part in [20, 80, 140] {
        until("some are done", async || {
            lab.log.lines().iter().filter(|it| it.starts_with("Jon")).count() >= part
        })
        .await;
        lab.core.restart().await.unwrap();
    }
    all_ok(&lab, &ids).await;
    assert_eq!(lab.log.at_once(), 1, "no object has two steps at once");
    for number in 0..200 {
        // A step that was at work when the core went away may have been repeated, once for each restart.
        let times = lab.log.count(&format!("sync number {number}"));
        assert!((1..=4).contains(&times), "number {number}: {times} times");
    }
    program.stop().await.unwrap();
}

/// Cuts one update of an object, with or without effect; the object gets OK, and its step ran no more than `most`
/// times.
async fn cut_update(number: usize, cut: fn(&StandIn, &str), most: usize) {
    let (lab, program, client) = with_jon().await;
    let arya = if number == 0 {
        // The claim.
        cut(&lab.core, UPDATE);
        client.create(greeting("Arya")).await.unwrap()
    } else {
        // The result: the step takes long enough.
        let arya = client.create(greeting("slow")).await.unwrap();
        until("it runs", async || lab.log.count("sync slow") == 1).await;
        cut(&lab.core, UPDATE);
        arya
    };
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    let runs = lab.log.lines().iter().filter(|it| ["sync Arya", "sync slow"].contains(&it.as_str())).count();
    assert!((1..=most).contains(&runs), "{runs} runs");
    assert_eq!(lab.log.at_once(), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_claim_that_did_not_reach_the_core_is_made_again() {
    cut_update(0, StandIn::cut_before, 1).await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_made_again() {
    cut_update(0, StandIn::cut_after, 1).await;
}

#[tokio::test]
async fn a_result_that_did_not_reach_the_core_is_stored_again_without_another_run() {
    cut_update(1, StandIn::cut_before, 1).await;
}

#[tokio::test]
async fn a_result_whose_answer_was_lost_is_stored_again_without_another_run() {
    cut_update(1, StandIn::cut_after, 1).await;
}

#[tokio::test]
async fn a_result_waits_for_the_core() {
    let (lab, program, client) = with_jon().await;
    let arya = client.create(greeting("alone")).await.unwrap();
    until("it runs", async || lab.log.count("sync alone") == 1).await;
    lab.core.kill().await;
    until("the step has ended", async || lab.log.count("alone is done") == 1).await;
    lab.core.resume().await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    assert_eq!(lab.log.count("sync alone"), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn the_result_of_a_deletion_waits_for_the_core() {
    let (lab, program, client) = with_jon().await;
    let arya = client.create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    for cut in [StandIn::cut_before as fn(&StandIn, &str), StandIn::cut_after] {
        let one = client.create(greeting("Bran")).await.unwrap();
        lab.until_status::<HelloWorldServiceInstance>(one.id, "1 OK").await;
        cut(&lab.core, UPDATE);
        client.delete(&one).await.unwrap();
        lab.until_status::<HelloWorldServiceInstance>(one.id, "gone").await;
    }
    assert_eq!(lab.log.count("delete Bran"), 2);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn work_begins_within_two_seconds_after_the_core_is_back() {
    let (lab, program, client) = with_jon().await;
    lab.core.kill().await;
    let arya = client.create(greeting("Arya")).await.unwrap();
    // Long enough for all waits between attempts to be at their longest.
    tokio::time::sleep(Duration::from_secs(2)).await;
    lab.core.forget_calls();
    lab.core.resume().await.unwrap();
    let back = tokio::time::Instant::now();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    let took = back.elapsed();
    // One attempt is enough; the limit is only there for a client that waits far too long.
    assert!(lab.core.count("NoOp") <= 2, "{} attempts", lab.core.count("NoOp"));
    assert!(took < Duration::from_secs(20), "{took:?}");
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_synchronizer_that_is_killed_goes_on_where_it_was() {
    let lab = Lab::new().await;
    let client = lab.core.client();
    client.create(service("Jon")).await.unwrap();
    let ids = create(&client, 60).await;
    for part in [10, 30, 45] {
        let program = lab.start();
        until("some are done", async || {
            lab.log.lines().iter().filter(|it| it.starts_with("Jon")).count() >= part
        })
        .await;
        program.kill().await;
    }
    let program = lab.start();
    all_ok(&lab, &ids).await;
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_synchronizer_that_is_killed_between_step_and_result_runs_the_step_again() {
    let (lab, program, client) = with_jon().await;
    let arya = client.create(greeting("slow")).await.unwrap();
    until("it runs", async || lab.log.count("sync slow") == 1).await;
    lab.core.hang(UPDATE);
    until("its result is on its way", async || {
        lab.core.calls_of(UPDATE).iter().any(|called| called.update_fields().contains(&"enacted"))
    })
    .await;
    program.kill().await;
    lab.core.heal(UPDATE);
    let program = lab.start();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    assert_eq!(lab.log.count("sync slow"), 2);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_synchronizer_that_is_killed_right_after_its_claim_runs_the_step() {
    let (lab, program, client) = with_jon().await;
    lab.core.hang(UPDATE);
    let arya = client.create(greeting("Arya")).await.unwrap();
    until("it is claimed", async || lab.core.count(UPDATE) == 1).await;
    program.kill().await;
    lab.core.heal(UPDATE);
    assert_eq!(lab.log.count("sync Arya"), 0);
    let program = lab.start();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    assert_eq!(lab.log.count("sync Arya"), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_deletion_is_finished_by_the_next_synchronizer() {
    let (lab, program, client) = with_jon().await;
    let arya = client.create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    lab.core.hang(UPDATE);
    client.delete(&arya).await.unwrap();
    until("it is deleted outside", async || lab.log.count("delete Arya") == 1).await;
    program.kill().await;
    lab.core.heal(UPDATE);
    let program = lab.start();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "gone").await;
    assert_eq!(lab.log.count("delete Arya"), 2);
    program.stop().await.unwrap();
}

/// What the next version of hello world has.
mod next {
    use super::HelloWorldService;
    use xos_sync::prelude::*;

    #[derive(XosModel, Clone, Debug)]
    #[xos(app_label = "hello-world", owner_class = HelloWorldService)]
    pub(super) struct HelloWorldServiceInstance {
        #[xos(base)]
        pub(super) service_instance: ServiceInstance,
        /// The name of who is being greeted
        #[xos(number = 1)]
        pub(super) hello_to: String,
        /// How often
        #[xos(number = 2)]
        pub(super) times: Option<i32>,
    }
}

#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "goodbye")]
struct GoodbyeService {
    #[xos(base)]
    service: Service,
    /// What it says
    #[xos(number = 1)]
    words: Option<String>,
}

#[tokio::test]
async fn the_models_change_under_a_running_synchronizer() {
    let lab = Lab::on(options()).await;
    let program = lab.start();
    until("the models are served", async || lab.core.store().schema().model("HelloWorldService").is_some())
        .await;
    let client = lab.core.client();
    client.create(service("Jon")).await.unwrap();
    let arya = client.create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    // Somebody else's service.
    let load = |name: &str, models: Vec<_>, version: &str| {
        Onboard::Load(LoadModels {
            name: name.to_owned(),
            version: version.to_owned(),
            models,
            core_version: None,
            files: ServiceFiles::default(),
        })
    };
    let goodbye = load("goodbye", vec![GoodbyeService::def().clone()], "1.0.0");
    lab.connect().await.onboard(&goodbye).await.unwrap();
    let bran = client.create(greeting("Bran")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(bran.id, "1 OK").await;
    // Its own model gets a field: a replica of the next version loads it.
    let own = vec![HelloWorldService::def().clone(), next::HelloWorldServiceInstance::def().clone()];
    let replica = lab.connect().await;
    replica.onboard(&load("hello-world", own, "1.1.0")).await.unwrap();
    assert!(replica.schema().model("HelloWorldServiceInstance").unwrap().field("times").is_some());
    let mut sansa = client.create(greeting("Sansa")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(sansa.id, "1 OK").await;
    sansa = client.get(sansa.id).await.unwrap();
    sansa.hello_to = "Rickon".into();
    client.save(&mut sansa).await.unwrap();
    until("the change is synced", async || lab.log.count("Jon greets Rickon") == 1).await;
    for name in ["Arya", "Bran", "Sansa"] {
        assert_eq!(lab.log.count(&format!("Jon greets {name}")), 1);
    }
    assert_eq!(lab.log.at_once(), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_core_that_is_busy_is_no_core_that_is_away_for_ever() {
    let (lab, program, client) = with_jon().await;
    for _ in 0..20 {
        lab.core.fail_once(UPDATE, tonic::Code::Unavailable, "Socket closed");
    }
    let ids = create(&client, 5).await;
    all_ok(&lab, &ids).await;
    assert_eq!(lab.log.at_once(), 1);
    program.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_core_refuses_to_store_is_tried_again() {
    let (lab, program, client) = with_jon().await;
    let text = "Exception calling application: deadlock detected";
    lab.core.fail_once(UPDATE, tonic::Code::Unknown, text);
    let arya = client.create(greeting("Arya")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(arya.id, "1 OK").await;
    lab.core.fail_once(UPDATE, tonic::Code::Unknown, "Exception calling application: boom");
    let bran = client.create(greeting("Bran")).await.unwrap();
    lab.until_status::<HelloWorldServiceInstance>(bran.id, "1 OK").await;
    program.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_gets_through_a_restart_with_its_reads() {
    let (lab, program, client) = with_jon().await;
    let arya = client.create(greeting("Arya")).await.unwrap();
    let over_wire = lab.connect_as(Caller::Client).await;
    lab.core.cut_after("GetHelloWorldServiceInstance");
    let read: HelloWorldServiceInstance = over_wire.get(arya.id).await.unwrap();
    assert_eq!(read.hello_to, "Arya");
    program.stop().await.unwrap();
}

#[tokio::test]
async fn many_cuts_in_a_row_leave_the_core_at_work() {
    let lab = Lab::new().await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let arya = lab.core.client().create(greeting("Arya")).await.unwrap();
    let over_wire = lab.connect_as(Caller::Client).await;
    // More than the core has workers: a call whose connection is cut must not keep one.
    for cut in [StandIn::cut_before as fn(&StandIn, &str), StandIn::cut_after].into_iter().cycle().take(12) {
        cut(&lab.core, "GetHelloWorldServiceInstance");
        until("it can be read", async || over_wire.get::<HelloWorldServiceInstance>(arya.id).await.is_ok())
            .await;
    }
}
