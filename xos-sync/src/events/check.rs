//! What is wrong with event steps, found before anything starts.

use std::collections::HashSet;
use std::sync::Arc;

use super::AnyEventStep;
use crate::bus::{TopicPattern, Topics};
use crate::error::{ErrorKind, Result};

/// Each step has either topics or a good pattern, and a name of its own.
pub(crate) fn check(steps: &[Arc<dyn AnyEventStep>]) -> Result<()> {
    let mut names = HashSet::new();
    for step in steps {
        topics_of(step.as_ref())?;
        let name = step.name();
        if !names.insert(name) {
            return Err(problem(format!(
                "two event steps are called {name}: each needs a name of its own, as its events are counted under it; \
                 implement EventStep::name"
            )));
        }
    }
    Ok(())
}

/// The topics that a step is interested in.
pub(crate) fn topics_of(step: &dyn AnyEventStep) -> Result<Topics> {
    let (name, topics) = (step.name(), step.topics());
    let pattern = step.pattern().filter(|pattern| !pattern.is_empty());
    match (topics.is_empty(), pattern) {
        (true, None) => Err(problem(format!("Neither topics nor pattern is defined for step {name}"))),
        (false, Some(_)) => {
            Err(problem(format!("Both topics and pattern are defined for step {name}. Choose one.")))
        }
        (true, Some(pattern)) => TopicPattern::new(&pattern)
            .map(Topics::Pattern)
            .map_err(|error| problem(format!("event step {name}: {error}"))),
        (false, None) if topics.iter().any(String::is_empty) => {
            Err(problem(format!("event step {name}: a topic without a name; expected names of topics")))
        }
        (false, None) => Ok(Topics::Named(topics)),
    }
}

fn problem(text: String) -> crate::error::Error {
    ErrorKind::Synchronizer(text).into()
}
