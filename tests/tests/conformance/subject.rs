//! What is checked: one way to a core, and what may be known less of through it.
#![allow(clippy::unused_async, reason = "all ways are made by the same macro, which awaits them")]

use std::any::Any;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use xos_core::{EmbeddedCore, Options};
use xos_model_client::ModelAccessor;
use xos_model_client::grpc::{CoreClient, CoreOptions};
use xos_sync_tests::ours::OurServer;

use crate::postgres::{Cluster, Database};

/// A new core, and one way to it.
pub(crate) struct Subject {
    /// The way that is checked.
    pub(crate) core: Arc<dyn ModelAccessor>,
    /// Another one to the same core, of the same kind.
    again: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn ModelAccessor>> + Send + Sync>,
    pub(crate) less: Less,
    /// What ends with the test.
    _kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// What a client through the wire of a core 4.0.4 can know or say less of. Whatever is not here, holds for all.
///
/// That it is not told of changed objects, has no pages and no guards is among the
/// [`Abilities`](xos_model_client::Abilities).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Less {
    /// Records have no revision: the messages have no place for it.
    pub(crate) revisions: bool,
    /// A write that changed nothing is answered like one that did; only a deletion is looked at.
    pub(crate) unchanged: bool,
    /// Only a link can be set to nothing: an absent field is one that is not sent. The error says so.
    pub(crate) nothing: bool,
    /// What no message can carry is refused before it is sent, by a conversion error that names the field; in process
    /// the store says so, with all other faults.
    pub(crate) kinds: bool,
    /// How many objects are still to be deleted: an answer has no place for it, so it is at least one.
    pub(crate) left: bool,
    /// A link that leads nowhere, or to an object that is deleted, is told of in the words of a core 4.0.4, which are
    /// about the whole object; and before there are words for other faults.
    pub(crate) links: bool,
    /// A model without calls, such as `XOSBase`, can be neither read nor written.
    pub(crate) abstract_models: bool,
}

impl Less {
    pub(crate) const NOTHING: Less = Less {
        revisions: false,
        unchanged: false,
        nothing: false,
        kinds: false,
        left: false,
        links: false,
        abstract_models: false,
    };
    pub(crate) const THROUGH_THE_WIRE: Less = Less {
        revisions: true,
        unchanged: true,
        nothing: true,
        kinds: true,
        left: true,
        links: true,
        abstract_models: true,
    };
}

impl Subject {
    /// Another client of the same core.
    pub(crate) async fn again(&self) -> Arc<dyn ModelAccessor> {
        (self.again)().await
    }

    fn embedded(core: EmbeddedCore, kept: Vec<Box<dyn Any + Send + Sync>>) -> Self {
        let other = core.clone();
        Subject {
            core: Arc::new(core),
            again: Box::new(move || {
                let other: Arc<dyn ModelAccessor> = Arc::new(other.clone());
                Box::pin(async move { other })
            }),
            less: Less::NOTHING,
            _kept: kept,
        }
    }

    /// Clients of our server, by these options.
    async fn served(server: OurServer, options: CoreOptions, kept: Vec<Box<dyn Any + Send + Sync>>) -> Self {
        let core = connected(options.clone()).await;
        Subject {
            core,
            again: Box::new(move || Box::pin(connected(options.clone()))),
            less: Less::THROUGH_THE_WIRE,
            _kept: std::iter::once(Box::new(server) as Box<dyn Any + Send + Sync>).chain(kept).collect(),
        }
    }
}

async fn connected(options: CoreOptions) -> Arc<dyn ModelAccessor> {
    let client = CoreClient::new(options).unwrap();
    client.ready().await.unwrap();
    Arc::new(client)
}

/// In this process, in memory.
pub(crate) async fn memory() -> Subject {
    Subject::embedded(EmbeddedCore::in_memory().unwrap(), Vec::new())
}

/// In this process, on a file.
pub(crate) async fn file() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let core = EmbeddedCore::open(folder.path().join("core.db"), Options::default()).unwrap();
    Subject::embedded(core, vec![Box::new(folder)])
}

async fn server() -> OurServer {
    OurServer::start(EmbeddedCore::in_memory().unwrap()).await.unwrap()
}

/// Through the wire, in the clear.
pub(crate) async fn plain() -> Subject {
    let server = server().await;
    let options = server.plain();
    Subject::served(server, options, Vec::new()).await
}

/// Through the wire, with TLS.
pub(crate) async fn tls() -> Subject {
    let server = server().await;
    let options = server.tls();
    Subject::served(server, options, Vec::new()).await
}

/// Through the wire, on a Unix socket.
pub(crate) async fn socket() -> Subject {
    let server = server().await;
    let options = server.unix();
    Subject::served(server, options, Vec::new()).await
}

/// A new database of the PostgreSQL that the tests of this process share, and a core on it.
async fn core_on_postgres() -> Option<(EmbeddedCore, Database)> {
    let Some(cluster) = Cluster::shared() else {
        xos_sync_tests::skipped("PostgreSQL (install: apt-get install postgresql)");
        return None;
    };
    let database = cluster.database();
    Some((EmbeddedCore::connect(&database.url(), Options::default()).unwrap(), database))
}

/// In this process, on PostgreSQL.
pub(crate) async fn on_postgres() -> Option<Subject> {
    let (core, database) = core_on_postgres().await?;
    Some(Subject::embedded(core, vec![Box::new(database)]))
}

/// Through the wire, in the clear, to a core on PostgreSQL.
pub(crate) async fn plain_on_postgres() -> Option<Subject> {
    let (core, database) = core_on_postgres().await?;
    let server = OurServer::start(core).await.unwrap();
    let options = server.plain();
    Some(Subject::served(server, options, vec![Box::new(database)]).await)
}
