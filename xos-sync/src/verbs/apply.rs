//! `apply`: makes the objects as a recipe says, once.

use std::path::Path;
use std::time::Duration;

use xos_model_client::tosca::{Recipe, RecipeError};

use crate::config::Config;
use crate::core::Core;
use crate::door::Door;
use crate::error::{ErrorKind, Result};
use crate::run::load_models;
use crate::synchronizer::Synchronizer;

/// How often a recipe is applied again that has to wait for what a running synchronizer deletes, and how long after.
const ROUNDS: usize = 20;
const AGAIN: Duration = Duration::from_millis(500);

/// What came of it, for a person.
struct Told {
    lines: Vec<String>,
    wrote: bool,
    problem: Option<String>,
    again: bool,
}

/// Applies a recipe, also while the synchronizer runs.
#[cfg_attr(
    not(any(feature = "embedded", feature = "grpc")),
    allow(irrefutable_let_patterns, reason = "without features there is one kind of door")
)]
pub(super) async fn apply(
    config: &Config,
    service: &Synchronizer,
    name: &str,
    recipe: &Path,
    dry_run: bool,
) -> Result<()> {
    let text = crate::recipe::read(recipe)?;
    // What is wrong with the file itself needs no core.
    let parsed = Recipe::parse(&text, &recipe.display().to_string())
        .map_err(|fault| ErrorKind::Recipe(fault.to_string()))?;
    let door = Door::to_change(config, name).await?;
    let end = through(&door, config, service, name, (recipe, &text, &parsed), dry_run).await;
    if let Door::Mine(core) = &door {
        core.close();
    }
    end
}

#[cfg_attr(
    not(any(feature = "embedded", feature = "grpc")),
    allow(irrefutable_let_patterns, reason = "without features there is one kind of door")
)]
async fn through(
    door: &Door,
    config: &Config,
    service: &Synchronizer,
    name: &str,
    recipe: (&Path, &str, &Recipe),
    dry_run: bool,
) -> Result<()> {
    let (path, text, parsed) = recipe;
    if let Door::Mine(core) = door {
        // Nobody has loaded them, as far as is known.
        load_models(core.accessor.as_ref(), config, service, name).await?;
    }
    // Only a synchronizer that runs takes away what is in the way.
    let rounds = if matches!(door, Door::Mine(_)) || dry_run { 1 } else { ROUNDS };
    let mut wrote = false;
    for round in 1..=rounds {
        let told = once(door, config, name, (path, text, parsed), dry_run).await?;
        let waits = told.again && round < rounds;
        wrote |= told.wrote;
        show(path, &told, wrote, waits, dry_run)?;
        match told.problem {
            Some(_) if waits => tokio::time::sleep(AGAIN).await,
            Some(problem) => return Err(ErrorKind::Recipe(problem).into()),
            None => break,
        }
    }
    Ok(())
}

async fn once(
    door: &Door,
    config: &Config,
    name: &str,
    (path, text, parsed): (&Path, &str, &Recipe),
    dry_run: bool,
) -> Result<Told> {
    #[cfg(feature = "serve")]
    if let Door::Socket { line, .. } = door
        && let Some(outcome) = line.apply(text, path, dry_run).await?
    {
        let xos_core::RecipeOutcome { lines, wrote, problem, again, .. } = outcome;
        return Ok(Told { lines, wrote, problem, again });
    }
    let _ = text;
    let core = Core::of(door);
    let applier = core.applier(config, name, path).await?;
    if dry_run {
        return Ok(match applier.plan(parsed, path).await {
            Ok(plan) => {
                let lines = plan.to_string().lines().map(str::to_owned).collect();
                Told { lines, wrote: false, problem: None, again: false }
            }
            Err(error) => Told::failed(&error),
        });
    }
    Ok(match applier.apply(parsed, path).await {
        Ok(report) => Told {
            lines: report.nodes.iter().map(ToString::to_string).collect(),
            wrote: !report.wrote_nothing(),
            problem: None,
            again: false,
        },
        Err(error) => Told::failed(&error),
    })
}

impl Told {
    fn failed(error: &RecipeError) -> Self {
        let report = error.report();
        Told {
            lines: report.into_iter().flat_map(|report| &report.nodes).map(ToString::to_string).collect(),
            wrote: report.is_some_and(|report| !report.wrote_nothing()),
            problem: Some(error.to_string()),
            again: error.is_retryable(),
        }
    }
}

fn show(path: &Path, told: &Told, wrote: bool, waits: bool, dry_run: bool) -> Result<()> {
    if !told.lines.is_empty() {
        super::print(&told.lines.join("\n"))?;
    }
    let path = path.display();
    match &told.problem {
        Some(problem) if waits => super::print(&format!("{problem}\nwaiting; it is applied again")),
        Some(_) => Ok(()),
        None if dry_run => super::print(&format!("{path}: this is what would be done; nothing was changed")),
        None if wrote => super::print(&format!("{path}: applied")),
        None => super::print(&format!("{path}: nothing to change")),
    }
}
