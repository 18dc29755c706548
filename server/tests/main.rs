//! What holds the house together: the directions of imports, the published schema, the settings, the contract of
//! storage, what the wire may cost, and what people are told who build on the schema or run the service.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod countries;
mod cycles;
mod frontend;
mod layers;
mod metrics;
mod phones;
mod providers;
mod schema;
// Without it there are fewer settings than `.env.sample` names.
#[cfg(feature = "sandbox")]
mod settings;
mod storage;
mod wire;
