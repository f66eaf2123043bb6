//! A stand-in with the models of the hello-world tutorial.

pub(crate) use xos_sync_tests::hello::models;
use xos_sync_tests::stand_in::{Options, StandIn};

/// A stand-in that is quick, with hello-world loaded.
pub(crate) async fn started() -> StandIn {
    StandIn::start(Options::fast().with_models(models())).await.unwrap()
}
