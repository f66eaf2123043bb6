//! The step that runs the playbook.

use xos_sync::ansible::Results;
use xos_sync::prelude::*;

use crate::models::{ExampleServiceInstance, WebServer};
use crate::place::Place;

/// Writes the message of an instance to where its web server shows it.
pub struct WritePage(pub Place);

impl AnsibleStep for WritePage {
    type Model = ExampleServiceInstance;

    fn playbook(&self) -> Playbook {
        match self.0 {
            Place::Here(_) => Playbook::text(include_str!("../playbooks/local.yaml")).named("local.yaml"),
            Place::Host(..) => Playbook::text(include_str!("../playbooks/apache.yaml")).named("apache.yaml"),
        }
    }

    /// The same playbook removes what it made.
    fn on_delete(&self) -> OnDelete {
        OnDelete::SamePlaybook
    }

    async fn target(&self, ctx: &Context, o: &ExampleServiceInstance) -> StepResult<Target> {
        if o.deleted {
            // Deleted before it had a web server with a folder: there is nothing to remove.
            let Some(link) = &o.web_server else { return Ok(Target::nowhere()) };
            let server: WebServer = ctx.get(link.id()).await?;
            if server.folder.is_none() {
                return Ok(Target::nowhere());
            }
        }
        Ok(self.0.target())
    }

    async fn extra_attributes(&self, ctx: &Context, o: &ExampleServiceInstance) -> StepResult<Attributes> {
        let Some(link) = &o.web_server else {
            ctx.wait_for(policed(o)).await?;
            return Err(StepError::failed("its policy gave it no web server"));
        };
        let mut server: WebServer =
            if o.deleted { ctx.get(link.id()).await? } else { ctx.wait_for(ready(link)).await? };
        if !o.deleted && !self.0.runs(&server) {
            // It ended with the last run of this program, and begins again: somewhere else.
            server.losses += 1;
            ctx.save_and_touch(&mut server).await?;
            server = ctx.wait_for(ready(link)).await?;
        }
        let Some(folder) = server.folder.clone() else {
            return Err(StepError::failed(format!("{} has no folder", server.name)));
        };
        // Another number of losses is another input: the playbook runs again.
        Ok(Attributes::new().with("folder", folder).with("losses", server.losses))
    }

    async fn applied(&self, ctx: &Context, o: &mut ExampleServiceInstance, _results: &Results) -> StepResult {
        let Some(link) = &o.web_server else { return Ok(()) };
        let WebServer { url: Some(url), folder, .. } = ctx.get(link.id()).await? else { return Ok(()) };
        info!(folder, "a page is served here: curl {url}");
        Ok(())
    }
}
