//! What happened, told to the engine.

use super::facts;
use super::worker::{Ended, How};
use super::{Io, Shell, lines};
use crate::engine::{Cancel, Event, FailureKind, Outcome, TextHash};

impl Shell {
    /// A future of the core has ended.
    pub(super) fn io_done(&mut self, done: Io) {
        match done {
            Io::Read(done) => self.read_done(done),
            Io::Written(done) => self.write_done(done),
            Io::Probed(true) => self.core_is_back(),
            Io::Probed(false) => self.probe(),
            Io::Hooked(run, result) => self.hooked(run, result),
        }
    }

    /// A step has ended.
    pub(super) fn run_ended(&mut self, ended: Ended) {
        let Ended { run, how } = ended;
        let Some(running) = self.running(run) else { return };
        running.context = None;
        running.cancel = None;
        let (leaf, cancelled) = (running.leaf, running.cancelled);
        let outcome = match how {
            How::Done { recheck } => {
                let asked = self.layout.leaf(leaf).and_then(|leaf| leaf.recheck);
                Outcome::Done { recheck: asked.into_iter().chain(recheck).min() }
            }
            How::Failed { kind, retry_after, text } => {
                let outcome = Outcome::Failed { kind, retry_after, text: TextHash::of(&text) };
                self.set_text(run, text);
                outcome
            }
            How::WaitFor { model, id, at_most, text } => match self.layout.schema.model(&model) {
                Some(model) => Outcome::WaitFor { key: facts::key_of(model.root, id), at_most },
                None => {
                    let text = format!("{text}, but there is no such model");
                    let hash = TextHash::of(&text);
                    self.set_text(run, text);
                    Outcome::Failed { kind: FailureKind::Failed, retry_after: None, text: hash }
                }
            },
            How::Interrupted => Outcome::Interrupted,
            How::Panicked { text } => {
                let hash = TextHash::of(&text);
                self.set_text(run, text);
                Outcome::Panicked { text: hash }
            }
            How::Cancelled if cancelled == Some(Cancel::TimedOut) => {
                let limit = self.options.engine.step_deadline;
                let text = format!("the step took longer than {} s and was cancelled", limit.as_secs_f64());
                let leaf = self.layout.name(leaf).to_owned();
                let pk = self.running(run).map_or(0, |running| running.key.id());
                self.span.in_scope(|| lines::timed_out(&leaf, pk, &text));
                self.set_text(run, text);
                Outcome::TimedOut
            }
            How::Cancelled => Outcome::Interrupted,
        };
        self.tell(Event::Finished(run, outcome));
    }

    fn set_text(&mut self, run: crate::engine::Run, text: String) {
        if let Some(running) = self.running(run) {
            running.text = text;
        }
    }
}
