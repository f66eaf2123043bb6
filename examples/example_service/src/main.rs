//! The ExampleService of the XOS tutorial: a message on a web page, written by Ansible.
#![allow(unreachable_pub, reason = "nobody is outside of a program")]

mod flags;
mod models;
mod place;
mod policy;
mod read_back;
#[cfg(test)]
mod tests;
mod web_server;
mod write_again;
mod write_page;

use xos_sync::prelude::*;

use crate::models::ExampleService;
use crate::place::Place;
use crate::policy::GiveWebServer;
use crate::read_back::ReadBack;
use crate::web_server::SyncWebServer;
use crate::write_again::WriteAgain;
use crate::write_page::WritePage;

fn example_service(place: Place) -> Synchronizer {
    Synchronizer::new("exampleservice")
        .model::<ExampleService>()
        .policy(GiveWebServer)
        .sync_step(SyncWebServer(place.clone()))
        .ansible_step(WritePage(place))
        .pull_step(ReadBack)
        .event_step(WriteAgain)
}

#[xos_sync::main]
async fn main() -> xos_sync::Result<()> {
    let flags = flags::parse();
    let place = Place::of(flags.ssh).map_err(xos_sync::Error::other)?;
    run_synchronizer(flags.args.into_config()?, example_service(place).recipe(flags.recipe)).await
}
