//! What the stored fields of an object say about its synchronization.

use xos_model_client::{Record, Timestamp, Value};

use crate::shell::{Failures, failures};

/// What is stored of an object's synchronization.
pub(super) struct Stored {
    code: i64,
    status: String,
    updated: Option<Timestamp>,
    changed_by_policy: Option<Timestamp>,
    enacted: Option<Timestamp>,
    is_deleted: bool,
    no_sync: bool,
    lazy_blocked: bool,
    failures: Failures,
}

impl Stored {
    pub(super) fn of(record: &Record) -> Self {
        let text = |name: &str| record.get(name).and_then(Value::as_text).unwrap_or_default().to_owned();
        let flag = |name: &str| record.get(name).and_then(Value::as_bool).unwrap_or(false);
        let time = |name: &str| record.get(name).and_then(Value::as_time).filter(|time| time.is_set());
        Stored {
            code: record.get("backend_code").and_then(Value::as_int).unwrap_or(0),
            status: text("backend_status"),
            updated: time("updated"),
            changed_by_policy: time("changed_by_policy"),
            enacted: time("enacted"),
            is_deleted: flag("deleted"),
            no_sync: flag("no_sync"),
            lazy_blocked: flag("lazy_blocked"),
            failures: failures(&text("backend_register")),
        }
    }

    /// Code and status, as they are stored.
    pub(super) fn status(&self) -> String {
        format!("{} (code {})", self.status, self.code)
    }

    /// Whether its last synchronization failed, and it is still to be done.
    pub(super) fn has_failed(&self) -> bool {
        self.code == 2 && (self.is_deleted || self.is_dirty())
    }

    fn is_dirty(&self) -> bool {
        self.updated.max(self.changed_by_policy) > self.enacted
    }

    /// Why it is to be synchronized, or not.
    pub(super) fn why(&self, is_taken: bool) -> Vec<String> {
        let mut why = Vec::new();
        if !is_taken {
            why.push("no step of this program takes it".to_owned());
        }
        if self.is_deleted {
            why.push("it was deleted, and waits for delete_record".to_owned());
            return why;
        }
        if self.no_sync {
            why.push("no_sync is set: it is left alone".to_owned());
        }
        if self.lazy_blocked {
            why.push("lazy_blocked is set: it is left alone".to_owned());
        }
        let changed = |at: Option<Timestamp>| at.filter(|at| Some(*at) > self.enacted);
        match (self.enacted, changed(self.updated), changed(self.changed_by_policy)) {
            (None, _, _) => why.push("it was never synchronized".to_owned()),
            (Some(enacted), None, None) => {
                why.push(format!(
                    "nothing is due: it was not changed after {enacted}, what was synchronized last"
                ));
            }
            (Some(enacted), updated, by_policy) => {
                let last = format!("after {enacted}, what was synchronized last");
                why.extend(updated.map(|at| format!("it was changed at {at}, {last}")));
                why.extend(by_policy.map(|at| format!("a policy changed it at {at}, {last}")));
            }
        }
        why
    }

    /// Its failures, and when it is tried again.
    pub(super) fn next(&self) -> Vec<String> {
        let Failures { count, last, next } = &self.failures;
        if *count == 0 || !(self.is_deleted || self.is_dirty()) {
            return Vec::new();
        }
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        let mut lines = vec![match last {
            Some(last) => format!("failed {times}, last at {last}"),
            None => format!("failed {times}"),
        }];
        lines.extend(next.map(|next| {
            let now = Timestamp::now();
            if next > now {
                let seconds = (next.seconds() - now.seconds()).ceil();
                format!("tried again at {next}, in {seconds} s")
            } else {
                format!("due since {next}: tried again as soon as a synchronizer runs")
            }
        }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use xos_model_client::{Kind, Shape, ShapeField};

    use super::*;

    fn stored(values: &[(&'static str, Kind, Value)]) -> Stored {
        let fields = values.iter().map(|(name, kind, _)| ShapeField { name: (*name).into(), kind: *kind });
        let shape = Arc::new(Shape::new("Site", fields));
        Stored::of(&Record::new(shape, values.iter().map(|(_, _, value)| value.clone()).collect()))
    }

    fn time(seconds: f64) -> Value {
        Value::Time(Timestamp::from_seconds(seconds))
    }

    #[test]
    fn the_reasons() {
        let check = |values: &[(&'static str, Kind, Value)], expected: &str| {
            let why = stored(values).why(true).join("; ");
            assert!(why.contains(expected), "expected {expected:?}: {why}");
        };
        let (updated, enacted) = (("updated", Kind::Date, time(5.0)), ("enacted", Kind::Date, time(5.0)));
        check(std::slice::from_ref(&updated), "never synchronized");
        check(&[updated.clone(), enacted.clone()], "nothing is due");
        check(&[("updated", Kind::Date, time(6.0)), enacted.clone()], "it was changed at");
        let policy = ("changed_by_policy", Kind::Date, time(7.0));
        check(&[updated.clone(), policy, enacted], "a policy changed it at");
        check(&[updated.clone(), ("no_sync", Kind::Bool, Value::Bool(true))], "no_sync is set");
        check(&[updated.clone(), ("lazy_blocked", Kind::Bool, Value::Bool(true))], "lazy_blocked is set");
        check(&[updated, ("deleted", Kind::Bool, Value::Bool(true))], "waits for delete_record");
        assert_eq!(stored(&[]).why(false)[0], "no step of this program takes it");
    }

    #[test]
    fn failures_are_counted_and_dated() {
        let register = |next: f64| {
            let text =
                format!(r#"{{"next_run": {next}, "exponent": 3, "failures": 3, "last_failure": 1.0}}"#);
            ("backend_register", Kind::Text, Value::Text(text))
        };
        let dirty = ("updated", Kind::Date, time(5.0));
        let past = stored(&[dirty.clone(), register(2.0)]).next();
        assert!(past[0].starts_with("failed 3 times, last at ") && past[1].contains("due since"), "{past:?}");
        let future = stored(&[dirty, register(Timestamp::now().seconds() + 1000.0)]).next();
        assert!(future[1].contains("tried again at"), "{future:?}");
        assert!(stored(&[register(2.0)]).next().is_empty(), "what is clean is not tried again");
    }
}
