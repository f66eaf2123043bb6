//! One line a result, for people or for programs.

use std::time::Duration;

/// Where results go.
pub struct Report {
    json: bool,
    /// Leave out what takes long.
    pub quick: bool,
}

impl Report {
    /// What the command line asks for: `--json`, `--quick`; `--bench` comes from cargo.
    pub fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        for arg in &args {
            assert!(
                ["--json", "--quick", "--bench"].contains(&arg.as_str()),
                "unknown argument {arg}; expected --json or --quick"
            );
        }
        Report { json: has("--json"), quick: has("--quick") }
    }

    /// One result with these figures.
    pub fn line(&self, bench: &str, n: usize, figures: &[(&str, f64)]) {
        if self.json {
            let mut line = serde_json::Map::new();
            line.insert("bench".into(), bench.into());
            line.insert("n".into(), n.into());
            for (name, figure) in figures {
                line.insert((*name).into(), serde_json::json!(figure));
            }
            println!("{}", serde_json::Value::Object(line));
        } else {
            let figures: Vec<String> =
                figures.iter().map(|(name, figure)| format!("{name} {figure:.3}")).collect();
            println!("{bench:<28} n={n:<9} {}", figures.join("  "));
        }
    }

    /// Objects in a second.
    pub fn rate(&self, bench: &str, n: usize, per_second: f64) {
        self.line(bench, n, &[("objects_per_second", per_second.round())]);
    }

    /// A latency.
    #[allow(dead_code, reason = "not every bench has latencies")]
    pub fn latency(&self, bench: &str, n: usize, p50: Duration, p99: Duration) {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        self.line(bench, n, &[("p50_us", micros(p50)), ("p99_us", micros(p99))]);
    }
}

/// The processor time of this process so far, in seconds.
#[allow(dead_code, reason = "not every bench idles")]
pub fn cpu_time() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return f64::NAN };
    let spent = tasks.flatten().filter_map(|task| {
        let schedstat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}
