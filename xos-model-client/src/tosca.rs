//! Recipes: the part of TOSCA that XOS reads.
//!
//! A recipe says which objects there should be. [`Recipe::parse`] reads one, [`Recipe::apply`] makes the core match
//! it: what is missing is created, what differs is changed, and what an earlier version of the recipe created and
//! this one does not have any more is deleted. Applying an unchanged recipe writes nothing.
//!
//! ```yaml
//! tosca_definitions_version: tosca_simple_yaml_1_0
//! topology_template:
//!   node_templates:
//!     service:
//!       type: tosca.nodes.Service
//!       properties:
//!         name: HelloWorld
//!         must-exist: true
//!     instance:
//!       type: tosca.nodes.ServiceInstance
//!       properties:
//!         name: first
//!       requirements:
//!         - owner:
//!             node: service
//!             relationship: tosca.relationships.BelongsToOne
//! ```
//!
//! # How an object is found
//!
//! By its *key*: the fields that its model marks as `tosca_key`, else `name`. A link may be part of a key. Where
//! nothing has the key, the object that the node of this name created before is taken, and gets the new key: so a
//! changed name renames, and does not make a second object. Otherwise a new object is created.
//!
//! # What is never touched
//!
//! A node with `must-exist: true` is found or the recipe is refused; it is never created and never deleted. An object
//! that somebody else made is changed as the recipe says, but never deleted for having left the recipe. Deleting an
//! object deletes what links to it, as it always does in XOS; a recipe that would delete one of its own nodes in this
//! way is refused. The password of a user that exists is left alone: what is stored of it cannot be compared.
//!
//! # What goes wrong
//!
//! A recipe with a fault changes nothing: unknown types, properties and nodes, wrong values, cycles, missing
//! requirements, objects that must exist and do not, unique values that are taken are all found before the first
//! write, and are reported together in one [`RecipeFault`]. When a write itself fails, [`RecipeError::Stopped`] says
//! what was done until then; applying the recipe again goes on from there.
//!
//! # Differences from XOS's own TOSCA engine
//!
//! That one saves every object of a recipe on every run, which synchronizes all of them again; forgets what it
//! created; writes until the first fault; and loops for ever on a cycle.

mod applied;
mod apply;
mod check;
mod convert;
mod fault;
mod order;
mod plan;
mod recipe;
mod report;
mod same;
mod yaml;

pub use applied::{Applied, AppliedNode, Memory, Settled};
pub use fault::{Fault, RecipeError, RecipeFault};
pub use plan::Plan;
pub use recipe::Recipe;
pub use report::{Done, NodeReport, Report};
