//! Questions from outside to the engine, which belongs to one task.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use xos_model_client::{ModelId, ObjectId};

use super::Shell;
use super::facts::key_of;

/// How many questions may wait.
const ROOM: usize = 16;

/// How long an engine that is busy is waited for. One that is not there yet, because models are being loaded or a recipe
/// is applied, does not answer at all.
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "nobody can reach this program"))]
const PATIENCE: Duration = Duration::from_secs(2);

/// How does this object stand?
pub(crate) struct Question {
    /// Its most specific model.
    pub(super) leaf: ModelId,
    pub(super) id: ObjectId,
    pub(super) answer: oneshot::Sender<String>,
}

/// Where questions come in at the engine's end.
pub(crate) type Questions = mpsc::Receiver<Question>;

/// Where questions are asked.
#[derive(Clone)]
pub(crate) struct Desk(mpsc::Sender<Question>);

/// A way to ask an engine, and its other end.
pub(crate) fn desk() -> (Desk, Questions) {
    let (ask, questions) = mpsc::channel(ROOM);
    (Desk(ask), questions)
}

#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "nobody can reach this program"))]
impl Desk {
    /// How an object stands, in a sentence; `None` when the engine does not answer.
    pub(crate) async fn ask(&self, leaf: ModelId, id: ObjectId) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.0.send(Question { leaf, id, answer }).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
    }
}

impl Shell {
    /// Answers what was asked meanwhile.
    pub(super) fn answer(&self, questions: &mut Vec<Question>) {
        for Question { leaf, id, answer } in questions.drain(..) {
            let text = match self.layout.leaf(leaf) {
                Some(model) => {
                    let key = key_of(model.root, id);
                    let mut explanation = self.engine.explain(key, self.now).to_string();
                    for text in self.waits.texts_of(key) {
                        explanation.push_str("; ");
                        explanation.push_str(text);
                    }
                    // The name stands before it already, where the answer is shown.
                    match explanation.split_once(": ") {
                        Some((_, state)) => state.to_owned(),
                        None => explanation,
                    }
                }
                None => "no step or policy of this program looks at it".to_owned(),
            };
            // Who does not wait any more does not want to know.
            let _ = answer.send(text);
        }
    }
}
