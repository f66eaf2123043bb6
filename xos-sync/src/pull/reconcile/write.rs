//! Writing many objects.

use futures_util::{StreamExt as _, stream};
use xos_model_client::{Op, Write};

use super::Reconciled;
use super::plan::Plan;
use crate::context::Context;
use crate::step::StepResult;

/// The most writes of one call: others want to write, too.
const TOGETHER: usize = 500;

/// What a write does, for the count.
#[derive(Clone, Copy)]
enum Did {
    Created,
    Updated,
    Deleted,
}

impl Plan {
    /// Writes all, in as few calls as the core can take.
    ///
    /// # Errors
    ///
    /// The core is away: what was not written is written the next time.
    pub(super) async fn carry_out(self, ctx: &Context, done: &mut Reconciled) -> StepResult {
        let accessor = ctx.accessor();
        let abilities = accessor.abilities();
        let most = abilities.max_batch.clamp(1, TOGETHER);
        let mut calls = Vec::new();
        let mut writes = self.writes.into_iter().peekable();
        while writes.peek().is_some() {
            let (told, batch): (Vec<(String, Did)>, Vec<Write>) =
                writes.by_ref().take(most).map(|(key, write)| ((key, did(&write)), write)).unzip();
            calls.push(async move { (told, accessor.write(batch).await) });
        }
        let mut calls = stream::iter(calls).buffer_unordered(abilities.in_flight.max(1));
        while let Some((told, mut answers)) = calls.next().await {
            answers.truncate(told.len());
            let unanswered = told.len() - answers.len();
            let mut told = told.into_iter();
            for (answer, (key, did)) in answers.into_iter().zip(told.by_ref()) {
                match answer {
                    Err(error) if error.is_interruption() => return Err(error.into()),
                    Err(error) => done.fail(key, error.to_string()),
                    Ok(written) => match did {
                        Did::Created => done.created += 1,
                        Did::Updated => done.updated += 1,
                        Did::Deleted if written.changed => done.deleted += 1,
                        Did::Deleted => done.unchanged += 1,
                    },
                }
            }
            if unanswered > 0 {
                done.fail("core", format!("{unanswered} writes had no answer"));
            }
        }
        Ok(())
    }
}

fn did(write: &Write) -> Did {
    match &write.op {
        Op::Create(_) => Did::Created,
        Op::Set { .. } => Did::Updated,
        Op::Delete => Did::Deleted,
    }
}
