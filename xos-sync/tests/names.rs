//! Names of models: those of the core are taken.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use xos_sync::prelude::{
    Config, Context, MockAccessor, StepResult, SyncStep, Synchronizer, XosBase, XosModel,
};
use xos_sync::run_on;

/// A slice of bread.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "bakery")]
struct Slice {
    #[xos(base)]
    base: XosBase,
    /// How thick it is
    #[xos(number = 1)]
    millimetres: i32,
}

struct Bake;

impl SyncStep for Bake {
    type Model = Slice;

    async fn sync_record(&self, _ctx: &Context, _o: &mut Slice) -> StepResult {
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, _o: &Slice) -> StepResult {
        Ok(())
    }
}

#[xos_sync::test]
async fn a_model_with_the_name_of_a_core_model_is_refused() {
    let core = MockAccessor::new();
    let bakery = Synchronizer::new("bakery").sync_step(Bake);
    let error =
        run_on(core.accessor(), Config::in_memory(), bakery, std::future::pending()).await.unwrap_err();
    assert!(
        error.to_string().contains("model Slice: every core has a model of this name already"),
        "{error}"
    );
    let error = core.create(Slice { millimetres: 8, ..Default::default() }).await.unwrap_err();
    assert!(error.to_string().contains("model Slice: every core has"), "{error}");
}
