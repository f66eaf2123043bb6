//! How an object stands.

use crate::models::XosBase;

impl XosBase {
    /// Whether the live object was synchronized as it is now: `backend_code` is 1, and nobody changed it since. In a step
    /// that needs it so, `ctx.wait_for(ready(&link))` waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use xos_model_client::models::Service;
    ///
    /// assert!(!Service::default().is_synced());
    /// ```
    pub fn is_synced(&self) -> bool {
        let changed = self.changed_by_policy.max(Some(self.updated));
        !self.deleted && self.backend_code == 1 && self.enacted.is_some() && self.enacted >= changed
    }

    /// Whether the policies of the live object looked at it as it is now, and succeeded: `policy_code` is 1.
    pub fn is_policed(&self) -> bool {
        let changed = self.changed_by_step.max(Some(self.updated));
        !self.deleted && self.policy_code == Some(1) && self.policed.is_some() && self.policed >= changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Timestamp;

    fn at(seconds: i32) -> Timestamp {
        Timestamp::from_seconds(f64::from(seconds))
    }

    #[test]
    fn what_changed_since_or_failed_or_is_deleted_is_not_synced() {
        let good = XosBase { updated: at(1), enacted: Some(at(1)), backend_code: 1, ..Default::default() };
        assert!(good.is_synced());
        let not = [
            XosBase { updated: at(2), ..good.clone() },
            XosBase { changed_by_policy: Some(at(2)), ..good.clone() },
            XosBase { enacted: None, ..good.clone() },
            XosBase { backend_code: 2, ..good.clone() },
            XosBase { deleted: true, ..good },
        ];
        assert!(not.iter().all(|base| !base.is_synced()));
    }

    #[test]
    fn what_a_step_changed_since_is_not_policed() {
        let good =
            XosBase { updated: at(1), policed: Some(at(1)), policy_code: Some(1), ..Default::default() };
        assert!(good.is_policed() && !XosBase { changed_by_step: Some(at(2)), ..good }.is_policed());
    }
}
