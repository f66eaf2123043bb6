//! Pages that were lost are written again.

use xos_sync::prelude::*;

use crate::models::{EVENTS, ExampleServiceInstance, PageLost, WebServer};

/// Has the page of a web server written again when it was lost.
pub struct WriteAgain;

impl EventStep for WriteAgain {
    fn topics(&self) -> Vec<String> {
        vec![EVENTS.into()]
    }

    async fn process_event(&self, ctx: &Context, event: &Event) -> StepResult {
        let PageLost { web_server } = event.json()?;
        // Somebody else may have deleted it meanwhile.
        let Some(mut server) =
            ctx.objects::<WebServer>().filter(WebServer::ID.eq(web_server)).first().await?
        else {
            return Ok(());
        };
        server.losses += 1;
        ctx.save_and_touch(&mut server).await?;
        let showing =
            ctx.objects::<ExampleServiceInstance>().filter(ExampleServiceInstance::WEB_SERVER.eq(server.id));
        for mut instance in showing.all().await? {
            ctx.save_and_touch(&mut instance).await?;
        }
        Ok(())
    }
}
