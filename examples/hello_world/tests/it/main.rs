//! The program as its user sees it, run as a program.

mod bad_input;
mod program;
mod support;
