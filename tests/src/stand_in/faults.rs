//! What a test makes go wrong, by method.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tonic::{Code, Status};

/// What happens to a call instead of being answered.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is never answered; it has no effect.
    Hang,
    /// It has its effect, and is answered later.
    AnswerLate(Duration),
    /// It has no effect and fails with this.
    Fail(Code, String),
    /// It has its effect, and the connection is cut before the answer.
    CutAfter,
    /// It has no effect, and the connection is cut.
    CutBefore,
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    by_method: Mutex<HashMap<String, Planned>>,
}

#[derive(Debug, Default)]
struct Planned {
    /// Each for one call, in order.
    once: Vec<Fault>,
    /// For every other call.
    always: Option<Fault>,
}

impl Faults {
    pub(crate) fn always(&self, method: &str, fault: Fault) {
        self.with(|planned| planned.entry(method.to_owned()).or_default().always = Some(fault));
    }

    pub(crate) fn once(&self, method: &str, fault: Fault) {
        self.with(|planned| planned.entry(method.to_owned()).or_default().once.push(fault));
    }

    pub(crate) fn heal(&self, method: &str) {
        self.with(|planned| planned.remove(method));
    }

    /// What is to happen to a call of the method with this path; a fault for one call is used up.
    pub(crate) fn take(&self, path: &str) -> Option<Fault> {
        self.with(|planned| {
            let short = path.rsplit('/').next().unwrap_or(path);
            let key = if planned.contains_key(path) { path } else { short };
            let planned = planned.get_mut(key)?;
            if planned.once.is_empty() { planned.always.clone() } else { Some(planned.once.remove(0)) }
        })
    }

    fn with<T>(&self, what: impl FnOnce(&mut HashMap<String, Planned>) -> T) -> T {
        what(&mut self.by_method.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Fault {
    /// The status of a call that fails.
    pub(crate) fn status(code: Code, details: &str) -> Status {
        Status::new(code, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_with_or_without_its_service() {
        let faults = Faults::default();
        faults.always("/xos.xos/GetSite", Fault::Hang);
        faults.once("NoOp", Fault::CutAfter);
        assert!(matches!(faults.take("/xos.xos/GetSite"), Some(Fault::Hang)));
        assert!(matches!(faults.take("/xos.utility/NoOp"), Some(Fault::CutAfter)));
        assert!(faults.take("/xos.utility/NoOp").is_none());
        faults.heal("/xos.xos/GetSite");
        assert!(faults.take("/xos.xos/GetSite").is_none());
    }
}
