//! People, and what they may do.

use std::fmt;

use crate::models::{Site, XosBase};
use crate::{Link, ObjectId, Origin, Timestamp, XosModel};

/// Somebody who uses XOS. Unlike all others it does not inherit from [`XosBase`](crate::models::XosBase): it has
/// its own numbers for the same bookkeeping.
#[derive(XosModel, Clone, PartialEq)]
#[xos(app_label = "core", policy = "user_policy", crate = crate)]
pub struct User {
    #[doc(hidden)]
    #[xos(origin)]
    pub __origin: Origin,
    /// The id that the core gave it, unset before it was created
    #[xos(id)]
    pub id: ObjectId,
    /// The e-mail address, by which somebody logs in
    #[xos(number = 2, max_length = 256, index, tosca_key)]
    pub email: String,
    /// The name to log in with; the e-mail address when empty
    #[xos(number = 3, default = "Something", max_length = 256, stripped)]
    pub username: String,
    /// The password, hashed by the core
    #[xos(number = 4, default = "Something", max_length = 256)]
    pub password: String,
    /// When they last logged in
    #[xos(number = 5)]
    pub last_login: Option<Timestamp>,
    /// The given name
    #[xos(number = 6, max_length = 200, stripped)]
    pub firstname: String,
    /// The family name
    #[xos(number = 7, max_length = 200, stripped)]
    pub lastname: String,
    /// The phone number
    #[xos(number = 8, max_length = 100, stripped)]
    pub phone: Option<String>,
    /// A page about them
    #[xos(number = 9, max_length = 200, url)]
    pub user_url: Option<String>,
    /// The site they belong to
    #[xos(number = 10, reverse = "users", reverse_number = 1001, index)]
    pub site: Link<Site>,
    /// The SSH public key
    #[xos(number = 11, text)]
    pub public_key: Option<String>,
    /// Whether they may log in
    #[xos(number = 12, default = true)]
    pub is_active: bool,
    /// Whether they may do everything
    #[xos(number = 13, default = false)]
    pub is_admin: bool,
    /// Whether they may use the administration pages
    #[xos(number = 14, default = true)]
    pub is_staff: bool,
    /// Whether they may only look
    #[xos(number = 15, default = false)]
    pub is_readonly: bool,
    /// Whether they have not finished to register
    #[xos(number = 16, default = false)]
    pub is_registering: bool,
    /// Whether they are a user of an application only
    #[xos(number = 17, default = false)]
    pub is_appuser: bool,
    /// The page shown after logging in
    #[xos(number = 18, max_length = 200, stripped)]
    pub login_page: Option<String>,
    /// When it was created
    #[xos(number = 19, auto_now_add, bookkeeping)]
    pub created: Timestamp,
    /// When somebody other than a synchronizer last changed it
    #[xos(number = 20, default = now)]
    pub updated: Timestamp,
    /// The version that was last synchronized, none before the first time
    #[xos(number = 21, default = none)]
    pub enacted: Option<Timestamp>,
    /// The version that policies last looked at, none before the first time
    #[xos(number = 22, default = none)]
    pub policed: Option<Timestamp>,
    /// How synchronization went, for people: `OK`, or the last errors
    #[xos(number = 23, default = "Provisioning in progress", max_length = 1024, stripped)]
    pub backend_status: String,
    /// How synchronization went: 0 in progress, 1 OK, 2 failed
    #[xos(number = 24, default = 0)]
    pub backend_code: i32,
    /// Whether it may exist in the outside world, so that `delete_record` must run before it is purged
    #[xos(number = 25, default = false)]
    pub backend_need_delete: bool,
    /// Whether it may be purged
    #[xos(number = 26, default = false)]
    pub backend_need_reap: bool,
    /// Whether it is soft-deleted
    #[xos(number = 27, default = false)]
    pub deleted: bool,
    /// Whether deleting it does nothing
    #[xos(number = 28, default = false)]
    pub write_protect: bool,
    /// Whether it waits for something before it may be synchronized
    #[xos(number = 29, default = false)]
    pub lazy_blocked: bool,
    /// Whether it is not to be synchronized
    #[xos(number = 30, default = false)]
    pub no_sync: bool,
    /// Whether policies are not to look at it
    #[xos(number = 31, default = false)]
    pub no_policy: bool,
    /// The time zone that times are shown in
    #[xos(number = 32, default = "America/New_York", max_length = 100)]
    pub timezone: String,
    /// How the last policy went, for people
    #[xos(number = 33, default = "0 - Policy in process", max_length = 1024)]
    pub policy_status: Option<String>,
    /// How the last policy went: 0 in progress, 1 done, 2 failed
    #[xos(number = 34, default = 0)]
    pub policy_code: Option<i32>,
    /// The name of its most specific model
    #[xos(number = 35, max_length = 1024, bookkeeping)]
    pub leaf_model_name: String,
    /// Whether a delete policy must run before it is purged
    #[xos(number = 36, default = false)]
    pub backend_need_delete_policy: bool,
    /// Whether XOS manages it, and not somebody else
    #[xos(number = 37, default = true, gui_hidden)]
    pub xos_managed: bool,
    /// What the outside world calls it
    #[xos(number = 38, max_length = 1024, feedback, gui_hidden)]
    pub backend_handle: Option<String>,
    /// When a step last made an important change
    #[xos(number = 39, default = none, gui_hidden)]
    pub changed_by_step: Option<Timestamp>,
    /// When a policy last made an important change
    #[xos(number = 40, default = none, gui_hidden)]
    pub changed_by_policy: Option<Timestamp>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password, hashed or not, is not for a log.
        f.debug_struct("User").field("id", &self.id).field("email", &self.email).finish_non_exhaustive()
    }
}

/// What somebody may do with an object.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", policy = "grant_policy", crate = crate)]
pub struct Privilege {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// The id of who may
    #[xos(number = 1)]
    pub accessor_id: i32,
    /// The model of who may, such as `User`
    #[xos(number = 2, max_length = 1024)]
    pub accessor_type: String,
    /// The id of the object
    #[xos(number = 4)]
    pub object_id: i32,
    /// The model of the object, such as `Slice`
    #[xos(number = 5, max_length = 1024)]
    pub object_type: String,
    /// What is allowed, such as `all` or `role:admin`
    #[xos(number = 6, default = "all", max_length = 1024, tosca_key)]
    pub permission: String,
    /// When it was granted
    #[xos(number = 7, auto_now_add, max_length = 1024)]
    pub granted: Timestamp,
    /// When it ends, none for never
    #[xos(number = 8, max_length = 1024)]
    pub expires: Option<Timestamp>,
}

/// A name for a set of permissions.
#[derive(XosModel, Clone, Debug, PartialEq)]
#[xos(app_label = "core", crate = crate)]
pub struct Role {
    /// What it inherits
    #[xos(base)]
    pub base: XosBase,
    /// What it is a role in, such as `site`
    #[xos(number = 1, max_length = 80, stripped)]
    pub role_type: String,
    /// Its name
    #[xos(number = 2, max_length = 80, stripped)]
    pub role: Option<String>,
    /// What it is, in a sentence
    #[xos(number = 3, max_length = 120, stripped)]
    pub description: Option<String>,
}
