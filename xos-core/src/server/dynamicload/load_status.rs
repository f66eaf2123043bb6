//! `GetLoadStatus`.

use std::fmt::Write as _;

use tonic::Status;
use xos_model_client::ModelDef;

use super::messages::{LoadStatusReply, ServiceModelStatus};
use crate::CORE_VERSION;
use crate::server::World;
use crate::server::files::Service;

/// The name that the core's own models have among the services.
const CORE: &str = "core";

/// The models with Python code of their own, which does not run here.
pub(super) fn with_python<'a>(models: impl IntoIterator<Item = &'a ModelDef>) -> Vec<&'a str> {
    let custom = models.into_iter().filter(|model| model.custom_python && model.app_label != CORE);
    custom.map(|model| model.name.as_ref()).collect()
}

/// Which services are loaded, and what of them does not run here.
pub(super) async fn load_status(world: &World) -> Result<LoadStatusReply, Status> {
    let services = world.files.services().await?;
    let model_output = output(world, &services);
    let told = |service: Service| ServiceModelStatus {
        name: service.name,
        version: service.version,
        state: if service.unloaded { "unload" } else { "present" }.to_owned(),
    };
    let core = ServiceModelStatus {
        name: CORE.to_owned(),
        version: CORE_VERSION.to_owned(),
        state: "present".to_owned(),
    };
    // A model is served or refused when it is loaded: there are none that are broken.
    let services = services.into_iter().map(told).chain([core]).collect();
    Ok(LoadStatusReply { model_status: 0, model_output, services })
}

fn output(world: &World, services: &[Service]) -> String {
    let catalog = world.core.catalog();
    let mut text = format!(
        "xos-core {} with the rules of core {CORE_VERSION}; models are loaded without a restart\n",
        env!("CARGO_PKG_VERSION")
    );
    for service in services.iter().filter(|service| !service.unloaded) {
        let of_it = catalog.stored.iter().flatten().filter(|model| model.service == service.name);
        let models: Vec<&ModelDef> = of_it.map(|model| &model.def).collect();
        let names: Vec<&str> = models.iter().map(|model| model.name.as_ref()).collect();
        let _ = writeln!(text, "{} {}: {}", service.name, service.version, names.join(", "));
        let python = with_python(models);
        if !python.is_empty() {
            let _ = writeln!(
                text,
                "[WARNING] {}: {} has Python code of its own, which is kept and does not run",
                service.name,
                python.join(", ")
            );
        }
        let files = &service.files;
        for file in files.decls.iter().chain(&files.attics).chain(&files.migrations) {
            let _ = writeln!(
                text,
                "[WARNING] {}: {} is kept and served back; it does not run",
                service.name, file.name
            );
        }
    }
    text
}
