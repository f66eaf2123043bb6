//! Texts that nobody meant, for each of the languages that this crate reads.
//!
//! Each target takes bytes and makes a text of them, in one of four ways that the first byte chooses: the bytes as they
//! are, words of the language in any order, a text by its grammar with a mistake here and there, and a real file that
//! was damaged. `cargo test` gives each a bounded number of them, and the kept ones in `fuzz/__fuzz__`; `.ci/fuzz` runs
//! one for as long as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "fuzz/choices.rs"]
mod choices;
#[path = "fuzz/recipe.rs"]
mod recipe;
#[path = "fuzz/recipe_limits.rs"]
mod recipe_limits;
#[path = "fuzz/xproto.rs"]
mod xproto;
