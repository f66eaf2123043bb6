//! The objects of a model match what the backend has.

use xos_sync::model_client::Caller;
use xos_sync::prelude::*;
use xos_sync::{Reconcile, run_on};

use crate::support::{Lab, Say, site};

/// What the backend says: a name and a login; "panic" and "fail" cannot be understood.
type Item = (&'static str, &'static str);

fn reconcile(core: &MockAccessor, items: impl IntoIterator<Item = Item>) -> Reconcile<Site, Item> {
    core.pull_context()
        .reconcile::<Site, _>(items)
        .key(|item| item.0, |site: &Site| site.name.clone())
        .create(|item| {
            let new = Site { abbreviated_name: "x".into(), ..site(item.0) };
            Ok(Site { login_base: understood(item)?, ..new })
        })
        .update(|item, site| {
            site.login_base = understood(item)?;
            Ok(())
        })
}

fn understood(item: &Item) -> StepResult<String> {
    match item.1 {
        "panic" => panic!("what is this?"),
        "fail" => Err("no login".into()),
        login => Ok(login.to_owned()),
    }
}

fn counts(done: &Reconciled) -> [usize; 5] {
    [done.created, done.updated, done.deleted, done.unchanged, done.failed.len()]
}

async fn names(core: &MockAccessor) -> Vec<String> {
    core.objects::<Site>().all().await.unwrap().into_iter().map(|site| site.name).collect()
}

#[tokio::test]
async fn only_what_differs_is_written() {
    let core = MockAccessor::new();
    let first = [("a", "1"), ("b", "2"), ("c", "3")];
    assert_eq!(counts(&reconcile(&core, first).run().await.unwrap()), [3, 0, 0, 0, 0]);
    core.journal().clear();
    assert_eq!(counts(&reconcile(&core, first).run().await.unwrap()), [0, 0, 0, 3, 0]);
    assert!(core.journal().writes().is_empty());
    let then = [("b", "2"), ("c", "33"), ("d", "4")];
    assert_eq!(counts(&reconcile(&core, then).run().await.unwrap()), [1, 1, 1, 1, 0]);
    let writes = core.journal().writes();
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert!(writes.iter().all(|write| write.by == Caller::Pull));
    let change =
        writes.iter().find(|write| write.field("login_base").is_some_and(|login| *login == "33".into()));
    assert_eq!(change.unwrap().fields.len(), 1, "one field");
    assert_eq!(names(&core).await, ["b", "c", "d"]);
}

#[tokio::test]
async fn a_bad_item_stops_no_other_and_is_named() {
    let core = MockAccessor::new();
    core.create(site("loud")).await.unwrap();
    let mut items =
        vec![("good", "1"), ("bad", "fail"), ("loud", "panic"), ("good", "twice"), ("", "no name")];
    let error = reconcile(&core, items.clone()).run().await.unwrap_err().to_string();
    for expected in [
        "4 failed, 1 are well",
        "bad: no login",
        "loud: panicked: what is this?",
        "good: the backend has two",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!(names(&core).await, ["loud", "good"], "what cannot be understood is not deleted");
    items = (0..30).map(|number| (["x0", "x1", "x2"][number % 3], "fail")).collect();
    let done = reconcile(&core, items).outcome().await.unwrap();
    assert_eq!(done.failed.len(), 30);
    let error = reconcile(&core, (0..30).map(|_| ("x", "fail"))).run().await.unwrap_err().to_string();
    assert!(error.contains("30 failed") && error.ends_with("; and 20 more"), "{error}");
}

#[tokio::test]
async fn only_objects_in_the_scope_are_deleted() {
    let core = MockAccessor::new();
    for name in ["by_xos", "other"] {
        core.create(site(name)).await.unwrap();
    }
    reconcile(&core, [("a", "1"), ("b", "2"), ("by_xos", "3")]).run().await.unwrap();
    assert_eq!(names(&core).await, ["by_xos", "other", "a", "b"], "updated where it is, not created again");
    let done = reconcile(&core, [("a", "1")]).run().await.unwrap();
    assert_eq!(counts(&done), [0, 0, 1, 1, 0], "what XOS manages stays");
    let done = reconcile(&core, [("a", "1")]).scope(Site::NAME.eq("other")).run().await.unwrap();
    assert_eq!(counts(&done), [0, 0, 1, 1, 0]);
    assert_eq!(names(&core).await, ["by_xos", "a"]);
    let among = reconcile(&core, [("by_xos", "3")]).among(Site::NAME.eq("by_xos")).run().await.unwrap();
    assert_eq!((counts(&among), names(&core).await.len()), ([0, 0, 0, 1, 0], 2), "others are not looked at");
}

#[tokio::test]
async fn an_answer_that_is_not_credible_deletes_nothing() {
    let core = MockAccessor::new();
    let names_of = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let all = || names_of.map(|name| (name, "1"));
    reconcile(&core, all()).run().await.unwrap();
    let error = reconcile(&core, []).run().await.unwrap_err().to_string();
    assert!(
        error.contains("deletion: 12 of 12 objects are not in what the backend answered, which was empty"),
        "{error}"
    );
    let half = reconcile(&core, all().into_iter().take(5)).delete_at_most(0.5).run().await;
    assert!(half.unwrap_err().to_string().contains("7 of 12 objects"));
    assert_eq!(names(&core).await.len(), 12);
    let done = reconcile(&core, all().into_iter().take(5)).run().await.unwrap();
    assert_eq!(done.deleted, 7);
    assert_eq!(reconcile(&core, []).run().await.unwrap().deleted, 5, "a few may go");
}

#[tokio::test]
async fn what_is_unknown_is_neither_created_twice_nor_deleted() {
    let core = MockAccessor::new();
    reconcile(&core, [("a", "1"), ("b", "2")]).run().await.unwrap();
    let key = |item: &Item| if item.0 == "b" { panic!("no name") } else { item.0 };
    let job = reconcile(&core, [("a", "11"), ("b", "2"), ("c", "3")]).key(key, |site| site.name.clone());
    let done = job.outcome().await.unwrap();
    assert_eq!(counts(&done), [1, 1, 0, 0, 1]);
    assert_eq!(done.failed[0], ("item 1".to_owned(), "it has no key: panicked: no name".to_owned()));
    assert_eq!(names(&core).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_being_deleted_is_not_created_again() {
    let core = MockAccessor::new();
    let mut own = core.create(site("own")).await.unwrap();
    own.backend_need_delete = true;
    core.save(&mut own).await.unwrap();
    core.delete(&own).await.unwrap();
    let done = reconcile(&core, [("own", "1")]).run().await.unwrap();
    assert_eq!(counts(&done), [0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_core_that_is_away_interrupts() {
    let core = MockAccessor::new();
    core.load::<Site>().await.unwrap();
    let job = reconcile(&core, [("a", "1")]);
    core.faults().go_away();
    assert_eq!(*job.run().await.unwrap_err().kind(), StepErrorKind::Interrupted);
}

/// Pulls two sites; the sync step is to run for one of them.
struct PullTwo(&'static str);

impl PullStep for PullTwo {
    type Model = Site;

    async fn pull_records(&self, ctx: &Context) -> StepResult {
        let login = self.0;
        ctx.reconcile::<Site, _>(["woken", "quiet"])
            .key(|name| *name, |site| site.name.clone())
            .create(move |name| Site { login_base: login.into(), ..site(name) })
            .update(move |_, site| site.login_base = login.into())
            .wake_if(|name, _| *name == "woken")
            .run()
            .await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_saves_that_should_wake_a_step_do_and_the_others_do_not() {
    let mut lab = Lab::new();
    lab.config.once = true;
    for login in ["first", "second"] {
        let service = Synchronizer::new("lab").pull_step(PullTwo(login)).sync_step(Say(lab.log.clone()));
        run_on(lab.core.accessor(), lab.config.clone(), service, std::future::pending()).await.unwrap();
        lab.log.say(login);
    }
    assert_eq!(lab.log.lines(), ["sync woken", "first", "sync woken", "second"]);
    let sites = lab.core.objects::<Site>().all().await.unwrap();
    assert!(sites.iter().all(|site| site.login_base == "second" && !site.xos_managed));
}
