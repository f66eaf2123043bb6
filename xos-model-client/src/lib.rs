//! What an XOS model is, and every way to reach one.
//!
//! A *model* is a Rust struct with `#[derive(XosModel)]`. Its [`ModelDef`] says what the core must know of it; a
//! [`Schema`] is a set of models that fit together. Objects travel as [`Record`]s, laid out by the caller's
//! [`Shape`], through one trait: [`ModelAccessor`]. The embedded core and the client of a remote core implement it,
//! and [`ModelClient`] gives the typed view on it.
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accessor;
mod client;
#[doc(hidden)]
pub mod compared;
mod conveniences;
mod core_version;
mod error;
mod field;
#[cfg(feature = "grpc")]
pub mod grpc;
mod link;
mod model;
pub mod models;
mod objects;
mod origin;
mod query;
mod record;
mod rules;
mod schema;
mod secret;
mod spec;
pub mod tosca;
mod value;
pub mod xproto;

#[doc(hidden)]
pub mod __private;

pub use accessor::{
    Abilities, Caller, Change, Cleanup, Cursor, Feed, FieldPos, Found, Guard, LoadModels, LoadState,
    ModelAccessor, ModelsStatus, Onboard, Onboarded, Op, Page, ServiceFile, ServiceFiles, Target, Term,
    Touch, Version, Why, Write, Written,
};
pub use client::{Changed, Deleted, ModelClient, changed_fields};
pub use core_version::CoreVersion;
pub use error::{Error, ErrorKind, FieldFault, Result, StoreTrouble, closest};
pub use field::{Choice, Condition, ConvertFault, Field, FieldType, LinkType, Optional, RecordReader};
pub use link::{LeadsTo, Link, Links, PointsAt};
pub use model::{
    ChoiceDef, DefaultValue, FieldDef, FieldName, IsA, Kind, LinkDef, Model, ModelDef, ModelName, Names,
    Presence, ValidatorDef,
};
pub use objects::Objects;
pub use origin::Origin;
pub use query::{Cond, Operator, Query, QueryKind};
pub use record::{Record, Revision, Shape, ShapeField};
pub use schema::{FieldInfo, ModelId, ModelInfo, ObjectKey, ReverseLink, Schema, SchemaFault};
pub use secret::{Masks, Secret};
pub use value::{ObjectId, Timestamp, Value};
pub use xos_sync_derive::{XosChoice, XosModel};
