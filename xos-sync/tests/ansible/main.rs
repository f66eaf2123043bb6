//! Steps that run the real `ansible-playbook`, on this machine and over ssh to a server of our own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod ends;
mod local;
mod ssh;
mod support;
