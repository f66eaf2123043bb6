//! The embedded core on a file, served over gRPC on the loopback network, in a process of its own: for B6.
//!
//! It is told what to do by lines: `edit COUNT GAP_US` edits sites one after the other, as somebody at a command line
//! would; `settle` answers when no site is dirty; `changes` answers with the number of changes so far, which every write
//! makes one more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use xos_core::server::{Accounts, Server};
use xos_sync::model_client::ModelAccessor;

use crate::cores::{any_dirty, edit, embedded_on};
use crate::ours::runtime;

/// The first argument of the process that serves.
pub const COMMAND: &str = "serve-a-core";

/// The administrator of the served core.
pub const USER: &str = "admin@opencord.org";

/// Its password.
pub const PASSWORD: &str = "a core of a benchmark";

/// Serves this many sites until nobody wants them any more.
pub fn serve(count: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    runtime().block_on(async {
        let core = embedded_on(&folder.path().join("served.db"), count).await;
        Accounts::first_start(&core, Some(PASSWORD.into())).await.expect("an administrator");
        let server = Server::new(core.as_ref().clone()).tcp(([127, 0, 0, 1], 0).into()).allow_plaintext();
        let server = server.start().await.expect("a server");
        say(&server.tcp_address().expect("an address").to_string());
        let (told, mut lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin().lines().map_while(Result::ok).all(|line| told.send(line).is_ok());
        });
        while let Some(line) = lines.recv().await {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["edit", how_many, gap] => {
                    let number = |word: &str| word.parse::<u64>().expect("a number");
                    edits(core.as_ref(), number(how_many) as usize, count, number(gap)).await;
                    say("edited");
                }
                ["settle"] => {
                    settle(core.as_ref()).await;
                    say("settled");
                }
                ["changes"] => say(&core.cursor().await.expect("a cursor").0.to_string()),
                _ => panic!("unknown command {line}"),
            }
        }
    });
}

fn say(what: &str) {
    println!("{what}");
    std::io::stdout().flush().expect("somebody listens");
}

/// Edits sites in turn; each edit has the time when it was made in it.
async fn edits(core: &dyn ModelAccessor, how_many: usize, count: usize, gap: u64) {
    for number in 0..how_many {
        edit(core, &[number % count + 1], &micros_now().to_string()).await;
        if gap > 0 {
            tokio::time::sleep(Duration::from_micros(gap)).await;
        }
    }
}

/// Microseconds since 1970, the same in every process of this machine.
pub fn micros_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Waits until no site is dirty.
async fn settle(core: &dyn ModelAccessor) {
    let mut feed = core.feed(core.cursor().await.expect("a cursor"), &[]);
    while any_dirty(core).await {
        feed.next().await;
    }
}

/// A process that serves a core; it ends when this is dropped.
pub struct Served {
    child: Child,
    told: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    /// Where it is served.
    pub endpoint: String,
}

impl Served {
    /// With this many sites, all dirty.
    pub fn start(count: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([COMMAND, &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let told = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("its output"));
        let mut served = Served { child, told, lines, endpoint: String::new() };
        served.endpoint = format!("http://{}", served.line());
        served
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("its output");
        assert!(read > 0, "the core ended too early; what it said is above");
        line.trim().to_owned()
    }

    /// Tells it something, and waits for the answer. It blocks.
    pub fn ask(&mut self, what: &str) -> String {
        let told = self.told.as_mut().expect("its input");
        writeln!(told, "{what}").expect("its input");
        self.line()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.told.take());
        let _ = self.child.wait();
    }
}
