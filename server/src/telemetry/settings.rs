//! How a process tells what it does.

use std::fmt;

use http::HeaderMap;
use tracing::Level;
use url::Url;

use crate::outgoing::OutgoingProxy;

/// How a process tells what it does.
#[derive(Debug)]
pub struct TelemetrySettings {
    /// How much is logged.
    pub level: Level,
    /// What a line of the log looks like.
    pub format: LogFormat,
    /// Whether the log may contain colours, where it is text.
    pub is_coloured: bool,
    /// Where spans are sent, if anywhere.
    pub export: Option<ExportSettings>,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// Where spans are sent, and how many.
#[derive(Debug)]
pub struct ExportSettings {
    /// What the spans say of the service that made them.
    pub service_name: String,
    /// The collector: `/v1/traces` follows.
    pub endpoint: Url,
    /// What is said to it with each batch.
    pub headers: ExportHeaders,
    /// The proxy that batches go through, if any.
    pub proxy: OutgoingProxy,
    /// Of the traces that begin here, how many are exported: from 0 to 1.
    pub sample_ratio: f64,
}

/// Headers that may hold a secret: their `Debug` shows nothing.
#[derive(Clone, Default)]
pub struct ExportHeaders(pub HeaderMap);

impl fmt::Debug for ExportHeaders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} headers", self.0.len())
    }
}
