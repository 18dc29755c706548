//! What is logged, where, and what never is; what is counted; and the spans that are exported.
//!
//! Logs go to standard error. Our own modules log at the level that is asked for; everybody else's are capped at INFO,
//! because some libraries log whole messages, and with them tokens, below that. Exported are spans of our own, and no
//! events: those hold what went wrong in somebody's words.

mod context;
mod counted;
mod described;
mod export;
mod json;
mod metrics;
mod process;
mod settings;
mod text;
mod trace;

pub use described::{Kind, Label, METRICS, Metric};
pub(crate) use metrics::Metrics;
use opentelemetry::{Context as OtelContext, trace::TraceContextExt as _};
pub use settings::{ExportHeaders, ExportSettings, LogFormat, TelemetrySettings};
pub(crate) use trace::{LOG_ONLY, Trace, join, pass_on};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::{DynFilterFn, Targets},
    fmt::{format::JsonFields, time::ChronoUtc},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use self::export::Export;

/// The spans of statements. A statement that belongs to nothing is one of those that look after things every few seconds.
const STATEMENT: &str = "database";

/// What ends with the process.
#[derive(Debug)]
pub(crate) struct Telemetry(Option<Export>);

impl Telemetry {
    /// Sends the spans that are left, for a few seconds at most. Blocks.
    pub(crate) fn end(self) {
        if let Some(export) = self.0 {
            export.end();
        }
    }
}

/// Starts logging and exporting, once for the process, within the runtime that it works in.
pub(crate) fn start(settings: &TelemetrySettings) -> anyhow::Result<Telemetry> {
    let TelemetrySettings { level, format, is_coloured, export } = settings;
    let export = export.as_ref().map(Export::start).transpose();
    if *format == LogFormat::Json || matches!(export, Ok(Some(_))) {
        trace::name_every_trace();
    }
    // A filter of each layer's own costs each span something: only where there are two layers.
    let started = match &export {
        Ok(None) | Err(_) => {
            tracing_subscriber::registry().with(logged(*level)).with(lines(*format, *is_coloured)).try_init()
        }
        Ok(Some(export)) => tracing_subscriber::registry()
            .with(lines(*format, *is_coloured).with_filter(logged(*level)))
            .with(spans(export).with_filter(exported()))
            .try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            // The message may hold anything; where it happened tells enough.
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panic");
        }));
    }
    tracing::debug!(level = %LevelFilter::current(), "logging");
    Ok(Telemetry(export?))
}

fn logged(level: Level) -> Targets {
    Targets::new()
        .with_default(level.min(Level::INFO))
        // A prefix: it covers the package `countersign-sandbox` as well.
        .with_target("countersign", level)
        // What it says is said again by the error that follows.
        .with_target("rustls_platform_verifier", LevelFilter::OFF)
}

fn lines<S>(format: LogFormat, is_coloured: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines
            .compact()
            .with_target(false)
            .with_timer(ChronoUtc::new("%H:%M:%S%.3f".to_owned()))
            .with_ansi(is_coloured)
            .fmt_fields(text::TextFields)
            .boxed(),
        LogFormat::Json => {
            lines.with_ansi(false).fmt_fields(JsonFields::new()).event_format(json::JsonLines).boxed()
        }
    }
}

fn spans<S>(export: &Export) -> impl Layer<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    tracing_opentelemetry::layer()
        .with_tracer(export.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
}

/// Our own spans, whatever is logged.
fn exported<S>() -> impl tracing_subscriber::layer::Filter<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let is_ours = |metadata: &Metadata<'_>| {
        metadata.is_span()
            && *metadata.level() <= Level::DEBUG
            && metadata.target().starts_with("countersign")
            && metadata.target() != LOG_ONLY
    };
    DynFilterFn::new(move |metadata: &Metadata<'_>, context: &Context<'_, S>| {
        let belongs_to_something =
            || context.lookup_current().is_some() || OtelContext::current().has_active_span();
        is_ours(metadata) && (metadata.name() != STATEMENT || belongs_to_something())
    })
    .with_max_level_hint(LevelFilter::DEBUG)
    .with_callsite_filter(move |metadata| {
        if is_ours(metadata) {
            tracing::subscriber::Interest::sometimes()
        } else {
            tracing::subscriber::Interest::never()
        }
    })
}
