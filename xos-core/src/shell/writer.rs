//! The thread that writes: what waits is made in one transaction.

use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};
use xos_model_client::{Error, ErrorKind, Result, Write, Written};

use super::closed;
use crate::store::{Outcome, Store, store_error};

/// How many calls may wait. A caller that finds no place waits for one.
const WAITING: usize = 256;

/// A transaction takes no more calls when it has this many writes.
const WRITES_AT_ONCE: usize = 1024;

enum Job {
    Write(Vec<Write>, oneshot::Sender<Vec<Result<Written>>>),
    Run(Box<dyn FnOnce(&mut Store) + Send>),
}

/// The way to the thread that writes.
pub(crate) struct Writer {
    /// `None` when the core was closed.
    jobs: RwLock<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(store: Store) -> Result<Self> {
        let (sender, jobs) = mpsc::channel(WAITING);
        let path = store.db.path.clone();
        let thread =
            std::thread::Builder::new().name("xos-core-writer".to_owned()).spawn(|| work(store, jobs));
        let thread = thread.map_err(|error| {
            store_error(&path, format!("cannot be served: no thread could be started ({error})"), None)
        })?;
        Ok(Writer { jobs: RwLock::new(Some(sender)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written>> {
        let count = writes.len();
        let all = |error: fn() -> Error| (0..count).map(|_| Err(error())).collect();
        let (answer, answered) = oneshot::channel();
        let Some(jobs) = self.jobs() else { return all(closed) };
        if jobs.send(Job::Write(writes, answer)).await.is_err() {
            return all(closed);
        }
        drop(jobs);
        match answered.await {
            Ok(answers) => answers,
            Err(_) => all(lost),
        }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Run(Box::new(move |store| {
            let result = work(store).map_err(|fault| store.told(fault));
            // Who asked may have gone.
            let _ = answer.send(result);
        }));
        let jobs = self.jobs().ok_or_else(closed)?;
        jobs.send(job).await.map_err(|_| closed())?;
        drop(jobs);
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// A way to ask for what is to be done from time to time; it does not keep the thread.
    #[cfg(feature = "postgres")]
    pub(super) fn housekeeper(&self) -> Housekeeper {
        Housekeeper(self.jobs().map(|jobs| jobs.downgrade()))
    }

    fn jobs(&self) -> Option<mpsc::Sender<Job>> {
        self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes no more jobs, and waits until those that were accepted are done.
    pub(super) fn close(&self) {
        drop(self.jobs.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the database panicked; this is a bug, please report it");
        }
    }
}

/// Asks the thread that writes to look for what other servers left undone.
#[cfg(feature = "postgres")]
pub(super) struct Housekeeper(Option<mpsc::WeakSender<Job>>);

#[cfg(feature = "postgres")]
impl Housekeeper {
    pub(super) fn ask(&self) {
        let Some(jobs) = self.0.as_ref().and_then(mpsc::WeakSender::upgrade) else { return };
        let job = Job::Run(Box::new(|store| {
            if let Err(fault) = store.keep_house() {
                store.warn(fault);
            }
        }));
        // When so much waits that there is no place, it is asked again later.
        let _ = jobs.try_send(job);
    }
}

fn lost() -> Error {
    ErrorKind::OutcomeUnknown { reason: "the thread that writes the database ended".to_owned() }.into()
}

fn work(mut store: Store, mut jobs: mpsc::Receiver<Job>) {
    let mut reaper_rests = false;
    loop {
        // With nothing else to do, what is left to purge is purged, a transaction at a time.
        let job = if store.has_candidates() && store.reaps() && !reaper_rests {
            match jobs.try_recv() {
                Ok(job) => Some(job),
                Err(mpsc::error::TryRecvError::Empty) => {
                    reaper_rests = !store.reap_or_warn(Store::reap_some);
                    continue;
                }
                Err(mpsc::error::TryRecvError::Disconnected) => None,
            }
        } else {
            jobs.blocking_recv()
        };
        let Some(job) = job else { return };
        reaper_rests = false;
        let next = match job {
            Job::Write(writes, answer) => write(&mut store, &mut jobs, writes, answer),
            run @ Job::Run(_) => Some(run),
        };
        if let Some(Job::Run(run)) = next {
            run(&mut store);
        }
    }
}

/// Makes all writes that wait in one transaction. Gives back a job of another kind that came after them.
fn write(
    store: &mut Store,
    jobs: &mut mpsc::Receiver<Job>,
    writes: Vec<Write>,
    answer: oneshot::Sender<Vec<Result<Written>>>,
) -> Option<Job> {
    let mut count = writes.len();
    let (mut calls, mut to) = (vec![writes], vec![answer]);
    let mut next = None;
    while count < WRITES_AT_ONCE {
        match jobs.try_recv() {
            Ok(Job::Write(writes, answer)) => {
                count += writes.len();
                calls.push(writes);
                to.push(answer);
            }
            Ok(run) => {
                next = Some(run);
                break;
            }
            Err(_) => break,
        }
    }
    let answers = store.write_group(calls);
    if store.reaps() {
        // Before the answer, so that who deleted an object that may go finds it gone, as when all is inline.
        store.reap_or_warn(Store::reap_some);
    }
    for (answers, to) in answers.into_iter().zip(to) {
        // Who asked may have gone; the writes stay made.
        let _ = to.send(answers);
    }
    next
}
