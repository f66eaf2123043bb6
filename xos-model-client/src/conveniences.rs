//! What authors of services do again and again, as methods: addresses from pools, neighbours in the graph of services,
//! attributes, tags.
//!
//! Methods that are about the core stand at [`ModelClient`](crate::ModelClient), and so at the context of a step; those
//! that are about an object stand at its model and take the client: `service.provider_services(ctx)`. A model that
//! inherits has those of its base.

mod acquire;
mod addresses;
mod attributes;
mod find;
mod generic;
mod neighbours;
mod networks;
mod services;
mod state;
mod tags;
mod turns;
