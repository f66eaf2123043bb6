//! What happened, told to the engine.

use super::worker::{Ended, How};
use super::{Io, Shell, facts};
use crate::engine::{Cancel, Event, FailureKind, Outcome, Run, TextHash};

impl Shell {
    /// A future of the core has ended.
    pub(super) fn io_done(&mut self, done: Io) {
        match done {
            Io::Read(done) => self.read_done(done),
            Io::Written(done) => self.write_done(done),
            Io::Probed(is_back) => self.probed(is_back),
            Io::Watched(read) => self.watched_read(read),
            Io::Looked(looked) => self.looked(looked),
            Io::Hooked(run, result) => self.hooked(run, result),
        }
    }

    /// A step has ended.
    pub(super) fn run_ended(&mut self, ended: Ended) {
        self.at_work -= 1;
        let Ended { run, member, how } = ended;
        self.crew.is_idle(member);
        let Some(running) = self.running(run) else { return };
        running.context = None;
        let (leaf, cancelled) = (running.leaf, running.cancelled);
        if let Some(last) = running.last.take()
            && let Some((after, text)) = self.mutual.last_has_ended(&last, self.now)
            && matches!(how, How::Done { .. })
        {
            return self.park(run, after, &text);
        }
        let outcome = match how {
            How::Done { recheck } => {
                let asked = self.layout.leaf(leaf).and_then(|leaf| leaf.recheck);
                Outcome::Done { recheck: asked.into_iter().chain(recheck).min() }
            }
            How::Refused => Outcome::Skipped,
            How::Failed { kind, retry_after, text } => {
                Outcome::Failed { kind, retry_after, text: self.set_text(run, &text) }
            }
            How::WaitFor { model, id, at_most, text, condition } => match self.layout.schema.model(&model) {
                Some(model) => {
                    let key = facts::key_of(model.root, id);
                    match condition {
                        Some(condition) => return self.wait(run, key, at_most, condition, &text),
                        None => Outcome::WaitFor { key, at_most },
                    }
                }
                None => {
                    let text = self.set_text(run, &format!("{text}, but there is no such model"));
                    Outcome::Failed { kind: FailureKind::Failed, retry_after: None, text }
                }
            },
            How::Panicked { text } => Outcome::Panicked { text: self.set_text(run, &text) },
            How::Cancelled if cancelled == Some(Cancel::TimedOut) => return self.timed_out(run),
            How::Cancelled | How::Interrupted => Outcome::Interrupted,
        };
        self.tell(Event::Finished(run, outcome));
    }

    /// Keeps the text of a failure until it is stored.
    pub(super) fn set_text(&mut self, run: Run, text: &str) -> TextHash {
        self.running(run).map(|running| running.set_text(text)).unwrap_or_default()
    }
}
