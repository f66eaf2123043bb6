//! Knowing whether the core is there, and getting it back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{CallError, Transport, Trouble};

/// How long the core may take to show that it is there at all; less when no call may take that long.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A core that was there for less than this, this many times in a row, is left alone for a while: each time costs it
/// its schema.
const BRIEF: Duration = Duration::from_secs(1);
const BRIEF_TIMES: u32 = 3;

/// For how long, at first; longer each time, eight times as long at most.
const BRIEF_REST: Duration = Duration::from_millis(100);

/// How often it is said that the core is still awaited.
const REMIND: Duration = Duration::from_secs(30);

/// Whether a new connection can be used; the error says why not, and it is tried again.
pub type Verified = Result<(), String>;

/// Looks at the schema of a core that was reached, given as the bytes of the answer of `GetSchema`, or the error with
/// which it was not told. Nobody is told that the core is up before this is done.
pub type Verify = Box<dyn Fn(Result<Bytes, CallError>) -> BoxFuture<'static, Verified> + Send + Sync>;

/// What is known of the connection.
#[derive(Clone, Debug)]
pub enum LinkState {
    /// The core was not reached yet.
    Connecting {
        /// Since when it is tried.
        since: Instant,
        /// How often it was tried.
        attempts: u64,
        /// Why the last attempt failed.
        last_error: Option<String>,
    },
    /// The core is there, and its schema is known.
    Up {
        /// How often the core was reached. When it grew, it may be another core: what was read may be outdated.
        generation: u64,
    },
    /// The core was there, and is not now.
    Down {
        /// Since when.
        since: Instant,
        /// Why, as found last.
        error: String,
    },
}

impl LinkState {
    /// Whether calls have a chance.
    pub fn is_up(&self) -> bool {
        matches!(self, LinkState::Up { .. })
    }
}

/// Keeps a connection to a core: notices when it breaks, and makes another one. Ends with its last clone.
#[derive(Clone)]
pub struct Keeper(Arc<Task>);

struct Task {
    state: watch::Receiver<LinkState>,
    task: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeper {
    /// Starts to reach for the core. Must be called in a tokio runtime.
    pub fn new(transport: Transport, verify: Verify) -> Self {
        let since = Instant::now();
        let (told, state) = watch::channel(LinkState::Connecting { since, attempts: 0, last_error: None });
        let keeping = Keeping { transport, verify, told, generation: 0 };
        // What it says belongs to who asked for the connection.
        let task = tokio::spawn(keeping.run().instrument(tracing::Span::current()));
        Keeper(Arc::new(Task { state, task }))
    }

    /// What is known now.
    pub fn state(&self) -> LinkState {
        self.0.state.borrow().clone()
    }

    /// What is known now, and all that changes.
    pub fn watch(&self) -> watch::Receiver<LinkState> {
        self.0.state.clone()
    }

    /// Waits until the core is there, and gives its generation.
    pub async fn up(&self) -> u64 {
        let mut states = self.watch();
        loop {
            if let LinkState::Up { generation } = *states.borrow_and_update() {
                return generation;
            }
            if states.changed().await.is_err() {
                // The runtime is stopping.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A connection on which the core is there.
struct Reached {
    /// Its number.
    connection: u64,
    /// What went wrong since it was looked for.
    trouble: watch::Receiver<Trouble>,
}

struct Keeping {
    transport: Transport,
    verify: Verify,
    told: watch::Sender<LinkState>,
    generation: u64,
}

impl Keeping {
    async fn run(mut self) {
        // How often in a row it was gone as soon as it was there.
        let mut brief = 0;
        loop {
            let reached = self.reach().await;
            let since = Instant::now();
            let error = self.watch_over(reached).await;
            brief = if since.elapsed() < BRIEF { brief + 1 } else { 0 };
            tracing::warn!(
                endpoint = self.transport.endpoint(),
                reason = error,
                "the core is away; reconnecting"
            );
            self.told.send_replace(LinkState::Down { since: Instant::now(), error });
            if brief > BRIEF_TIMES {
                tokio::time::sleep(BRIEF_REST * (brief - BRIEF_TIMES).min(8)).await;
            }
        }
    }

    /// Tries until the core is there.
    async fn reach(&mut self) -> Reached {
        let endpoint = self.transport.endpoint();
        let delays = || {
            ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(50))
                .with_max_delay(Duration::from_millis(700))
                .with_jitter()
                .without_max_times()
                .build()
        };
        let (since, mut delays, mut attempts) = (Instant::now(), delays(), 0);
        let mut said: Option<Instant> = None;
        loop {
            attempts += 1;
            let error = match self.attempt().await {
                Ok(reached) => {
                    self.generation += 1;
                    let after = format!("{:.1} s", since.elapsed().as_secs_f32());
                    tracing::info!(endpoint, attempts, after, "connected to the core");
                    self.told.send_replace(LinkState::Up { generation: self.generation });
                    return reached;
                }
                Err(error) => error,
            };
            if said.is_none_or(|said| said.elapsed() >= REMIND) {
                let waiting = format!("{:.1} s", since.elapsed().as_secs_f32());
                tracing::warn!(endpoint, attempts, waiting, reason = error, "waiting for the core");
                said = Some(Instant::now());
            }
            self.told.send_modify(|state| match state {
                LinkState::Connecting { attempts: told, last_error, .. } => {
                    (*told, *last_error) = (attempts, Some(error));
                }
                LinkState::Down { error: told, .. } => *told = error,
                LinkState::Up { .. } => (),
            });
            tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
        }
    }

    async fn attempt(&self) -> Result<Reached, String> {
        // What was told before is answered by this attempt.
        let trouble = self.transport.0.trouble.subscribe();
        // A dead peer is found out sooner by a small question.
        let within = SIGN_OF_LIFE.min(self.transport.options().call_deadline);
        if let Err(error) = self.transport.sign_of_life(within).await
            && error.is_connection()
        {
            return Err(error.to_string());
        }
        let connection = self.transport.connections();
        match self.transport.schema_at_once().await {
            Err(error) if error.is_connection() => Err(error.to_string()),
            schema => match AssertUnwindSafe((self.verify)(schema)).catch_unwind().await {
                Ok(outcome) => outcome.map(|()| Reached { connection, trouble }),
                Err(_) => Err("looking at the core's schema panicked: this is a bug".to_owned()),
            },
        }
    }

    /// Waits until the connection is of no use any more, and tells why.
    async fn watch_over(&self, Reached { connection, mut trouble }: Reached) -> String {
        let mut connections = self.transport.watch_connections();
        let broken = async {
            loop {
                if trouble.changed().await.is_err() {
                    return "the connection is broken".to_owned();
                }
                if let Trouble { at, error: Some(error), .. } = &*trouble.borrow_and_update()
                    && *at >= connection
                {
                    return error.to_string();
                }
            }
        };
        let other = connections.wait_for(|now| now.opened != connection || now.open == 0);
        tokio::select! {
            biased;
            error = broken => error,
            found = other => match found.as_deref() {
                Ok(now) if now.open == 0 => "the connection was closed".to_owned(),
                _ => "the connection was replaced by another one".to_owned(),
            },
        }
    }
}
