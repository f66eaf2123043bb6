//! Under construction.

pub mod args;
pub mod config;
#[doc(hidden)]
pub mod engine;
pub mod logging;
