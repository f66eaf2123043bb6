//! What the engine demands, carried out.

use std::mem;

use tracing::warn;
use xos_model_client::ModelId;

use super::{Shell, lines};
use crate::engine::{Action, Note};

impl Shell {
    /// Carries out what the engine demands, until it demands nothing.
    pub(super) fn act(&mut self) {
        let mut actions = Vec::new();
        loop {
            mem::swap(&mut actions, &mut self.actions);
            for action in actions.drain(..) {
                self.carry_out(action);
            }
            if !self.actions.is_empty() {
                continue;
            }
            // What is to be read and written is collected first.
            self.fetch();
            self.flush();
            if self.actions.is_empty() {
                break;
            }
        }
        self.crew.hand_out(&self.home);
        // The next time needs no new one.
        self.actions = actions;
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Start { .. } => self.start(&action),
            Action::Store { run, what, .. } => self.store(run, what),
            Action::Superseded(run) => {
                if let Some(context) = self.running(run).and_then(|running| running.context.as_ref()) {
                    context.supersede();
                }
            }
            Action::Cancel { run, why } => self.cancel(run, why),
            Action::Wake(moment) => self.alarms.wake = moment,
            Action::Scan(models) => {
                self.scan(models.iter().map(|model| ModelId(model.0)).collect());
            }
            Action::Watch(key) => {
                self.watched.insert(key);
            }
            Action::Unwatch(key) => {
                self.watched.remove(&key);
                self.waits.forget_target(key);
            }
            Action::Note(note) => self.note(note),
            Action::Answer(_) => {}
            Action::Drained => self.drained = true,
        }
    }

    fn note(&mut self, note: Note) {
        let layout = self.layout.clone();
        let name =
            |key: crate::engine::ObjectKey| format!("{} {}", layout.name(ModelId(key.root().0)), key.id());
        match note {
            Note::Cycle { keys, broken_at } => {
                let circle: Vec<String> = keys.iter().map(|key| name(*key)).collect();
                warn!(
                    parent: &self.span,
                    objects = circle.join(" -> "),
                    "objects depend on each other in a circle; {} does not wait", name(broken_at)
                );
            }
            Note::Blocking { key, waiters } => {
                warn!(parent: &self.span, object = name(key), waiters, "objects wait for one that failed");
            }
            Note::WillNotStop { run, key, since } => {
                let seconds = self.now.since(since).as_secs_f64();
                let model_name = self.running(run).map(|running| running.leaf);
                let model_name = model_name.map_or("?", |leaf| layout.name(leaf));
                self.span.in_scope(|| lines::will_not_stop(model_name, key.id() as i32, seconds));
            }
        }
    }
}
