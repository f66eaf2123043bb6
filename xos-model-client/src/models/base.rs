//! What all objects have in common.

use crate::{ObjectId, Origin, Timestamp, XosModel};

/// What all objects have in common: identity, bookkeeping and status.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(name = "XOSBase", app_label = "core", abstract, extensible, custom_python, crate = crate)]
pub struct XosBase {
    #[doc(hidden)]
    #[xos(origin)]
    pub __origin: Origin,
    /// The id that the core gave it, unset before it was created
    #[xos(id)]
    pub id: ObjectId,
    /// When it was created
    #[xos(number = 2, auto_now_add, bookkeeping)]
    pub created: Timestamp,
    /// When somebody other than a synchronizer last changed it
    #[xos(number = 3, default = now, bookkeeping)]
    pub updated: Timestamp,
    /// The version that was last synchronized, none before the first time
    #[xos(number = 4, default = none, bookkeeping)]
    pub enacted: Option<Timestamp>,
    /// The version that policies last looked at, none before the first time
    #[xos(number = 5, default = none, bookkeeping)]
    pub policed: Option<Timestamp>,
    /// The engine's scratchpad: failures and the time of the next try, as JSON
    #[xos(number = 6, default = "{}", max_length = 1024, feedback)]
    pub backend_register: Option<String>,
    /// Whether it may exist in the outside world, so that `delete_record` must run before it is purged
    #[xos(number = 7, default = false, bookkeeping)]
    pub backend_need_delete: bool,
    /// Whether it may be purged
    #[xos(number = 8, default = false, bookkeeping)]
    pub backend_need_reap: bool,
    /// How synchronization went, for people: `OK`, or the last errors
    #[xos(number = 9, default = "Provisioning in progress", max_length = 1024, feedback)]
    pub backend_status: String,
    /// How synchronization went: 0 in progress, 1 OK, 2 failed
    #[xos(number = 10, default = 0, feedback)]
    pub backend_code: i32,
    /// Whether it is soft-deleted
    #[xos(number = 11, default = false, bookkeeping)]
    pub deleted: bool,
    /// Whether deleting it does nothing
    #[xos(number = 12, default = false, bookkeeping)]
    pub write_protect: bool,
    /// Whether it waits for something before it may be synchronized
    #[xos(number = 13, default = false, bookkeeping)]
    pub lazy_blocked: bool,
    /// Whether it is not to be synchronized
    #[xos(number = 14, default = false, bookkeeping)]
    pub no_sync: bool,
    /// Whether policies are not to look at it
    #[xos(number = 15, default = false, bookkeeping)]
    pub no_policy: bool,
    /// How the last policy went, for people
    #[xos(number = 16, default = "Policy in process", max_length = 1024, feedback)]
    pub policy_status: Option<String>,
    /// How the last policy went: 0 in progress, 1 done, 2 failed
    #[xos(number = 17, default = 0, feedback)]
    pub policy_code: Option<i32>,
    /// The name of its most specific model
    #[xos(number = 18, max_length = 1024, bookkeeping)]
    pub leaf_model_name: String,
    /// Whether a delete policy must run before it is purged
    #[xos(number = 19, default = false, bookkeeping)]
    pub backend_need_delete_policy: bool,
    /// Whether XOS manages it, and not somebody else
    #[xos(number = 20, default = true, gui_hidden)]
    pub xos_managed: bool,
    /// What the outside world calls it
    #[xos(number = 21, max_length = 1024, feedback, gui_hidden)]
    pub backend_handle: Option<String>,
    /// When a step last made an important change
    #[xos(number = 22, default = none, bookkeeping, gui_hidden)]
    pub changed_by_step: Option<Timestamp>,
    /// When a policy last made an important change
    #[xos(number = 23, default = none, bookkeeping, gui_hidden)]
    pub changed_by_policy: Option<Timestamp>,
}
