//! The peers that are written in Python.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Python with the packages of `requirements.txt`.
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// The one of `XOS_BENCH_PYTHON`, or the one in the environment under `target`; `None` when the packages are missing.
    pub fn find() -> Option<Self> {
        let program = std::env::var_os("XOS_BENCH_PYTHON")
            .map_or_else(|| folder().join("target/python/bin/python"), PathBuf::from);
        let check = Command::new(&program)
            .args(["-c", "import aiohttp, kopf, networkx"])
            .stderr(Stdio::null())
            .status();
        check.is_ok_and(|status| status.success()).then_some(Python { program })
    }

    /// What somebody who misses it has to type.
    pub fn how_to_install() -> String {
        let (environment, wanted) = (folder().join("target/python"), folder().join("requirements.txt"));
        let (environment, wanted) = (environment.display(), wanted.display());
        format!(
            "no Python with kopf and networkx; install: python3 -m venv {environment} && {environment}/bin/pip install -r {wanted}"
        )
    }

    /// The version of a package.
    pub fn version(&self, package: &str) -> String {
        let code = format!("import importlib.metadata as m; print(m.version('{package}'))");
        let output = Command::new(&self.program).args(["-c", &code]).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    }

    /// Milliseconds that networkx takes to build the graph of chains of three and to sort it, and to sort it again.
    pub fn plan(&self, count: usize) -> Vec<f64> {
        let mut child = self.start("networkx/plan.py", &[&count.to_string()]);
        let figures = child.line();
        figures.split_whitespace().map(|figure| figure.parse().expect("a number")).collect()
    }

    /// Starts one of our scripts.
    pub fn start(&self, script: &str, args: &[&str]) -> Script {
        let mut child = Command::new(&self.program)
            .arg(folder().join(script))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python");
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        Script { child, lines }
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A script that runs; it ends when its input does, which is when this is dropped.
pub struct Script {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Script {
    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("its output");
        assert!(read > 0, "the script ended too early; what it said is above");
        line.trim().to_owned()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // One that does not look at its input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
