//! What tests start for themselves: PostgreSQL, NATS and Chromium, from the programs found on this machine.
//!
//! Nothing outlives the test process, however that ends: a small shell script beside each one kills it and removes
//! its folder when a pipe that the test process holds is closed. Where a program is missing, [`require`] says so in one
//! line, or fails the test that `TESTS_REQUIRE` insists on. [`report`] is how tests tell what they have measured,
//! [`open_socket`] how those begin that speak to a socket by hand.

#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests fail by panicking")]

mod certificate;
mod chromium;
mod database;
mod handshake;
mod nats;
mod postgres;
mod programs;
mod report;
mod require;
mod watchdog;

pub use certificate::Certificate;
pub use chromium::Chromium;
pub use database::{Database, Held};
pub use handshake::{open_socket, read_head};
pub use nats::Nats;
pub use postgres::Cluster;
pub use programs::free_port;
pub use report::report;
pub use require::require;
