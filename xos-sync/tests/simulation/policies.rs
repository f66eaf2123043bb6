//! Policies that do what they like: beside a step on services, alone on badges.

use xos_sync::prelude::*;
use xos_sync::testing::Backend;

use crate::models::{SimBadge, SimService};
use crate::steps::something_happens;

/// A policy on services, which writes them.
pub(crate) struct PoliceService(pub(crate) Backend);

impl PoliceService {
    async fn handle(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        something_happens(&self.0, ctx).await?;
        self.0.put(format!("quota of {}", o.id), &o.note).await?;
        // Due again is only its step.
        o.service.description = Some(o.note.clone());
        ctx.save(o).await?;
        Ok(())
    }
}

impl ModelPolicy for PoliceService {
    type Model = SimService;

    async fn handle_create(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        self.handle(ctx, o).await
    }

    async fn handle_update(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        self.handle(ctx, o).await
    }

    async fn handle_delete(&self, ctx: &Context, o: &SimService) -> StepResult {
        something_happens(&self.0, ctx).await?;
        self.0.delete(&format!("quota of {}", o.id)).await?;
        Ok(())
    }
}

/// A policy on badges.
pub(crate) struct PoliceBadge(pub(crate) Backend);

impl PoliceBadge {
    async fn handle(&self, ctx: &Context, o: &SimBadge) -> StepResult {
        something_happens(&self.0, ctx).await?;
        Ok(self.0.put(format!("badge {}", o.id), &o.note).await?)
    }
}

impl ModelPolicy for PoliceBadge {
    type Model = SimBadge;

    async fn handle_create(&self, ctx: &Context, o: &mut SimBadge) -> StepResult {
        self.handle(ctx, o).await
    }

    async fn handle_update(&self, ctx: &Context, o: &mut SimBadge) -> StepResult {
        self.handle(ctx, o).await
    }

    async fn handle_delete(&self, ctx: &Context, o: &SimBadge) -> StepResult {
        something_happens(&self.0, ctx).await?;
        self.0.delete(&format!("badge {}", o.id)).await?;
        Ok(())
    }

    fn concurrency(&self) -> Option<usize> {
        Some(2)
    }
}
