//! The wire, tested over the wire: a really bound listener, a toy schema, clients that speak by hand.
//!
//! Waiting is for events; the deadline around each wait only turns a hang into a failure.

mod admission;
mod clients;
mod counting;
mod error_codes;
mod graphql;
mod harness;
mod listener;
mod pages;
mod raw;
mod routes;
mod schema;
mod sleeping;
mod socket;
mod socket_limits;
mod variables;
