//! Policies that do what they like: beside a step on services, alone on badges.

use xos_sync::prelude::*;

use crate::models::{SimBadge, SimService};
use crate::steps::Outside;

/// What policies did for services.
pub(crate) const OF_SERVICES: &str = "Service policy";

/// The root of badges, at which only policies look.
pub(crate) const BADGES: &str = "SimBadge";

/// A policy on services, which writes them.
pub(crate) struct PoliceService(pub(crate) Outside);

impl PoliceService {
    async fn handle(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        let _taken = self.0.take(("Service", o.id.get()), o.backend_need_delete_policy);
        self.0.touch((OF_SERVICES, o.id.get()), true);
        self.0.act(ctx).await?;
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
        let _taken = self.0.take(("Service", o.id.get()), true);
        self.0.act(ctx).await?;
        self.0.touch((OF_SERVICES, o.id.get()), false);
        Ok(())
    }
}

/// A policy on badges.
pub(crate) struct PoliceBadge(pub(crate) Outside);

impl PoliceBadge {
    async fn handle(&self, ctx: &Context, o: &SimBadge) -> StepResult {
        let _taken = self.0.take((BADGES, o.base.id.get()), o.base.backend_need_delete_policy);
        self.0.touch((BADGES, o.base.id.get()), true);
        self.0.act(ctx).await
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
        let _taken = self.0.take((BADGES, o.base.id.get()), true);
        self.0.act(ctx).await?;
        self.0.touch((BADGES, o.base.id.get()), false);
        Ok(())
    }

    fn concurrency(&self) -> Option<usize> {
        Some(2)
    }
}
