//! The built program under what a machine does to it: kills, full disks, lost files, clocks that jump.
//!
//! What happens is judged from the outside: the log is what the program did to the world (it says hello), the database is
//! looked at through a second connection, and a second process, this one, changes objects over the Unix socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod clock;
mod disk;
mod driver;
mod files;
mod inside;
mod kills;
mod oracle;
mod outside;
mod permissions;
mod random;
mod scene;
mod signals;
mod trouble;
