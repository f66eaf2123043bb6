//! Steps that do what they like.

use std::time::Duration;

use xos_sync::model_client::Model;
use xos_sync::prelude::*;
use xos_sync::testing::Backend;

use crate::models::{SimInstance, SimService};

const MINUTE: Duration = Duration::from_secs(60);

/// Takes a while, and may go wrong, in each way that there is.
pub(crate) async fn something_happens(backend: &Backend, ctx: &Context) -> StepResult {
    if backend.one_in(2) {
        tokio::time::sleep(backend.delay(Duration::from_secs(20))).await;
    }
    if backend.one_in(24) {
        return Err("it failed".into());
    }
    if backend.one_in(24) {
        return Err(StepError::deferred("too early"));
    }
    if backend.one_in(24) {
        return Err(StepError::innocuous("nothing done"));
    }
    if backend.one_in(24) {
        return Err(StepError::failed("soon").retry_after(backend.delay(Duration::from_secs(5))));
    }
    assert!(!backend.one_in(48), "a step that panics");
    if backend.one_in(48) {
        std::future::pending::<()>().await;
    }
    if backend.one_in(24) {
        ctx.recheck_after(backend.delay(MINUTE));
    }
    if backend.one_in(24) {
        ctx.until_superseded().await;
    }
    Ok(())
}

/// A step on services: a resource that is made once and changed then.
pub(crate) struct SyncService(pub(crate) Backend);

impl SyncStep for SyncService {
    type Model = SimService;

    async fn sync_record(&self, ctx: &Context, o: &mut SimService) -> StepResult {
        let key = format!("service {}", o.id);
        if self.0.get(&key).await?.is_none() {
            self.0.create(&key, "").await?;
        }
        something_happens(&self.0, ctx).await?;
        Ok(self.0.put(key, &o.note).await?)
    }

    async fn delete_record(&self, ctx: &Context, o: &SimService) -> StepResult {
        something_happens(&self.0, ctx).await?;
        self.0.delete(&format!("service {}", o.id)).await?;
        Ok(())
    }
}

/// A step on instances, which reads and writes the core, and waits.
pub(crate) struct SyncInstance(pub(crate) Backend);

impl SyncStep for SyncInstance {
    type Model = SimInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut SimInstance) -> StepResult {
        let owner: SimService = ctx.leaf(&o.owner).await?;
        something_happens(&self.0, ctx).await?;
        if self.0.one_in(10) {
            return Err(StepError::wait_for(&o.owner).retry_after(self.0.delay(5 * MINUTE)));
        }
        if self.0.one_in(3) {
            ctx.wait_for(policed(&owner).at_most(self.0.delay(5 * MINUTE))).await?;
        }
        self.0.put(format!("instance {}", o.id), &o.note).await?;
        // Often it is what it was, and nothing is saved.
        o.service_specific_attribute = Some(format!("{} letters", o.note.len()));
        ctx.save(o).await?;
        Ok(())
    }

    async fn delete_record(&self, ctx: &Context, o: &SimInstance) -> StepResult {
        something_happens(&self.0, ctx).await?;
        self.0.delete(&format!("instance {}", o.id)).await?;
        Ok(())
    }

    fn requested_interval(&self) -> Option<Duration> {
        Some(15 * MINUTE)
    }
}

/// A second handler, on the base of instances: it runs after the first.
pub(crate) struct SyncBase(pub(crate) Backend);

impl SyncStep for SyncBase {
    type Model = ServiceInstance;

    async fn sync_record(&self, ctx: &Context, _o: &mut ServiceInstance) -> StepResult {
        something_happens(&self.0, ctx).await
    }

    async fn delete_record(&self, _ctx: &Context, _o: &ServiceInstance) -> StepResult {
        Ok(())
    }

    fn name(&self) -> &'static str {
        ServiceInstance::MODEL_NAME
    }
}
