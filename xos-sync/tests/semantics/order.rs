//! Order, dependencies and how much happens at once.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_sync::model_client::Model;
use xos_sync::prelude::*;

use crate::support::{Do, Lab, LabInstance, LabService, Warnings, instance, service, site, until};

#[tokio::test(start_paused = true)]
async fn an_object_waits_for_what_it_links_to() {
    let mut lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    lab.core.create(instance("greeting", &hello)).await.unwrap();
    let slow = lab.step::<LabService>().sync(|_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    // The builder's order is not what decides.
    let both = Synchronizer::new("lab").sync_step(lab.step::<LabInstance>()).sync_step(slow);
    lab.once(both).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync hello", "sync greeting"]);
    assert_eq!(lab.log.times("sync greeting")[0].as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_error_stops_only_what_depends_on_it() {
    let mut lab = Lab::new();
    let good = lab.core.create(service("good")).await.unwrap();
    let bad = lab.core.create(service("bad")).await.unwrap();
    let waiting = lab.core.create(instance("of bad", &bad)).await.unwrap();
    lab.core.create(instance("of good", &good)).await.unwrap();
    let step = lab.step::<LabService>().sync(|_, o: LabService| async move {
        if o.name == "bad" { Err("Maybe not".into()) } else { Ok(()) }
    });
    let end = lab.once(Synchronizer::new("lab").sync_step(step).sync_step(lab.step::<LabInstance>())).await;
    assert_eq!(end.unwrap_err().to_string(), "2 of 4 objects are not OK; the verb list shows them");
    let mut lines = lab.log.lines();
    lines.sort();
    assert_eq!(lines, ["sync bad", "sync good", "sync of good"]);
    assert_eq!(lab.status::<LabInstance>(waiting.id).await, "0 Provisioning in progress");
    let waiting: LabInstance = lab.core.get(waiting.id).await.unwrap();
    assert!(!waiting.backend_need_delete, "what was never begun is not claimed");
}

#[tokio::test(start_paused = true)]
async fn deletion_goes_in_reverse() {
    let lab = Lab::new();
    let hello = lab.core.create(service("hello")).await.unwrap();
    let greeting = lab.core.create(instance("greeting", &hello)).await.unwrap();
    let slow = lab.step::<LabInstance>().delete(|_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    let both = Synchronizer::new("lab").sync_step(lab.step::<LabService>()).sync_step(slow);
    let program = lab.start(both);
    until("both are synced", async || lab.status::<LabInstance>(greeting.id).await == "1 OK").await;
    lab.log.clear();
    lab.core.delete(&hello).await.unwrap();
    until("both are purged", async || lab.core.get::<LabService>(hello.id).await.is_err()).await;
    assert!(lab.core.get::<LabInstance>(greeting.id).await.is_err());
    assert_eq!(lab.log.lines(), ["delete greeting", "delete hello"]);
    program.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_dependency_graph_file_adds_what_links_do_not_say() {
    let mut lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("graph.json");
    // A service waits for its instances, against their link.
    std::fs::write(&graph, r#"{"LabService": [["LabInstance", "service_instances", "owner"]]}"#).unwrap();
    lab.config.dependency_graph = Some(graph);
    let hello = lab.core.create(service("hello")).await.unwrap();
    lab.core.create(instance("greeting", &hello)).await.unwrap();
    let slow = lab.step::<LabInstance>().sync(|_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<LabService>()).sync_step(slow)).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync greeting", "sync hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_dependency_graph_with_unknown_names_is_warned_about_and_ignored() {
    let mut lab = Lab::new();
    let folder = tempfile::tempdir().unwrap();
    let graph = folder.path().join("graph.json");
    let text = r#"{"Sight": [["Site", "site", "sights"]], "Site": [["Slyce", "slices", "site"], ["Slice", "slyces", "site"]]}"#;
    std::fs::write(&graph, text).unwrap();
    lab.config.dependency_graph = Some(graph.clone());
    lab.core.create(site("Arya")).await.unwrap();
    let warnings = Warnings::default();
    let guard = warnings.listen();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    drop(guard);
    assert_eq!(lab.log.lines(), ["sync Arya"]);
    for name in ["Sight", "Slyce", "slyces"] {
        assert!(
            warnings.all().iter().any(|line| line.contains("dependency_graph") && line.contains(name)),
            "{name}"
        );
    }
    std::fs::write(&graph, "[]").unwrap();
    let error =
        lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap_err().to_string();
    assert!(error.contains("graph.json") && error.contains("expected {\"A\": [["), "{error}");
}

/// Watches what runs at once.
#[derive(Clone, Default)]
struct AtOnce(Arc<Mutex<(HashSet<String>, usize)>>);

impl AtOnce {
    fn step<M: Model + Display>(&self, step: Do<M>) -> Do<M> {
        let this = self.clone();
        step.sync(move |_, o: M| {
            let this = this.clone();
            async move {
                {
                    let mut running = this.0.lock().unwrap();
                    assert!(running.0.insert(o.to_string()), "two handlers on {o}");
                    running.1 = running.1.max(running.0.len());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                this.0.lock().unwrap().0.remove(&o.to_string());
                Ok(())
            }
        })
    }

    fn most(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded() {
    let mut lab = Lab::new();
    for number in 0..20 {
        lab.core.create(site(&format!("site {number}"))).await.unwrap();
    }
    lab.config.engine.concurrency = 3;
    let at_once = AtOnce::default();
    lab.once(Synchronizer::new("lab").sync_step(at_once.step(lab.step::<Site>()))).await.unwrap();
    assert_eq!((lab.log.lines().len(), at_once.most()), (20, 3));
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded_for_each_step_too() {
    let mut lab = Lab::new();
    for number in 0..20 {
        lab.core.create(site(&format!("site {number}"))).await.unwrap();
        lab.core.create(service(&format!("service {number}"))).await.unwrap();
    }
    let (sites, services) = (AtOnce::default(), AtOnce::default());
    let two = sites.step(lab.step::<Site>()).at_most(2);
    let all = services.step(lab.step::<LabService>());
    lab.once(Synchronizer::new("lab").sync_step(two).sync_step(all)).await.unwrap();
    assert_eq!((lab.log.lines().len(), sites.most(), services.most()), (40, 2, 20));
}

#[tokio::test(start_paused = true)]
async fn never_two_handlers_work_on_one_object() {
    let lab = Lab::new();
    let mut arya = lab.core.create(site("Arya")).await.unwrap();
    let at_once = AtOnce::default();
    let step = at_once.step(lab.step::<Site>());
    let program = lab.start(Synchronizer::new("lab").sync_step(step));
    for change in 0..20 {
        arya.site_url = Some(format!("http://winterfell/{change}"));
        lab.core.save(&mut arya).await.unwrap();
        tokio::time::sleep(Duration::from_millis(130)).await;
    }
    until("it is done", async || {
        let arya: Site = lab.core.get(arya.id).await.unwrap();
        arya.enacted == Some(arya.updated)
    })
    .await;
    assert!(lab.log.count("sync Arya") > 1);
    program.stop().await.unwrap();
}
