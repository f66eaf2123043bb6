//! Web servers: in this program, or Apache on another host.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use xos_sync::prelude::*;
use xos_sync::tokio;

use crate::models::WebServer;
use crate::place::Place;

/// Makes a web server be there, and says where.
pub struct SyncWebServer(pub Place);

impl SyncStep for SyncWebServer {
    type Model = WebServer;

    async fn sync_record(&self, ctx: &Context, o: &mut WebServer) -> StepResult {
        let (url, folder) = match &self.0 {
            Place::Here(servers) => {
                let folder = servers.folder_of(o.id);
                (servers.serve(o.id).await?, folder.display().to_string())
            }
            // The playbook installs Apache there.
            Place::Host(host, _) => {
                let name = format!("example-{}", o.id);
                (format!("http://{host}/{name}/"), format!("/var/www/html/{name}"))
            }
        };
        (o.url, o.folder) = (Some(url), Some(folder));
        ctx.save(o).await?;
        Ok(())
    }

    async fn delete_record(&self, _ctx: &Context, o: &WebServer) -> StepResult {
        if let Place::Here(servers) = &self.0 {
            servers.stop(o.id);
        }
        Ok(())
    }
}

/// The web servers of this program, each on a free port of the loopback interface. They end with it.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    folder: TempDir,
    running: Mutex<HashMap<ObjectId, Running>>,
}

struct Running {
    url: String,
    task: AbortHandle,
}

impl Servers {
    /// No server yet, and a temporary folder for their pages.
    ///
    /// # Errors
    ///
    /// There can be no temporary folder.
    pub fn new() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("example_service-").tempdir()?;
        Ok(Servers(Arc::new(Inner { folder, running: Mutex::default() })))
    }

    /// The folder with the page of one server.
    pub fn folder_of(&self, id: ObjectId) -> PathBuf {
        self.0.folder.path().join(id.to_string())
    }

    /// Where the page of this server is served, if it is.
    pub fn url_of(&self, id: ObjectId) -> Option<String> {
        self.running().get(&id).map(|running| running.url.clone())
    }

    /// Serves the page of this folder, if it is not served already, and tells where.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub async fn serve(&self, id: ObjectId) -> std::io::Result<String> {
        if let Some(url) = self.url_of(id) {
            return Ok(url);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let page: Arc<Path> = self.folder_of(id).join("index.html").into();
        let app = Router::new().route("/", get(show)).with_state(page);
        let task = tokio::spawn(async move {
            if let Err(e) = axum::serve(listener, app).await {
                error!(%e, "a web server has ended");
            }
        });
        let running = Running { url: url.clone(), task: task.abort_handle() };
        self.running().insert(id, running);
        Ok(url)
    }

    /// Serves this page no longer.
    pub fn stop(&self, id: ObjectId) {
        if let Some(running) = self.running().remove(&id) {
            running.task.abort();
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ObjectId, Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn show(State(page): State<Arc<Path>>) -> Result<Html<String>, StatusCode> {
    tokio::fs::read_to_string(page).await.map(Html).map_err(|_| StatusCode::NOT_FOUND)
}
