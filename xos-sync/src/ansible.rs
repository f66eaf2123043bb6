//! Steps that run an Ansible playbook: the modern form of `SyncInstanceUsingAnsible`.
//!
//! An [`AnsibleStep`] says which [`Playbook`] makes which [`Target`] match a record, and with what [`Attributes`]. The
//! engine does with it what it does with every step: order, retries, status, shutdown. The program `ansible-playbook`
//! (2.14 or later) runs as a child process.
//!
//! # What a playbook gets
//!
//! The fields of the record (a link `owner` as `owner_id`, many as `..._ids`; of the fields that all objects have, only
//! `id` and `backend_handle`), and
//!
//! | variable | what |
//! |---|---|
//! | `instance_name` | the host in the inventory: write `hosts: "{{ instance_name }}"` |
//! | `hostname`, `ssh_ip`, `username` | the host in between, else the target; the target's address; its user, or nothing |
//! | `ansible_tag` | what the object is called: `<Class>_<id>`, or its own field `ansible_tag` |
//! | `delete` | whether the object is being deleted |
//!
//! and the step's extra attributes, which win. They go to Ansible in a private file, never over the command line; Ansible
//! does not evaluate texts in them.
//!
//! # When it runs
//!
//! A hash of the rendered playbook, variables, inventory and of the names and times of the files beside the playbook is
//! kept in `sys_dir`. While it stays the same, a playbook that succeeded is not run again, also not after a restart;
//! unless the step says [`always_run`](AnsibleStep::always_run), or looks again after
//! [`requested_interval`](AnsibleStep::requested_interval). After a failure it always runs, and where `sys_dir` was lost.
//!
//! # How it ends
//!
//! A failed task or an unreachable host is a failure of the object, whatever the exit code; its text names host, task and
//! message. When the run is cancelled, takes too long, or the synchronizer goes away, even by `kill -9`, the child and all
//! that it started are told to end, and are killed after two seconds.
//!
//! # Examples
//!
//! ```
//! use xos_sync::prelude::*;
//!
//! /// Writes the name of each site to a file.
//! struct WriteName;
//!
//! impl AnsibleStep for WriteName {
//!     type Model = Site;
//!
//!     fn playbook(&self) -> Playbook {
//!         Playbook::text(
//!             r#"
//! - hosts: "{{ instance_name }}"
//!   gather_facts: no
//!   tasks:
//!   - name: write the name
//!     copy:
//!       content: "{% raw %}{{ name }}{% endraw %}"
//!       dest: "{{ folder }}/{{ id }}"
//! "#,
//!         )
//!         .named("write_name.yaml")
//!     }
//!
//!     fn on_delete(&self) -> OnDelete {
//!         OnDelete::Nothing
//!     }
//!
//!     async fn target(&self, _ctx: &Context, _o: &Site) -> StepResult<Target> {
//!         Ok(Target::local())
//!     }
//!
//!     async fn extra_attributes(&self, _ctx: &Context, _o: &Site) -> StepResult<Attributes> {
//!         Ok(Attributes::new().with("folder", "/tmp"))
//!     }
//! }
//!
//! let sites = Synchronizer::new("sites").ansible_step(WriteName);
//! ```

mod check;
mod folder;
mod inventory;
mod mask;
mod playbook;
mod prepare;
mod process;
mod results;
mod runner;
mod target;
mod template;
mod variables;

use std::future::Future;
use std::time::Duration;

use xos_model_client::Model;

pub use self::playbook::{OnDelete, Playbook};
pub(crate) use self::prepare::{Prepare, prepare};
pub use self::results::{Results, TaskResult, TaskStatus};
pub(crate) use self::runner::Runner;
pub use self::target::{HostKeys, Jump, Target};
pub use self::variables::Attributes;
use crate::context::Context;
use crate::step::StepResult;

/// Makes a host match one record of a model, by a playbook. See [the module](self).
///
/// # Guarantees
///
/// Those of [`SyncStep`](crate::SyncStep): it is one.
///
/// # Assumptions
///
/// A playbook may run twice for one change, as every step: write tasks that look at what is there, as Ansible's modules
/// do.
///
/// # Cancellation
///
/// A run that is cancelled or takes longer than `engine.step_deadline` or `ansible.deadline` is ended with all that it
/// started here. What it started on another host is up to that host.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step that runs a playbook",
    note = "implement `AnsibleStep` for it: a `Model`, `playbook`, `on_delete` and `target`"
)]
pub trait AnsibleStep: Sized + Send + Sync + 'static {
    /// The model whose records it takes, those of models that inherit from it included.
    type Model: Model;

    /// The playbook. It is looked at once at start, too.
    fn playbook(&self) -> Playbook;

    /// What happens outside when an object is deleted.
    fn on_delete(&self) -> OnDelete;

    /// Where the playbook is to work. Also asked when the object is deleted, unless nothing happens then.
    ///
    /// # Errors
    ///
    /// As for [`sync_record`](crate::SyncStep::sync_record): `StepError::wait_for` while the host is not there yet, say.
    fn target(&self, ctx: &Context, o: &Self::Model) -> impl Future<Output = StepResult<Target>> + Send;

    /// Variables besides the record's fields; they win over those. None by default.
    ///
    /// # Errors
    ///
    /// As for [`sync_record`](crate::SyncStep::sync_record).
    fn extra_attributes(
        &self,
        ctx: &Context,
        o: &Self::Model,
    ) -> impl Future<Output = StepResult<Attributes>> + Send {
        let _ = (ctx, o);
        async { Ok(Attributes::new()) }
    }

    /// Called when the playbook was applied: what its tasks found out can be stored with
    /// [`ctx.save(o)`](xos_model_client::ModelClient::save). Not when nothing had to be run, and not on deletion.
    ///
    /// # Errors
    ///
    /// As for [`sync_record`](crate::SyncStep::sync_record). The playbook runs again then.
    fn applied(
        &self,
        ctx: &Context,
        o: &mut Self::Model,
        results: &Results,
    ) -> impl Future<Output = StepResult> + Send {
        let _ = (ctx, o, results);
        async { Ok(()) }
    }

    /// Whether the playbook runs although nothing changed since it succeeded. No by default.
    fn always_run(&self) -> bool {
        false
    }

    /// Whether the step takes this object, as in [`SyncStep`](crate::SyncStep::selects).
    fn selects(&self, o: &Self::Model) -> bool {
        let _ = o;
        crate::step::refuses_nothing::<Runner<Self>>();
        true
    }

    /// How often the playbook runs again though the object did not change, to undo what others did. Off by default.
    fn requested_interval(&self) -> Option<Duration> {
        None
    }

    /// How many playbooks of this step run at once. Default: 4; each takes a Python process or two, some 100 MB.
    fn concurrency(&self) -> usize {
        4
    }

    /// What the step is called in the log, and its folder in `sys_dir`: the name of its type.
    fn name(&self) -> &'static str {
        crate::step::short_type_name::<Self>()
    }
}
