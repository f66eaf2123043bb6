//! A connection to PostgreSQL with a synchronous face.
//!
//! Each connection drives a runtime of its own on the thread that uses it: a statement costs one way to the server
//! and back, and no change of threads. So it may be used on threads of the store only, never on an async worker.

mod values;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use futures_util::future::join;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Client, Row, SimpleQueryMessage, Statement};

pub(super) use self::values::stored;
use super::target::Target;
use super::{Sql, SqlError, dialect};
use crate::store::quoted;

/// How many statements a connection keeps prepared.
const STATEMENTS: usize = 512;

/// How long the answer to one statement may take.
const ANSWER: Duration = Duration::from_secs(60);

/// How long a commit whose answer was lost is asked for.
const DECIDE: Duration = Duration::from_secs(10);

/// A connection, or the way to a new one when it broke.
pub(crate) struct Postgres {
    target: Arc<Target>,
    /// Always there but while this is dropped.
    runtime: Option<Runtime>,
    link: RefCell<Option<Link>>,
    /// Statements that go out together with the next one.
    later: RefCell<String>,
    state: Cell<State>,
    /// What other connections told on the channel, when this one listens.
    heard: Arc<Heard>,
}

struct Link {
    client: Client,
    /// The number of the server's process at the other end.
    backend: i32,
    /// By their text before it was translated.
    statements: HashMap<Box<str>, Statement>,
}

#[derive(Copy, Clone, Debug, PartialEq)]
enum State {
    Idle,
    InTransaction,
    /// An error ended the transaction; it can only be rolled back.
    Failed,
}

/// What a connection heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) something: Notify,
    /// The backend that is not listened to: the own one that writes.
    pub(crate) own: AtomicI32,
}

impl Postgres {
    /// Connects.
    pub(crate) fn connect(target: Arc<Target>) -> Result<Self, SqlError> {
        let postgres = Self::later_connected(target, Arc::default())?;
        postgres.reconnect()?;
        Ok(postgres)
    }

    /// One that connects when it is used.
    pub(crate) fn later_connected(target: Arc<Target>, heard: Arc<Heard>) -> Result<Self, SqlError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| SqlError::Away(format!("no connection can be driven: {error}")))?;
        Ok(Postgres {
            target,
            runtime: Some(runtime),
            link: RefCell::new(None),
            later: RefCell::default(),
            state: Cell::new(State::Idle),
            heard,
        })
    }

    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// Runs a future on this connection's runtime.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, SqlError> {
        let runtime = self.runtime.as_ref().ok_or_else(broken)?;
        Ok(runtime.block_on(future))
    }

    /// Makes a new connection in the place of this one.
    pub(crate) fn reconnect(&self) -> Result<(), SqlError> {
        self.let_go();
        let target = &self.target;
        let heard = self.heard.clone();
        let limit = target.config.get_connect_timeout().copied().unwrap_or(ANSWER) * 2;
        let connecting = async {
            let (client, mut connection) = target.config.connect(target.tls.clone()).await?;
            tokio::spawn(async move {
                while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                    if let AsyncMessage::Notification(told) = message
                        && told.process_id() != heard.own.load(Ordering::Relaxed)
                    {
                        heard.something.notify_one();
                    }
                }
                heard.something.notify_one();
            });
            let told = client.simple_query(&session(&target.schema)).await?;
            let backend = last_value(&told).and_then(|pid| pid.parse().ok()).unwrap_or(0);
            Ok::<_, SqlError>((client, backend))
        };
        let client = self.wait(async { tokio::time::timeout(limit, connecting).await })?;
        let (client, backend) =
            client.map_err(|_| SqlError::Away("timeout waiting for server".to_owned()))??;
        *self.link.borrow_mut() = Some(Link { client, backend, statements: HashMap::new() });
        Ok(())
    }

    /// Whether the connection is known to be broken.
    pub(crate) fn is_broken(&self) -> bool {
        self.link.borrow().as_ref().is_none_or(|link| link.client.is_closed())
    }

    fn let_go(&self) {
        *self.link.borrow_mut() = None;
        self.later.borrow_mut().clear();
        self.state.set(State::Idle);
    }

    /// Whether a transaction is open and can be committed.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.state.get() == State::InTransaction
    }

    /// Whether no transaction is open, not even one that failed.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.get() == State::Idle
    }

    /// Begins a transaction with these statements and reads the first rows in it: one way to the server and back.
    /// Nothing was done yet, so a connection that broke meanwhile is replaced.
    pub(crate) fn begin(&self, begin: &str, first: &str) -> Result<Vec<Row>, SqlError> {
        if self.state.get() != State::Idle {
            // A panic left it open.
            self.rollback();
        }
        if self.is_broken() {
            self.reconnect()?;
        }
        for last in [false, true] {
            begin.clone_into(&mut self.later.borrow_mut());
            self.state.set(State::InTransaction);
            match self.query(first, []) {
                Ok(rows) => return Ok(rows),
                Err(error) if self.is_broken() && !last => {
                    tracing::debug!(database = %self.target.name, %error, "connecting again");
                    self.reconnect()?;
                }
                Err(error) => {
                    self.rollback();
                    return Err(error);
                }
            }
        }
        Err(broken())
    }

    /// Runs one statement, with those that waited for it, and gives its rows.
    pub(crate) fn query<'p>(
        &self,
        sql: &str,
        params: impl IntoIterator<Item = Sql<'p>>,
    ) -> Result<Vec<Row>, SqlError> {
        let params: Vec<Sql<'p>> = params.into_iter().collect();
        if params.iter().any(|param| matches!(param, Sql::Text(text) if text.contains('\0'))) {
            return Err(SqlError::Nul);
        }
        let later = std::mem::take(&mut *self.later.borrow_mut());
        let answer = {
            let mut link = self.link.borrow_mut();
            let Link { client, statements, .. } = link.as_mut().ok_or_else(broken)?;
            let first = async { if later.is_empty() { Ok(()) } else { client.batch_execute(&later).await } };
            let known = statements.get(sql).cloned();
            let answer = async {
                let rows = async |statement: &Statement| {
                    let found = client.query_raw(statement, params).await?;
                    found.try_collect::<Vec<Row>>().await
                };
                if let Some(statement) = known {
                    let (first, rows) = join(first, rows(&statement)).await;
                    first.and(rows)
                } else {
                    let (first, statement) = join(first, client.prepare(&dialect::translate(sql))).await;
                    let statement = first.and(statement)?;
                    if statements.len() >= STATEMENTS {
                        statements.clear();
                    }
                    statements.insert(sql.into(), statement.clone());
                    rows(&statement).await
                }
            };
            self.wait(in_time(answer))?
        };
        self.looked_at(answer)
    }

    /// Runs statements in PostgreSQL's own words, with those that waited for them.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), SqlError> {
        let mut text = std::mem::take(&mut *self.later.borrow_mut());
        text.push_str(sql);
        let answer = {
            let link = self.link.borrow();
            let link = link.as_ref().ok_or_else(broken)?;
            // Without a limit: making an index takes what it takes.
            self.wait(async { link.client.batch_execute(&text).await.map_err(SqlError::from) })?
        };
        self.looked_at(answer)
    }

    /// Sends a statement with the next one.
    pub(crate) fn later(&self, sql: &str) {
        if sql.starts_with("ROLLBACK TO") && self.state.get() == State::Failed {
            self.state.set(State::InTransaction);
        }
        let mut later = self.later.borrow_mut();
        later.push_str(sql);
        later.push_str("; ");
    }

    /// Commits, after these last statements.
    ///
    /// # Errors
    ///
    /// What the server says, then nothing was stored; or that it is away, then it may have been.
    pub(crate) fn commit(&self, last: &str) -> Result<(), SqlError> {
        if self.state.get() == State::Failed {
            // Asked to commit, the server would roll back and call that a success.
            return Err(SqlError::Server {
                code: "25P02".to_owned(),
                message: "a statement of the transaction failed".to_owned(),
                constraint: None,
            });
        }
        let mut text = std::mem::take(&mut *self.later.borrow_mut());
        text.push_str(last);
        text.push_str("COMMIT");
        let answer = {
            let link = self.link.borrow();
            let link = link.as_ref().ok_or_else(broken)?;
            self.wait(in_time(async { link.client.batch_execute(&text).await }))?
        };
        self.looked_at(answer)?;
        self.state.set(State::Idle);
        Ok(())
    }

    /// Ends a transaction that only read. The answer is not waited for: nothing depends on it.
    pub(crate) fn end_read(&self) {
        if self.state.get() == State::Failed {
            return self.rollback();
        }
        self.later.borrow_mut().clear();
        self.state.set(State::Idle);
        let link = self.link.borrow();
        let Some(link) = link.as_ref() else { return };
        let _ = self.wait(async {
            let mut end = std::pin::pin!(link.client.batch_execute("COMMIT"));
            poll_fn(|context| {
                let _ = end.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
            // The task of the connection sends it now.
            tokio::task::yield_now().await;
        });
    }

    /// Takes back all that the transaction did.
    pub(crate) fn rollback(&self) {
        self.later.borrow_mut().clear();
        if self.state.replace(State::Idle) == State::Idle || self.is_broken() {
            return;
        }
        if self.batch("ROLLBACK").is_err() {
            self.let_go();
        }
    }

    /// Whether a transaction was committed whose answer was lost; `None` when that cannot be found out now.
    pub(crate) fn was_committed(&self, transaction: i64) -> Option<bool> {
        let until = Instant::now() + DECIDE;
        // The old connection holds the lock as long as it is at work: who has it sees what became of its transaction.
        let asked = format!("{}SELECT txid_status({transaction}); COMMIT", self.lock());
        loop {
            match self.reconnect().and_then(|()| self.told(&asked)) {
                Ok(told) if told == "committed" => return Some(true),
                Ok(told) if told == "aborted" => return Some(false),
                Ok(told) => {
                    tracing::debug!(database = %self.target.name, told, "a commit is not decided yet");
                }
                Err(error) => {
                    tracing::debug!(database = %self.target.name, %error, "a commit cannot be asked for yet");
                }
            }
            if Instant::now() >= until {
                self.let_go();
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The statements that begin a transaction which writes: one at a time in all servers, so that the numbers of
    /// changes become visible in their order.
    pub(crate) fn lock(&self) -> String {
        format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK}, {}); ", self.target.number())
    }

    /// Listens on the channel, but not to a backend of this process.
    pub(crate) fn listen(&self) -> Result<(), SqlError> {
        self.batch(&format!("LISTEN {}", self.target.channel()))
    }

    /// The number of the server's process that serves this connection.
    pub(crate) fn backend(&self) -> i32 {
        self.link.borrow().as_ref().map_or(0, |link| link.backend)
    }

    /// The last value that statements tell.
    pub(crate) fn told(&self, sql: &str) -> Result<String, SqlError> {
        let answer = {
            let link = self.link.borrow();
            let link = link.as_ref().ok_or_else(broken)?;
            self.wait(in_time(link.client.simple_query(sql)))?
        };
        let told = self.looked_at(answer)?;
        Ok(last_value(&told).unwrap_or_default().to_owned())
    }

    pub(crate) fn forget_statements(&self) {
        if let Some(link) = self.link.borrow_mut().as_mut() {
            link.statements.clear();
        }
    }

    /// Notes what an answer means for the transaction and the connection.
    fn looked_at<T>(&self, answer: Result<T, SqlError>) -> Result<T, SqlError> {
        let Err(error) = &answer else { return answer };
        let ended = matches!(error, SqlError::Away(_))
            || error
                .code()
                .is_some_and(|code| code.starts_with("57P") || code.starts_with("08") || code == "25P03");
        if ended || self.is_broken() {
            self.let_go();
        } else if self.state.get() == State::InTransaction {
            self.state.set(State::Failed);
        }
        answer
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.let_go();
        if let Some(runtime) = self.runtime.take() {
            // Dropped where waiting is not allowed, it would panic.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({})", self.target.name)
    }
}

/// The first half of the number of our locks: "XOSC".
const LOCK: i32 = 0x584F_5343;

fn broken() -> SqlError {
    SqlError::Away("connection closed".to_owned())
}

async fn in_time<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, SqlError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(SqlError::Away(format!("no answer within {} s", ANSWER.as_secs()))),
    }
}

fn last_value(told: &[SimpleQueryMessage]) -> Option<&str> {
    told.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}

/// What each session is set to, whatever the server's or the user's defaults are.
fn session(schema: &str) -> String {
    format!(
        "SET search_path TO {}; SET standard_conforming_strings TO on; SET jit TO off; \
         SET default_transaction_isolation TO 'read committed'; SET lock_timeout TO '30s'; \
         SET idle_in_transaction_session_timeout TO '60s'; SET client_min_messages TO warning; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SELECT pg_backend_pid()",
        quoted(schema)
    )
}
