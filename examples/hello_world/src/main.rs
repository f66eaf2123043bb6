//! The hello-world synchronizer of the XOS tutorial.

mod flags;
#[cfg(test)]
mod tests;
mod tour;

use xos_sync::prelude::*;

/// Says hello to everybody.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world")]
pub struct HelloWorldService {
    #[xos(base)]
    pub service: Service,
    /// The name of who is saying hello
    #[xos(number = 1)]
    pub hello_from: String,
}

/// One greeting.
#[derive(XosModel, Clone, Debug)]
#[xos(app_label = "hello-world", owner_class = HelloWorldService)]
pub struct HelloWorldServiceInstance {
    #[xos(base)]
    pub service_instance: ServiceInstance,
    /// The name of who is being greeted
    #[xos(number = 1)]
    pub hello_to: String,
}

struct SyncHelloWorldService;

impl SyncStep for SyncHelloWorldService {
    type Model = HelloWorldService;

    async fn sync_record(&self, _ctx: &Context, o: &mut HelloWorldService) -> StepResult {
        info!(object = %o, hello_from = o.hello_from, "HelloWorldService has been updated!");
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &HelloWorldService) -> StepResult {
        info!(object = %o, hello_from = o.hello_from, "HelloWorldService has been deleted!");
        Ok(())
    }
}

struct SyncHelloWorldServiceInstance;

impl SyncStep for SyncHelloWorldServiceInstance {
    type Model = HelloWorldServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut HelloWorldServiceInstance) -> StepResult {
        debug!(object = %o, hello_to = o.hello_to, "HelloWorldServiceInstance has been updated!");
        if o.hello_to == "Tyrion Lannister" {
            return Err(StepError::deferred("Maybe later"));
        }
        if o.hello_to == "Joffrey Baratheon" {
            return Err("Maybe not".into());
        }
        let from: HelloWorldService = ctx.leaf(&o.owner).await?;
        info!("{} is saying hello to {}", from.hello_from, o.hello_to);
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &HelloWorldServiceInstance) -> StepResult {
        info!(object = %o, hello_to = o.hello_to, "HelloWorldServiceInstance has been deleted!");
        Ok(())
    }
}

fn hello_world() -> Synchronizer {
    Synchronizer::new("hello-world")
        .sync_step(SyncHelloWorldService) // brings its model along
        .sync_step(SyncHelloWorldServiceInstance)
}

#[xos_sync::main]
async fn main() -> xos_sync::Result<()> {
    let flags = flags::parse();
    if flags.tour {
        return tour::play().await;
    }
    run_synchronizer(flags.args.into_config()?, hello_world().recipe(flags.recipe)).await
}
