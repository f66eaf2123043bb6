//! Keeping a core as a recipe says, while somebody edits it.
//!
//! A recipe is a TOSCA file that says which objects there should be; [`tosca`](xos_model_client::tosca) reads it.
//! [`Synchronizer::recipe`](crate::Synchronizer::recipe) applies one before the first step runs, and again whenever
//! the file changes: every edit shows its effect within a second.
//!
//! - The folder is watched, not the file, so that editors that rename on save are seen; what is written is read when it
//!   has been quiet for 100 ms.
//! - A file that is empty, unreadable or invalid changes nothing, and the log says why. At the start it is an error.
//! - What the recipe created is remembered in the database, by the absolute path of the file; with a core on the network
//!   in the file `<name>.recipe.json` in the current folder. A node that disappeared, also while the program was down,
//!   is deleted; `must-exist` nodes and objects made by others never are.
//! - The verb `apply` is the same, once. While the synchronizer runs, it is the synchronizer that applies the recipe for
//!   `apply`: so both have one memory, and never work at the same time.
//! - Applying an unchanged recipe writes nothing.

mod memory;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{error, info, warn};
use xos_model_client::ModelAccessor;
use xos_model_client::tosca::{Done, Memory, Plan, Recipe, RecipeError, Report};

pub(crate) use self::memory::MemoryFile;
use crate::error::{Error, ErrorKind, Result};

/// How long a file must be quiet before it is read.
const SETTLED: Duration = Duration::from_millis(100);

/// How long before a recipe is applied again that has to wait, for example for an object to be gone.
const AGAIN: Duration = Duration::from_millis(500);

/// How recipes are applied to a core.
#[derive(Clone)]
pub(crate) enum Applier {
    /// One after the other, also those of other processes.
    #[cfg(feature = "embedded")]
    Embedded(xos_core::Recipes),
    /// By this process alone.
    Other { accessor: Arc<dyn ModelAccessor>, memory: Arc<dyn Memory> },
}

impl Applier {
    pub(crate) async fn apply(&self, recipe: &Recipe, path: &Path) -> Result<Report, RecipeError> {
        match self {
            #[cfg(feature = "embedded")]
            Applier::Embedded(recipes) => recipes.apply(recipe, path).await,
            Applier::Other { accessor, memory } => {
                let _ = path;
                recipe.apply(accessor.as_ref(), memory.as_ref()).await
            }
        }
    }

    pub(crate) async fn plan(&self, recipe: &Recipe, path: &Path) -> Result<Plan, RecipeError> {
        match self {
            #[cfg(feature = "embedded")]
            Applier::Embedded(recipes) => recipes.plan(recipe, path).await,
            Applier::Other { accessor, memory } => {
                let _ = path;
                recipe.plan(accessor.as_ref(), &memory.load().await?).await
            }
        }
    }
}

/// The text of a recipe.
///
/// # Errors
///
/// A file that cannot be read, or is empty.
pub(crate) fn read(path: &Path) -> Result<String> {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let fault = |problem: String| ErrorKind::File { path: shown.display().to_string(), problem };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fault(format!("the recipe cannot be read: {error}")))?;
    if text.trim().is_empty() {
        return Err(fault("the recipe is empty".to_owned()).into());
    }
    Ok(text)
}

/// A recipe file, and the core that is kept as it says.
pub(crate) struct RecipeFile {
    path: PathBuf,
    applier: Applier,
    /// What was applied last, to tell an edit from a touch.
    applied: Option<String>,
}

impl RecipeFile {
    pub(crate) fn new(path: PathBuf, applier: Applier) -> Self {
        RecipeFile { path, applier, applied: None }
    }

    /// Applies the recipe for the first time.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not valid. What has to be waited for is no error: it is applied again later.
    pub(crate) async fn apply_first(&mut self) -> Result<()> {
        let text = read(&self.path)?;
        match self.apply(&text).await {
            Ok(report) => self.tell(&report),
            Err(error) if error.is_retryable() => {
                warn!(e = %error, "the recipe has to wait; it is applied again");
            }
            Err(error) => return Err(Error::other(error)),
        }
        Ok(())
    }

    /// Whether the last application has to be repeated: something was in the way that goes away by itself.
    pub(crate) fn has_to_wait(&self) -> bool {
        self.applied.is_none()
    }

    /// Applies the recipe whenever its file changes. Never ends.
    pub(crate) async fn watch(mut self) {
        let changed = Arc::new(Notify::new());
        let _watcher = match watcher(&self.path, changed.clone()) {
            Ok(watcher) => watcher,
            Err(error) => {
                error!(e = %error, recipe = %self.path.display(), "the recipe cannot be watched; edits need a restart");
                return std::future::pending().await;
            }
        };
        // What was written between the first application and the watching.
        changed.notify_one();
        loop {
            if self.applied.is_some() {
                changed.notified().await;
            } else {
                // The last application has to be repeated, also without an edit.
                let _ = tokio::time::timeout(AGAIN, changed.notified()).await;
            }
            while tokio::time::timeout(SETTLED, changed.notified()).await.is_ok() {}
            self.apply_again().await;
        }
    }

    async fn apply_again(&mut self) {
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) => {
                warn!("{error}; nothing was changed");
                self.applied = Some(String::new());
                return;
            }
        };
        if self.applied.as_ref() == Some(&text) {
            return;
        }
        match self.apply(&text).await {
            Ok(report) => self.tell(&report),
            Err(error) if error.is_retryable() => {
                info!(e = %error, "the recipe has to wait; it is applied again");
            }
            Err(error) => {
                let done = error.report().filter(|report| !report.wrote_nothing());
                match done {
                    Some(report) => {
                        error!("the recipe was not applied to its end; until then:");
                        report.nodes.iter().for_each(|node| error!("{node}"));
                    }
                    None => error!("the recipe was not applied; nothing was changed:"),
                }
                // A line of the log is one line.
                error.to_string().lines().for_each(|line| error!("{line}"));
                // The same text again would fail the same way.
                self.applied = Some(text);
            }
        }
    }

    /// Applies this text. `self.applied` holds it only when it was applied to its end.
    async fn apply(&mut self, text: &str) -> Result<Report, RecipeError> {
        self.applied = None;
        let name = self.path.display().to_string();
        let recipe = Recipe::parse(text, &name)?;
        let report = self.applier.apply(&recipe, &self.path).await?;
        self.applied = Some(text.to_owned());
        Ok(report)
    }

    fn tell(&self, report: &Report) {
        let recipe = self.path.display();
        if report.wrote_nothing() {
            info!(%recipe, "recipe applied: nothing to change");
            return;
        }
        info!(%recipe, "recipe applied");
        info!("{}", report.created_models_line());
        for node in report.nodes.iter().filter(|node| node.done != Done::Unchanged) {
            info!("{node}");
        }
    }
}

/// Watches the folder of a file, so that renaming another file over it is seen.
fn watcher(path: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let name = path.file_name().map(ToOwned::to_owned);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let concerns = match &event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
            // Kubernetes swaps a link named `..data` beside a mounted file.
            Ok(event) => event.paths.iter().any(|path| {
                path.file_name() == name.as_deref() || path.file_name().is_some_and(|name| name == "..data")
            }),
            // Events may have been lost.
            Err(_) => true,
        };
        if concerns {
            changed.notify_one();
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
