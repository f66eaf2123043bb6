//! The embedded core through its public face.

mod basics;
mod common;
mod deletion;
mod feed;
mod files;
mod links;
mod models;
mod onboarding;
mod properties;
mod queries;
mod queries_naive;
mod saving;
mod validation;
