//! Everything at once, by chance: objects that change, a core that fails in every way. At the end all is as it should be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use xos_sync::model_client::{ModelClient, ObjectId};
use xos_sync::prelude::*;

use crate::support::{HelloWorldServiceInstance, Lab, greeting, service, until};

/// The world outside: what steps have put there, and how many of them are at an object now.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    there: BTreeMap<ObjectId, String>,
    at_work: BTreeMap<ObjectId, usize>,
    most_at_once: usize,
    steps: usize,
}

/// A step that works on an object, until it is dropped.
struct Hand(Outside, ObjectId);

impl Outside {
    fn begin(&self, id: ObjectId) -> Hand {
        let mut world = self.0.lock().unwrap();
        let now = world.at_work.entry(id).or_default();
        *now += 1;
        let now = *now;
        world.most_at_once = world.most_at_once.max(now);
        world.steps += 1;
        Hand(self.clone(), id)
    }

    fn there(&self) -> BTreeMap<ObjectId, String> {
        self.0.lock().unwrap().there.clone()
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap().at_work.entry(self.1).or_default() -= 1;
    }
}

struct Keep(Outside);

impl SyncStep for Keep {
    type Model = HelloWorldServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut HelloWorldServiceInstance) -> StepResult {
        let _hand = self.0.begin(o.id);
        tokio::time::sleep(Duration::from_millis(u64::from(o.id.get().unsigned_abs() % 7))).await;
        self.0.0.lock().unwrap().there.insert(o.id, o.hello_to.clone());
        if o.hello_to.ends_with('0') && ctx.attempt() < 2 {
            return Err("not at the first time".into());
        }
        if o.backend_handle.is_none() {
            o.backend_handle = Some(format!("handle-{}", o.id));
            ctx.save(o).await?;
        }
        Ok(())
    }

    async fn delete_record(&self, _: &Context, o: &HelloWorldServiceInstance) -> StepResult {
        let _hand = self.0.begin(o.id);
        tokio::time::sleep(Duration::from_millis(u64::from(o.id.get().unsigned_abs() % 5))).await;
        self.0.0.lock().unwrap().there.remove(&o.id);
        Ok(())
    }
}

/// Chance that can be repeated (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

const METHODS: [&str; 5] = [
    "UpdateHelloWorldServiceInstance",
    "FilterHelloWorldServiceInstance",
    "GetHelloWorldServiceInstance",
    "NoOp",
    "GetSchema",
];

async fn one_fault(lab: &Lab, chance: &mut Chance) {
    let method = METHODS[[0, 0, 0, 1, 1, 2, 3, 4][chance.below(8)]];
    match chance.below(12) {
        0..3 => lab.core.cut_after(method),
        3..6 => lab.core.cut_before(method),
        6..8 => lab.core.fail_once(method, tonic::Code::Unavailable, "Socket closed"),
        8 => lab.core.fail_once(
            method,
            tonic::Code::Unknown,
            "Exception calling application: deadlock detected",
        ),
        9 => lab.core.answer_late(method, Duration::from_millis(30)),
        10 => METHODS.iter().for_each(|method| lab.core.heal(method)),
        _ => lab.core.restart().await.unwrap(),
    }
}

/// One change by a client; `expected` is what has to be outside in the end.
async fn one_change(client: &ModelClient, chance: &mut Chance, expected: &mut BTreeMap<ObjectId, String>) {
    let known: Vec<ObjectId> = expected.keys().copied().collect();
    match chance.below(4) {
        0 | 1 if !known.is_empty() => {
            let mut one: HelloWorldServiceInstance =
                client.get(known[chance.below(known.len())]).await.unwrap();
            one.hello_to = format!("text {}", chance.below(1000));
            client.save(&mut one).await.unwrap();
            expected.insert(one.id, one.hello_to.clone());
        }
        2 if known.len() > 5 => {
            let one: HelloWorldServiceInstance = client.get(known[chance.below(known.len())]).await.unwrap();
            client.delete(&one).await.unwrap();
            expected.remove(&one.id);
        }
        _ => {
            let one = client.create(greeting(&format!("text {}", chance.below(1000)))).await.unwrap();
            expected.insert(one.id, one.hello_to.clone());
        }
    }
}

async fn run(seed: u64) {
    let mut chance = Chance(seed);
    let mut lab = Lab::new().await;
    lab.config.accessor.call_deadline = Duration::from_secs(2);
    let client = lab.core.client();
    client.create(service("Jon")).await.unwrap();
    let outside = Outside::default();
    let synchronizer = || Synchronizer::new("hello-world").version("1.0.0").sync_step(Keep(outside.clone()));
    let mut program = lab.start_with(synchronizer());
    let mut expected = BTreeMap::new();
    for _ in 0..120 {
        match chance.below(20) {
            0..12 => one_change(&client, &mut chance, &mut expected).await,
            12..19 => one_fault(&lab, &mut chance).await,
            _ => {
                program.kill().await;
                program = lab.start_with(synchronizer());
            }
        }
        tokio::time::sleep(Duration::from_millis(chance.below(25) as u64)).await;
    }
    for method in METHODS {
        lab.core.heal(method);
    }
    let mut last = String::new();
    until_or("everything is as it should be", &mut last, async || {
        let found = client.objects::<HelloWorldServiceInstance>().all().await.unwrap();
        let deleted = client.objects::<HelloWorldServiceInstance>().deleted().count().await.unwrap();
        let stale: Vec<String> = found
            .iter()
            .filter(|it| it.enacted != Some(it.updated) || it.backend_code != 1 || it.backend_status != "OK")
            .map(|it| format!("{} {} {}", it.id, it.backend_code, it.backend_status))
            .collect();
        let there = outside.there();
        let is_right = stale.is_empty() && deleted == 0 && there == expected && found.len() == expected.len();
        let calls = lab.core.calls();
        let last: Vec<String> =
            calls.iter().rev().take(20).map(|it| format!("{} {:?}", it.method, it.code)).collect();
        let text = format!(
            "not OK {stale:?}, {deleted} deleted, outside {there:?}, expected {expected:?}, of {} calls the last {last:#?}",
            calls.len()
        );
        (is_right, text)
    })
    .await;
    {
        let world = outside.0.lock().unwrap();
        assert_eq!(world.most_at_once, 1, "two steps at one object at once");
        assert!(world.steps >= expected.len());
    }
    assert_eq!(lab.core.count("CreateHelloWorldServiceInstance"), 0);
    program.stop().await.unwrap();
}

async fn until_or(what: &str, last: &mut String, mut condition: impl AsyncFnMut() -> (bool, String)) {
    for _ in 0..1000 {
        let (is_so, text) = condition().await;
        if is_so {
            return;
        }
        *last = text;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("this did not happen: {what}: {last}");
}

/// A run by its seed. `CHAOS_SEED=7 cargo nextest run -p xos-sync-tests --test remote chaos` repeats one.
async fn seeded(seeds: std::ops::Range<u64>) {
    let given = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = given.map_or_else(|| seeds.collect(), |seed| vec![seed]);
    for seed in seeds {
        println!("CHAOS_SEED={seed} cargo nextest run -p xos-sync-tests --test remote chaos::a_run");
        run(seed).await;
    }
}

#[tokio::test]
async fn a_run_of_chance() {
    seeded(1..2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_chance_on_two_threads() {
    seeded(2..3).await;
}

#[tokio::test]
async fn a_run_of_its_own_clock() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    seeded(now.as_secs()..now.as_secs() + 1).await;
}

#[tokio::test]
async fn creations_over_a_bad_connection_are_never_doubled() {
    let lab = Lab::new().await;
    lab.core.client().create(service("Jon")).await.unwrap();
    let client = lab.connect_as(xos_model_client::Caller::Client).await;
    let mut chance = Chance(11);
    let mut known = 0;
    for number in 0..40 {
        match chance.below(4) {
            0 => lab.core.cut_after("CreateHelloWorldServiceInstance"),
            1 => lab.core.cut_before("CreateHelloWorldServiceInstance"),
            2 => lab.core.restart().await.unwrap(),
            _ => {}
        }
        let before = lab.core.count("CreateHelloWorldServiceInstance");
        match client.create(greeting(&format!("number {number}"))).await {
            Ok(_) => known += 1,
            Err(error) => assert!(error.is_interruption(), "{error}"),
        }
        let calls = lab.core.count("CreateHelloWorldServiceInstance") - before;
        assert!(calls <= 1, "{calls} calls for one creation");
        lab.core.heal("CreateHelloWorldServiceInstance");
        until("the core can be reached", async || {
            client.objects::<HelloWorldServiceInstance>().exists().await.is_ok()
        })
        .await;
    }
    let all = lab.core.client().objects::<HelloWorldServiceInstance>().all().await.unwrap();
    let mut names: Vec<&str> = all.iter().map(|it| it.hello_to.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "an object was created twice");
    assert!(count >= known);
}
