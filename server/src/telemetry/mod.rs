//! What is logged, where, and what never is; and what is counted.
//!
//! Logs go to standard error. Our own modules log at the level that is asked for; everybody else's are capped at INFO,
//! because some libraries log whole messages, and with them tokens, below that.

mod metrics;
mod process;

pub(crate) use metrics::Metrics;
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    filter::Targets, fmt::time::ChronoUtc, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Starts logging, once for the process.
pub(crate) fn start(level: Level) {
    let others = level.min(Level::INFO);
    let filter = Targets::new()
        .with_default(others)
        .with_target("countersign", level)
        // What it says is said again by the error that follows.
        .with_target("rustls_platform_verifier", LevelFilter::OFF);
    let output = tracing_subscriber::fmt::layer()
        .compact()
        .with_target(false)
        .with_timer(ChronoUtc::new("%H:%M:%S%.3f".to_owned()))
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let started = tracing_subscriber::registry().with(filter).with(output).try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            // The message may hold anything; where it happened tells enough.
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panic");
        }));
    }
    tracing::debug!(level = %LevelFilter::current(), "logging");
}
