//! Under construction.

pub mod args;
pub mod config;
