//! What an instance needs, and what becomes of that.

use xos_sync::prelude::*;

use crate::models::{ExampleServiceInstance, WebServer};

/// Gives each instance a web server of its own, once, and takes it away with the instance.
pub struct GiveWebServer;

impl ModelPolicy for GiveWebServer {
    type Model = ExampleServiceInstance;

    async fn handle_create(&self, ctx: &Context, o: &mut ExampleServiceInstance) -> StepResult {
        if o.web_server.is_some() {
            return Ok(());
        }
        // A policy may run twice for one change: the name tells whether it was here before.
        let server = match web_server_of(ctx, o).await? {
            Some(server) => server,
            None => ctx.create(WebServer { name: name_for(o), ..Default::default() }).await?,
        };
        o.web_server = Some(Link::to(server.id));
        ctx.save(o).await?;
        Ok(())
    }

    async fn handle_update(&self, ctx: &Context, o: &mut ExampleServiceInstance) -> StepResult {
        self.handle_create(ctx, o).await
    }

    async fn handle_delete(&self, ctx: &Context, o: &ExampleServiceInstance) -> StepResult {
        if let Some(server) = web_server_of(ctx, o).await? {
            ctx.delete(&server).await?;
        }
        Ok(())
    }
}

fn name_for(o: &ExampleServiceInstance) -> String {
    format!("web-server-{}", o.id)
}

async fn web_server_of(ctx: &Context, o: &ExampleServiceInstance) -> StepResult<Option<WebServer>> {
    Ok(ctx.objects::<WebServer>().filter(WebServer::NAME.eq(name_for(o))).first().await?)
}
