//! The embedded core through its public face.

mod basics;
mod common;
