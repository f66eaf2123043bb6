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

struct SyncGreeting;

impl SyncStep for SyncGreeting {
    type Model = HelloWorldServiceInstance;

    async fn sync_record(&self, ctx: &Context, o: &mut HelloWorldServiceInstance) -> StepResult {
        if o.hello_to == "Tyrion Lannister" {
            return Err(StepError::deferred("Maybe later"));
        }
        let from: HelloWorldService = ctx.leaf(&o.owner).await?;
        info!("{} is saying hello to {}", from.hello_from, o.hello_to);
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &HelloWorldServiceInstance) -> StepResult {
        info!(name = o.name, "greeting deleted");
        Ok(())
    }
}

#[xos_sync::main]
async fn main() -> xos_sync::Result<()> {
    let config = Config::from_args()?; // -C config.yaml, or the embedded default
    let service = Synchronizer::new("hello-world").model::<HelloWorldService>().sync_step(SyncGreeting); // brings its model along
    run_synchronizer(config, service).await
}
