//! What the framework costs against a core on the network, beside a bare loop of the same calls.
//!
//! `cargo bench -p xos-sync-tests --bench remote -- --json` prints one JSON object a line. The core is the stand-in, in a
//! process of its own, so that processor time and memory are the client's alone. It answers as fast as it can, and in a
//! second run after 5 ms each with 4 calls at once, which is more like a real core. What is not covered: a real core,
//! whose own time (20 ms of processor a call) is far above everything measured here; a network; steps that do something.
#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that cannot run has failed")]

#[path = "../../xos-sync/benches/support/report.rs"]
mod report;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use report::Report;
use xos_sync::config::AccessorKind;
use xos_sync::model_client::grpc::{CoreClient, CoreOptions, Credentials, Password};
use xos_sync::model_client::{
    Caller, Condition, Guard, ModelAccessor, Op, Operator, Page, Query, QueryKind, Record, Target, Touch,
    Value, Write,
};
use xos_sync::prelude::*;
use xos_sync::{Config, run_until};

struct Nothing;

impl SyncStep for Nothing {
    type Model = Site;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Site) -> StepResult {
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Site) -> StepResult {
        Ok(())
    }
}

fn main() {
    let report = Report::from_args();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    for (name, latency, workers, objects) in
        [("fast_core", 0, 10, 1000), ("fast_core", 0, 10, 5000), ("core_with_5_ms", 5, 4, 1000)]
    {
        let (framework, bare) =
            (Core::start(objects, latency, workers), Core::start(objects, latency, workers));
        let (mut framework, mut bare) = (framework, bare);
        let ours = runtime.block_on(measure(synchronize(framework.config())));
        let counts = framework.counts();
        let loops = runtime.block_on(async { measure(bare_loop(bare.client(), &counts)).await });
        let updates = counts.get("/xos.xos/UpdateSite").copied().unwrap_or_default();
        let all: usize = counts.values().sum();
        assert_eq!(
            bare.counts().get("/xos.xos/UpdateSite").copied().unwrap_or_default(),
            updates,
            "the same calls"
        );
        report.line(
            &format!("first_sync_{name}"),
            objects,
            &[
                ("seconds", ours.seconds),
                ("bare_loop_seconds", loops.seconds),
                ("times_the_bare_loop", ours.seconds / loops.seconds),
                ("updates_per_object", updates as f64 / (objects + 1) as f64),
                ("calls", all as f64),
                ("cpu_seconds", ours.cpu),
                ("bare_loop_cpu_seconds", loops.cpu),
                ("peak_memory_mb", ours.peak_mb),
            ],
        );
    }
}

/// Runs the synchronizer until everything is in step.
async fn synchronize(mut config: Config) {
    config.once = true;
    run_until(config, Synchronizer::new("bench").sync_step(Nothing), std::future::pending())
        .await
        .expect("all objects are OK");
}

/// Makes the calls that a first sync makes, with as many at once, and nothing else.
async fn bare_loop(client: CoreClient, counts: &BTreeMap<String, usize>) {
    client.ready().await.expect("a core");
    let filters = counts.get("/xos.xos/FilterSite").copied().unwrap_or_default();
    let own = Condition {
        field: "leaf_model_name".into(),
        operator: Operator::Equal,
        value: Value::Text("Site".to_owned()),
        invert: false,
    };
    let shape = Site::shape();
    let query = |kind| Query::live(shape.clone()).of_kind(kind).with(own.clone());
    let dirty = client.find(&query(QueryKind::DirtyObjects), Page::default()).await.expect("a list").records;
    let at = |name: &str| shape.position(name).expect("a field") as u16;
    let time = |record: &Record, name| record.get(name).cloned().unwrap_or_default();
    let set = |id, fields| Write {
        shape: shape.clone(),
        target: Target::Object(id),
        op: Op::Set { fields, touch: Touch::AsTheRulesSay },
        by: Caller::Engine,
        guard: Guard::None,
    };
    stream::iter(dirty)
        .for_each_concurrent(4, |record| async {
            let record = record;
            let claim = set(record.id(), vec![(at("backend_need_delete"), Value::Bool(true))]);
            let result = set(
                record.id(),
                vec![
                    (at("enacted"), time(&record, "updated")),
                    (at("backend_status"), Value::Text("OK".to_owned())),
                    (at("backend_register"), Value::Text("{\"next_run\":0.0,\"exponent\":0}".to_owned())),
                    (at("backend_code"), Value::Int(1)),
                ],
            );
            for write in [claim, result] {
                for answer in client.write(vec![write]).await {
                    answer.expect("it is stored");
                }
            }
        })
        .await;
    for number in 1..filters {
        let kind = if number % 2 == 1 { QueryKind::DeletedObjects } else { QueryKind::DirtyObjects };
        client.find(&query(kind), Page::default()).await.expect("a list");
    }
}

struct Measured {
    seconds: f64,
    cpu: f64,
    peak_mb: f64,
}

async fn measure(work: impl Future<Output = ()>) -> Measured {
    // From here on the kernel counts the peak anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (start, cpu) = (Instant::now(), cpu());
    work.await;
    let seconds = start.elapsed().as_secs_f64();
    Measured { seconds, cpu: self::cpu() - cpu, peak_mb: peak_mb() }
}

/// Processor time of this process so far, in seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // User and system time, in hundredths of a second.
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
}

/// A stand-in in a process of its own.
struct Core {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    endpoint: String,
}

impl Core {
    fn start(objects: usize, latency: u64, workers: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stand_in"))
            .args(["--sites", &objects.to_string(), "--latency", &latency.to_string()])
            .args(["--workers", &workers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the stand-in");
        let ask = child.stdin.take().expect("its input");
        let mut answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut endpoint = String::new();
        for _ in 0..4 {
            let mut line = String::new();
            answers.read_line(&mut line).expect("its output");
            if let Some(found) = line.strip_prefix("plaintext ") {
                found.trim().clone_into(&mut endpoint);
            }
        }
        Core { child, ask, answers, endpoint }
    }

    fn counts(&mut self) -> BTreeMap<String, usize> {
        writeln!(self.ask, "counts").expect("its input");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("its output");
        serde_json::from_str(&line).expect("counts")
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.accessor.kind = AccessorKind::Grpcapi;
        config.accessor.endpoint = Some(self.endpoint.clone());
        config.accessor.username = Some("admin@opencord.org".to_owned());
        config.accessor.password = Some("letmein".to_owned().into());
        config
    }

    fn client(&self) -> CoreClient {
        let mut options = CoreOptions::new(self.endpoint.clone());
        options.credentials = Some(Credentials::new("admin@opencord.org", Password::literal("letmein")));
        // Within a runtime.
        CoreClient::new(options).expect("a client")
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
