//! Reads that several callers want at the same time are made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use http::uri::PathAndQuery;

use super::transport::{CallError, CallKind, CallMeta, Transport};

/// The reads of one client.
///
/// Hundreds of steps that start together often read the same object, their owner. A read that waits for a free place
/// is shared by all who ask for the same; one that is under way is not: what it answers may be older than what its
/// caller knows already, such as its own write.
#[derive(Clone)]
pub(crate) struct Reads(Arc<Inner>);

struct Inner {
    transport: Transport,
    /// Those that wait for a free place.
    waiting: Mutex<HashMap<Question, WeakShared<Answering>>>,
}

type Question = (PathAndQuery, Bytes);
type Answer = Result<Bytes, CallError>;
type Answering = BoxFuture<'static, Answer>;

impl Reads {
    pub(crate) fn new(transport: Transport) -> Self {
        Reads(Arc::new(Inner { transport, waiting: Mutex::default() }))
    }

    /// The core's answer to this question.
    ///
    /// # Cancellation
    ///
    /// Dropping the future takes nothing away from others that share the read.
    pub(crate) async fn ask(&self, path: &PathAndQuery, body: Bytes, kind: CallKind) -> Answer {
        self.waiting_for((path.clone(), body), kind).await
    }

    fn waiting_for(&self, question: Question, kind: CallKind) -> Shared<Answering> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = waiting.get(&question).and_then(WeakShared::upgrade) {
            return shared;
        }
        let place = Place { inner: self.0.clone(), question: question.clone() };
        let answering: Answering = async move {
            // Left when the read is made, or when nobody waits for it any more.
            let transport = place.inner.transport.clone();
            let (path, body) = place.question.clone();
            let meta = CallMeta { authenticated: true, ..CallMeta::default() };
            transport.call_telling(path, body, meta, kind, move || drop(place)).await
        }
        .boxed();
        let shared = answering.shared();
        if let Some(weak) = shared.downgrade() {
            waiting.insert(question, weak);
        }
        shared
    }
}

/// A read's place among those that wait.
struct Place {
    inner: Arc<Inner>,
    question: Question,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.question);
    }
}
