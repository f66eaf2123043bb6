//! Two terminals: in one the program runs, in the other somebody changes a field through gRPC and sees the effect.

use std::sync::Arc;
use std::time::{Duration, Instant};

use xos_sync::model_client::grpc::{CoreClient, CoreOptions};
use xos_sync::model_client::{
    Caller, Guard, ModelAccessor, ModelInfo, Op, Page, Query, Record, Schema, Target, Touch, Value, Write,
};
use xos_sync::tokio::runtime::Runtime;

use crate::support::{RECIPE, Stage};

const GREETING: &str = "HelloWorldServiceInstance";

/// Another process, at the other end of the socket.
struct Other {
    runtime: Runtime,
    core: CoreClient,
}

impl Other {
    fn at(endpoint: String) -> Self {
        let runtime = Runtime::new().unwrap();
        let core = runtime.block_on(async {
            let core = CoreClient::new(CoreOptions::new(endpoint)).unwrap();
            core.ready().await.unwrap();
            core
        });
        Other { runtime, core }
    }

    fn model(schema: &Schema) -> &ModelInfo {
        schema.expect_model(GREETING).unwrap()
    }

    fn greetings(&self) -> Vec<Record> {
        let query = Query::live(Self::model(&self.core.schema()).shape.clone());
        self.runtime.block_on(self.core.find(&query, Page::default())).unwrap().records
    }

    fn write(&self, greeting: &Record, op: Op) {
        let (shape, target) = (greeting.shape().clone(), Target::Object(greeting.id()));
        let write = Write { shape, target, op, by: Caller::Client, guard: Guard::None };
        self.runtime.block_on(self.core.write(vec![write])).pop().unwrap().unwrap();
    }

    fn greet(&self, greeting: &Record, name: &str) {
        let at = greeting.shape().position("hello_to").unwrap() as u16;
        let fields = vec![(at, Value::Text(name.to_owned()))];
        self.write(greeting, Op::Set { fields, touch: Touch::AsTheRulesSay });
    }

    /// Waits until the only greeting is like this.
    fn until(&self, what: &str, is_so: impl Fn(&Record) -> bool) {
        let start = Instant::now();
        loop {
            let greetings = self.greetings();
            if greetings.iter().any(&is_so) {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "never {what}: {greetings:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn is_ok(greeting: &Record) -> bool {
    let status = greeting.get("backend_status").and_then(Value::as_text);
    let time = |name: &str| greeting.get(name).and_then(Value::as_time);
    status == Some("OK") && time("enacted") >= time("updated")
}

#[test]
fn a_field_is_changed_in_one_and_the_effect_is_seen_in_the_other() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("saying hello to Daenerys Targaryen");
    let other = Other::at(format!("unix:{}", stage.path("hello.db.sock").display()));
    other.until("OK", is_ok);
    let greeting = other.greetings().remove(0);
    other.greet(&greeting, "Arya Stark");
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    other.until("OK again", |greeting| {
        is_ok(greeting) && greeting.get("hello_to").and_then(Value::as_text) == Some("Arya Stark")
    });
    other.greet(&greeting, "Tyrion Lannister");
    other.until("deferred", |greeting| {
        greeting
            .get("backend_status")
            .and_then(Value::as_text)
            .is_some_and(|status| status.ends_with("Maybe later"))
    });
    other.write(&greeting, Op::Delete);
    program.wait_for("HelloWorldServiceInstance has been deleted!");
    program.wait_for("Purged object");
    assert!(other.greetings().is_empty());
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
}

#[test]
fn a_second_synchronizer_shares_the_core_through_its_socket() {
    let stage = Stage::new();
    let mut core = stage.start(&["core"]);
    core.wait_for("the core is served alone");
    let endpoint = format!("unix:{}", stage.path("hello.db.sock").display());
    stage.write(
        "config.yaml",
        &format!(
            "name: hello-world\naccessor: {{endpoint: '{endpoint}'}}\nengine: {{poll_interval: 200 ms}}\n"
        ),
    );
    let mut program = stage.start_remote(&[]);
    program.wait_for("Jhon Snow is saying hello to Daenerys Targaryen");
    let other = Other::at(endpoint);
    other.greet(&other.greetings()[0], "Arya Stark");
    program.wait_for("Jhon Snow is saying hello to Arya Stark");
    let (status, log) = program.interrupt();
    assert!(status.success(), "{log}");
    assert!(!stage.path("hello-world.recipe.json").exists(), "what the recipe made is beside the objects");
    let (status, log) = core.interrupt();
    assert!(status.success(), "{log}");
    // The memory is that of the database: the node that left the recipe is deleted.
    let (before, rest) = RECIPE.split_once("    serviceinstance:").unwrap();
    let (_, after) = rest.split_once("    constraints:").unwrap();
    stage.write("recipe.yaml", &format!("{before}    constraints:{after}"));
    let run = stage.run(&["--once"]);
    let log = crate::support::text(&run.stderr);
    assert!(log.contains("HelloWorldServiceInstance has been deleted!"), "{log}");
}

#[test]
fn many_clients_at_once_change_what_the_program_synchronizes() {
    let stage = Stage::new();
    let mut program = stage.start(&[]);
    program.wait_for("saying hello to Daenerys Targaryen");
    let endpoint = format!("unix:{}", stage.path("hello.db.sock").display());
    let others: Vec<Arc<Other>> = (0..3).map(|_| Arc::new(Other::at(endpoint.clone()))).collect();
    let threads: Vec<_> = others
        .iter()
        .cloned()
        .enumerate()
        .map(|(at, other)| {
            std::thread::spawn(move || {
                let greeting = other.greetings().remove(0);
                (0..10).for_each(|round| other.greet(&greeting, &format!("guest {at} of round {round}")));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    others[0].until("OK in the end", is_ok);
}
