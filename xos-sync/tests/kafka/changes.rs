//! The changes of an embedded core, published.

use serde_json::Value as Json;
use xos_sync::prelude::*;

use crate::support::{Kafka, Log, Program, until};

/// Marks sites as seen.
struct Mark(Log);

impl SyncStep for Mark {
    type Model = Site;

    async fn sync_record(&self, ctx: &Context, o: &mut Site) -> StepResult {
        self.0.say(format!("sync {}", o.name));
        if o.site_url.as_deref() != Some("https://seen.example/") {
            o.site_url = Some("https://seen.example/".into());
            ctx.save(o).await?;
        }
        Ok(())
    }

    async fn delete_record(&self, _: &Context, _: &Site) -> StepResult {
        Ok(())
    }
}

fn recipe(names: &[&str]) -> String {
    let site = |name: &&str| {
        format!(
            "    {name}:\n      type: tosca.nodes.Site\n      properties:\n        name: {name}\n        login_base: \
             {name}\n        abbreviated_name: {name}\n        is_public: true\n        hosts_nodes: true\n"
        )
    };
    let sites: String = names.iter().map(site).collect();
    format!(
        "tosca_definitions_version: tosca_simple_yaml_1_0\ndescription: \
         sites\ntopology_template:\n  node_templates:\n{sites}"
    )
}

/// The names of the sites that were told of, in order.
async fn told(kafka: &Kafka) -> Vec<(String, Json)> {
    let content = kafka.content("xos.gui_events").await;
    content
        .into_iter()
        .filter(|(key, _)| key == "Site")
        .map(|(_, value)| {
            let value: Json = serde_json::from_str(&value).unwrap();
            (value["object"]["name"].as_str().unwrap_or_default().to_owned(), value)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_an_embedded_core_is_published_and_none_again_after_a_restart() {
    let kafka = Kafka::new(&[("xos.gui_events", 1)]);
    let folder = tempfile::tempdir().unwrap();
    let mut config = kafka.config(&folder.path().join("core.db"));
    config.event_bus.gui_events = true;
    let file = folder.path().join("sites.yaml");
    let log = Log::default();
    let service = || Synchronizer::new("lab").sync_step(Mark(log.clone())).recipe(&file);
    std::fs::write(&file, recipe(&["mouth"])).unwrap();
    let program = Program::start(config.clone(), service());
    until("it is synced", async || log.count("sync mouth") > 0).await;
    until("the step's change is told", async || {
        told(&kafka)
            .await
            .iter()
            .any(|(name, told)| name == "mouth" && told["object"]["site_url"] == "https://seen.example/")
    })
    .await;
    program.stop().await;
    let before = told(&kafka).await;
    let (_, first) = &before[0];
    assert!(first["pk"].as_i64().unwrap() > 0 && first["changed_fields"].is_array(), "{first}");
    assert!(first["object"]["class_names"].as_str().unwrap().starts_with("Site"), "{first}");

    std::fs::write(&file, recipe(&["mouth", "south"])).unwrap();
    let program = Program::start(config, service());
    until("the new one is told", async || told(&kafka).await.iter().any(|(name, _)| name == "south")).await;
    program.stop().await;
    let after = told(&kafka).await;
    assert_eq!(after[..before.len()], before[..]);
    assert!(after[before.len()..].iter().all(|(name, _)| name == "south"), "{:?}", &after[before.len()..]);
}
