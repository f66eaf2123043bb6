//! What a server was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tonic::Code;

/// One call as the server saw it.
#[derive(Clone, Debug)]
pub struct Called {
    /// The method, such as `/xos.xos/UpdateSite`.
    pub method: String,
    /// The metadata, without credentials.
    pub metadata: Vec<(String, String)>,
    /// The request message.
    pub request: Bytes,
    /// How it ended; `None` while it has no answer, and for ever when it hangs or was cut off.
    pub code: Option<Code>,
}

impl Called {
    /// A value of its metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// The names in `update_fields`, empty when it has none.
    pub fn update_fields(&self) -> Vec<&str> {
        self.metadata("update_fields").map(|names| names.split(',').collect()).unwrap_or_default()
    }
}

/// All that a server was asked, as far as it is kept.
#[derive(Debug)]
pub(crate) struct Journal {
    inner: Mutex<Inner>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Inner {
    calls: VecDeque<Called>,
    dropped: u64,
    counts: HashMap<String, usize>,
    in_flight: usize,
    most_in_flight: usize,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Journal { inner: Mutex::default(), limit }
    }

    /// A call came in; the answer is its number.
    pub(crate) fn begin(&self, called: Called) -> u64 {
        self.with(|inner| {
            *inner.counts.entry(called.method.clone()).or_default() += 1;
            inner.in_flight += 1;
            inner.most_in_flight = inner.most_in_flight.max(inner.in_flight);
            inner.calls.push_back(called);
            let number = inner.dropped + inner.calls.len() as u64 - 1;
            while inner.calls.len() > self.limit {
                inner.calls.pop_front();
                inner.dropped += 1;
            }
            number
        })
    }

    /// A call ended, with an answer or without.
    pub(crate) fn end(&self, number: u64, code: Option<Code>) {
        self.with(|inner| {
            inner.in_flight = inner.in_flight.saturating_sub(1);
            let at = number.checked_sub(inner.dropped).map(|at| at as usize);
            if let Some(called) = at.and_then(|at| inner.calls.get_mut(at)) {
                called.code = code;
            }
        });
    }

    pub(crate) fn calls(&self) -> Vec<Called> {
        self.with(|inner| inner.calls.iter().cloned().collect())
    }

    /// How often a method was called, with or without its service in the name.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.with(|inner| {
            let named = |path: &str| path == method || path.rsplit('/').next() == Some(method);
            inner.counts.iter().filter(|(path, _)| named(path)).map(|(_, count)| count).sum()
        })
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.with(|inner| inner.most_in_flight)
    }

    pub(crate) fn clear(&self) {
        self.with(|inner| {
            inner.dropped += inner.calls.len() as u64;
            inner.calls.clear();
            inner.counts.clear();
            inner.most_in_flight = inner.in_flight;
        });
    }

    fn with<T>(&self, what: impl FnOnce(&mut Inner) -> T) -> T {
        what(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
