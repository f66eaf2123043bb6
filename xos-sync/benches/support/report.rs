//! One line a result, for people or for programs.

use std::time::Duration;

/// Where results go.
pub struct Report {
    json: bool,
    /// Leave out what takes long.
    #[allow(dead_code, reason = "not every bench takes long")]
    pub quick: bool,
    only: Option<String>,
}

impl Report {
    /// What the command line asks for: `--json`, `--quick`, `--only NAME`; `--bench` comes from cargo.
    pub fn from_args() -> Self {
        let mut report = Report { json: false, quick: false, only: None };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--json" => report.json = true,
                "--quick" => report.quick = true,
                "--only" => report.only = args.next(),
                "--bench" => {}
                _ => {
                    eprintln!("unknown argument {arg}; expected --json, --quick or --only NAME");
                    std::process::exit(2);
                }
            }
        }
        report
    }

    /// Whether this bench is asked for.
    #[allow(dead_code, reason = "not every program has several benches")]
    pub fn wants(&self, bench: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == bench)
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

    /// Latencies, sorted.
    #[allow(dead_code, reason = "not every bench has latencies")]
    pub fn latency(&self, bench: &str, sorted: &[Duration]) {
        let micros = |share: usize| {
            sorted.get(sorted.len() * share / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
        };
        self.line(bench, sorted.len(), &[("p50_us", micros(50)), ("p99_us", micros(99))]);
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
