//! The service `grpc.health.v1.Health`: whether this server answers.

use tokio::sync::watch;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use super::serve::{Phase, reached};
use crate::EmbeddedCore;

/// The services whose health is told: the whole server, and each service of a core.
const SERVICES: [&str; 6] =
    ["", "xos.xos", "xos.utility", "xos.dynamicload", "xos.modeldefs", "schema.SchemaService"];

/// The health of a server: all is well until it stops or the store is closed.
pub(super) async fn service(routes: Routes) -> (Routes, HealthReporter) {
    let (reporter, service) = health_reporter();
    tell(&reporter, ServingStatus::Serving).await;
    (routes.add_service(service), reporter)
}

/// Tells when a server is not to be called any more.
pub(super) async fn watch(reporter: HealthReporter, core: EmbeddedCore, mut phase: watch::Receiver<Phase>) {
    let mut ticks = core.ticks();
    drop(core);
    tokio::select! {
        () = reached(&mut phase, Phase::Stopping) => {}
        // An error: the core is gone.
        _ = ticks.wait_for(|tick| tick.closed) => {}
    }
    tell(&reporter, ServingStatus::NotServing).await;
}

async fn tell(reporter: &HealthReporter, status: ServingStatus) {
    for service in SERVICES {
        reporter.set_service_status(service, status).await;
    }
}
