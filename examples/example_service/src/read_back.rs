//! What is really served, brought into the model.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use xos_sync::prelude::*;
use xos_sync::tokio::time::timeout;

use crate::models::{EVENTS, ExampleServiceInstance, PageLost, WebServer};

/// How long a web server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest page that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Reads each page back: what is served goes into `served_message`, and a page that is gone is told of.
pub struct ReadBack;

impl PullStep for ReadBack {
    type Model = ExampleServiceInstance;

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn pull_records(&self, ctx: &Context) -> StepResult {
        for mut instance in ctx.objects::<ExampleServiceInstance>().all().await? {
            // What has not been written yet, or is being written again, cannot be lost.
            let Some(link) = instance.web_server.filter(|_| instance.is_synced()) else { continue };
            let server: WebServer = ctx.get(link.id()).await?;
            let Some(url) = server.url.as_deref().filter(|_| server.is_synced()) else { continue };
            let page = read(url).await;
            if let Err(e) = &page {
                warn!(url, %e, "the page is lost");
                ctx.publish(EVENTS, &*server.name, &PageLost { web_server: server.id.get() }).await?;
            }
            instance.served_message = Some(page.unwrap_or_default());
            ctx.save(&mut instance).await?;
        }
        Ok(())
    }
}

/// The text of a page, without the line's end.
async fn read(url: &str) -> Result<String, String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
    let url = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
    let reading = async {
        let answer = client.get(url).await.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("the server answers {}", answer.status()));
        }
        let page =
            Limited::new(answer.into_body(), LONGEST).collect().await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&page.to_bytes()).trim_end().to_owned())
    };
    timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err("the server does not answer".to_owned()))
}
