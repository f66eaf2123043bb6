//! What came of a recipe, as it is told to another process.

use serde_json::{Value as Json, json};
use xos_model_client::tosca::{Plan, RecipeError, Report};

/// What came of a recipe: made in the process that has the database, shown in another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// What was done about each node, or would be: a line each.
    pub lines: Vec<String>,
    /// Whether anything was written.
    pub wrote: bool,
    /// Why the recipe was not applied, or not to its end.
    pub problem: Option<String>,
    /// Whether trying again can help: objects are being deleted.
    pub again: bool,
}

impl Outcome {
    /// Of an application.
    pub fn of_apply(result: &Result<Report, RecipeError>) -> Self {
        match result {
            Ok(report) => Outcome::of_report(report),
            Err(error) => Outcome::of_error(error),
        }
    }

    /// Of a plan.
    pub fn of_plan(result: &Result<Plan, RecipeError>) -> Self {
        match result {
            Ok(plan) => {
                Outcome { lines: plan.to_string().lines().map(str::to_owned).collect(), ..Outcome::default() }
            }
            Err(error) => Outcome::of_error(error),
        }
    }

    fn of_report(report: &Report) -> Self {
        Outcome {
            lines: report.nodes.iter().map(ToString::to_string).collect(),
            wrote: !report.wrote_nothing(),
            ..Outcome::default()
        }
    }

    fn of_error(error: &RecipeError) -> Self {
        let done = error.report().map(Outcome::of_report).unwrap_or_default();
        Outcome { problem: Some(error.to_string()), again: error.is_retryable(), ..done }
    }

    /// As a message.
    pub fn to_message(&self) -> Vec<u8> {
        let Outcome { lines, wrote, problem, again } = self;
        json!({"lines": lines, "wrote": wrote, "problem": problem, "again": again}).to_string().into_bytes()
    }

    /// From a message; `None` when it is none.
    pub fn from_message(message: &[u8]) -> Option<Self> {
        let message: Json = serde_json::from_slice(message).ok()?;
        let lines = message.get("lines")?.as_array()?;
        Some(Outcome {
            lines: lines.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            wrote: message.get("wrote")?.as_bool()?,
            problem: message.get("problem").and_then(Json::as_str).map(str::to_owned),
            again: message.get("again")?.as_bool()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_survives_its_message() {
        let outcome = Outcome {
            lines: vec!["created   a (Site 1): name".to_owned()],
            wrote: true,
            problem: Some("the recipe was applied in part".to_owned()),
            again: true,
        };
        assert_eq!(Outcome::from_message(&outcome.to_message()), Some(outcome));
        assert_eq!(Outcome::from_message(b"{\"lines\": 5}"), None);
        assert_eq!(Outcome::from_message(b"\xff"), None);
    }
}
