//! `--once`: until nothing is ready.

use xos_sync::prelude::*;

use crate::support::{Lab, LabService, service, site};

#[tokio::test(start_paused = true)]
async fn it_ends_well_when_all_objects_are_ok() {
    let mut lab = Lab::new();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    for number in 0..200 {
        lab.core.create(site(&format!("site {number}"))).await.unwrap();
    }
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.log.lines().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn it_says_how_many_are_not_ok() {
    let check = async |error: fn() -> StepError, expected: Option<&str>| {
        let mut lab = Lab::new();
        lab.core.create(site("good")).await.unwrap();
        lab.core.create(site("bad")).await.unwrap();
        let step = lab
            .step::<Site>()
            .sync(move |_, o: Site| async move { if o.name == "bad" { Err(error()) } else { Ok(()) } });
        let end = lab.once(Synchronizer::new("lab").sync_step(step)).await;
        assert_eq!(end.err().map(|error| error.to_string()).as_deref(), expected);
        assert_eq!(lab.log.count("sync bad"), 1, "what failed is not waited for");
    };
    let one = Some("1 of 2 objects are not OK; the verb list shows them");
    check(|| "Maybe not".into(), one).await;
    check(|| StepError::deferred("Maybe later"), one).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_step_makes_is_synced_too() {
    let mut lab = Lab::new();
    lab.core.load::<LabService>().await.unwrap();
    lab.core.create(site("Arya")).await.unwrap();
    let step = lab.step::<Site>().sync(|ctx, o: Site| async move {
        ctx.create(service(&format!("of {}", o.name))).await?;
        Ok(())
    });
    lab.once(Synchronizer::new("lab").sync_step(step).sync_step(lab.step::<LabService>())).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya", "sync of Arya"]);
}

#[tokio::test(start_paused = true)]
async fn deletions_are_waited_for() {
    let mut lab = Lab::new();
    let arya = lab.core.create(site("Arya")).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    lab.core.delete(&arya).await.unwrap();
    lab.once(Synchronizer::new("lab").sync_step(lab.step::<Site>())).await.unwrap();
    assert_eq!(lab.log.lines(), ["sync Arya", "delete Arya"]);
    assert!(lab.core.get::<Site>(arya.id).await.is_err());
}
