//! Countersign: a login service with two factors behind one GraphQL schema.
//!
//! The map. A request goes down the first line, a verdict of the phone comes back up the second:
//!
//! ```text
//! request   http ─► graphql ─► users · sessions · logins ─► storage · provider · events ─► model
//! verdict   provider's callback ─► http ─► logins ─► storage ─► events ─► graphql subscription ─► WebSocket
//! ```
//!
//! Singular is a thing, plural is what is done with such things. Imports go one way, down the first line;
//! `server/tests/layers.rs` holds them to it.

use std::process::ExitCode;

pub mod app;
pub mod approvals;
mod audit;
pub mod background;
pub mod clock;
mod command;
pub mod config;
mod doctor;
pub mod events;
pub mod graphql;
pub mod housekeeping;
pub mod http;
pub mod limits;
pub mod logins;
pub mod model;
pub mod network;
pub mod outgoing;
pub mod provider;
pub mod random;
pub mod sessions;
pub mod storage;
pub mod telemetry;
pub mod timekeeping;
pub mod users;

#[cfg(feature = "sandbox")]
pub use command::DevService;

/// The program: reads the settings, runs the command, tells how it went.
///
/// Exit codes: 0 fine, 1 failed, 2 wrong settings.
#[must_use]
pub fn main() -> ExitCode {
    let command = match config::read() {
        Ok(command) => command,
        Err(error) => return error.exit(),
    };
    // Before any connection: two crypto providers in one binary make rustls panic, unless one is chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: config::Run) -> anyhow::Result<ExitCode> {
    let config::Run { task, telemetry: settings, unknown_names } = command;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let telemetry = {
        let _within = runtime.enter();
        telemetry::start(&settings)?
    };
    if settings.export.as_ref().is_some_and(config::are_headers_in_the_clear) {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is not https: others on the way can read OTEL_EXPORTER_OTLP_HEADERS"
        );
    }
    if !unknown_names.is_empty() {
        let names = unknown_names.join(", ");
        tracing::warn!(names, ".env has names that no setting has; correct or remove them");
    }
    let result = runtime.block_on(command::run(task));
    // While there is still a runtime to send with.
    telemetry.end();
    // What still runs has had its time.
    runtime.shutdown_background();
    result
}
