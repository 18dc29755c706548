//! What the scenarios stand on: a service and a sandbox, people with phones, and a log that is searched.
//!
//! Each scenario has a [`World`] of its own: a service on free ports, in this process or in one of its own, a folder, a database, phones. Nothing is shared, so
//! scenarios run in any order and at once. When a world ends, everything secret that it has seen is searched for in
//! what its processes logged, at TRACE.

#![expect(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a harness fails by panicking")]

mod app;
mod balancer;
mod browser;
mod callback;
mod canned;
mod captured;
mod collector;
mod database;
mod fleet;
mod meter;
mod person;
mod planted;
mod process;
mod proxy;
mod raw;
mod recorder;
mod report;
mod scene;
mod settings;
mod world;

pub use browser::{Browser, Visitor, Window};
pub use callback::Callback;
pub use canned::{say_always, say_always_by_tls, say_by_path, say_nothing};
pub use collector::{Collector, Export, attribute};
pub use database::Database;
pub use fleet::{Fleet, FleetBuilder};
pub use meter::{Counts, Meter};
pub use person::Person;
pub use planted::Planted;
pub use process::{Finished, Process, run, run_with_input};
pub use proxy::{Line, Proxy};
pub use raw::{Raw, allow_open_files};
pub use recorder::Recorder;
pub use report::{in_time, percentiles};
pub use scene::Scene;
pub use settings::raised_budgets;
pub use throwaway::{report, require};
pub use world::{World, WorldBuilder};
