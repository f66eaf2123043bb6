//! What a synchronizer's program does beside synchronizing.

mod apply;
mod explain;
mod list;
#[cfg(feature = "serve")]
mod serve;

use std::io::Write as _;

use crate::args::Verb;
use crate::config::Config;
use crate::error::{ErrorKind, Result};
use crate::synchronizer::Synchronizer;

pub use self::list::{object_table, open_read_only};

/// Does what the command line says; `run` is not among it.
pub(crate) async fn perform(verb: &Verb, config: &Config, service: &Synchronizer) -> Result<()> {
    let name = config.name.as_deref().unwrap_or(service.name());
    match verb {
        Verb::Run => Ok(()),
        Verb::Apply { recipe, dry_run } => apply::apply(config, service, name, recipe, *dry_run).await,
        Verb::List { model } => list::list(config, service, name, model.as_deref()).await,
        Verb::Explain { model, object } => explain::explain(config, service, name, model, object).await,
        #[cfg(feature = "serve")]
        Verb::Core => serve::core(config, service, name).await,
        #[cfg(not(feature = "serve"))]
        Verb::Core => {
            Err(ErrorKind::BuiltWithout { what: "the server of its core", feature: "serve" }.into())
        }
    }
}

/// Prints what was asked for.
fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| {
        ErrorKind::File { path: "standard output".to_owned(), problem: error.to_string() }.into()
    })
}
