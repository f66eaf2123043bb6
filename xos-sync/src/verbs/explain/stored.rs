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
    policed: Option<Timestamp>,
    changed_by_step: Option<Timestamp>,
    policy_code: i64,
    policy_status: String,
    no_policy: bool,
    need_delete_policy: bool,
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
            policed: time("policed"),
            changed_by_step: time("changed_by_step"),
            policy_code: record.get("policy_code").and_then(Value::as_int).unwrap_or(0),
            policy_status: text("policy_status"),
            no_policy: flag("no_policy"),
            need_delete_policy: flag("backend_need_delete_policy"),
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

    /// What policies said of it, and whether they have to look at it again.
    pub(super) fn policy(&self) -> Vec<String> {
        let mut lines = vec![format!("{} (code {})", self.policy_status, self.policy_code)];
        let stale = self.policed.is_none() || self.updated.max(self.changed_by_step) > self.policed;
        let why = match (self.is_deleted, self.policed) {
            (true, _) if self.need_delete_policy || stale => {
                Some("it was deleted, and waits for handle_delete")
            }
            (true, _) => Some("handle_delete has run"),
            (false, _) if self.no_policy => Some("no_policy is set: policies leave it alone"),
            (false, None) => Some("no policy has looked at it yet"),
            (false, Some(_)) if stale => Some("it was changed since policies looked at it"),
            (false, Some(_)) => None,
        };
        lines.extend(why.map(str::to_owned));
        lines
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
    fn what_policies_have_to_do() {
        let check = |values: &[(&'static str, Kind, Value)], expected: Option<&str>| {
            assert_eq!(stored(values).policy().get(1).map(String::as_str), expected);
        };
        let (updated, policed) = (("updated", Kind::Date, time(5.0)), ("policed", Kind::Date, time(5.0)));
        let flag = |name| (name, Kind::Bool, Value::Bool(true));
        check(std::slice::from_ref(&updated), Some("no policy has looked at it yet"));
        check(&[updated.clone(), policed.clone()], None);
        let by_step = ("changed_by_step", Kind::Date, time(7.0));
        let changed = Some("it was changed since policies looked at it");
        check(&[updated.clone(), policed.clone(), by_step], changed);
        let left_alone = Some("no_policy is set: policies leave it alone");
        check(&[updated.clone(), flag("no_policy")], left_alone);
        let deleted = [updated, policed, flag("deleted")];
        check(&deleted, Some("handle_delete has run"));
        let claimed = [deleted.as_slice(), &[flag("backend_need_delete_policy")]].concat();
        check(&claimed, Some("it was deleted, and waits for handle_delete"));
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
