//! Spans on their way to a collector: OTLP over HTTP, in batches, in the background.
//!
//! The invariant: no request notices whether the collector is there, slow or away. The library drops the spans that do not
//! fit into its queue or cannot be sent; the service warns once, and counts them (`counted.rs`). Everything that the library's
//! own environment variables could change is set here, so that nothing but the checked settings applies.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::Context as _;
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use opentelemetry::{
    Context as OtelContext, KeyValue,
    trace::{Link, SpanKind, TraceId, TracerProvider as _},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracer, SdkTracerProvider,
        ShouldSample, SpanLimits,
    },
};
use reqwest::{Client, redirect};
use tokio::runtime::Handle;

use super::{ExportSettings, counted::Counted};
use crate::random;

/// Spans that wait to be sent; further ones are dropped.
const QUEUE: usize = 8_192;
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);
/// How long one batch may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long the process waits at its end for what is still to be sent.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// What is exported, and how it ends.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// Begins to export. The runtime in which this is called sends the batches.
    pub(super) fn start(settings: &ExportSettings) -> anyhow::Result<Self> {
        let resource = Resource::builder_empty()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new(
                "service.instance.id",
                uuid::Uuid::from_bytes(random::bytes()).to_string(),
            ))
            .build();
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let exporter = exporter(settings).context("traces cannot be exported")?;
        let processor = BatchSpanProcessor::builder(Counted(exporter)).with_batch_config(batches).build();
        let sampler = Sampler::ParentBased(Box::new(OfTraces(settings.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_span_limits(SpanLimits::default())
            .with_span_processor(Counted(processor))
            .build();
        Ok(Self(provider))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("countersign")
    }

    /// Sends what is left, if it can be sent soon. Blocks.
    pub(super) fn end(self) {
        if self.0.shutdown_with_timeout(FLUSH_WITHIN).is_err() {
            tracing::debug!("the last spans were not exported");
        }
    }
}

fn exporter(settings: &ExportSettings) -> anyhow::Result<SpanExporter> {
    let mut url = settings.endpoint.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["v1", "traces"]);
    }
    SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(settings)?)
        .with_endpoint(url)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .build()
        .context("traces cannot be exported")
}

/// Which of the traces that begin here are exported: so many of them, and none that only asks whether we live.
#[derive(Clone, Debug)]
struct OfTraces(f64);

impl ShouldSample for OfTraces {
    fn should_sample(
        &self,
        parent: Option<&OtelContext>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_probe = name.contains(" /health/");
        let share = if is_probe { Sampler::AlwaysOff } else { Sampler::TraceIdRatioBased(self.0) };
        share.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// Sends batches with our own client, and warns once when the collector does not take them.
struct Collector {
    client: Client,
    runtime: Handle,
    is_away: AtomicBool,
}

impl Collector {
    fn new(settings: &ExportSettings) -> reqwest::Result<Self> {
        let mut headers: HeaderMap = settings.headers.0.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let client = Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(TIMEOUT)
            // A collector that redirects us would have the headers sent there.
            .redirect(redirect::Policy::none())
            .referer(false);
        let client = settings.proxy.apply(client)?.build()?;
        Ok(Self { client, runtime: Handle::current(), is_away: AtomicBool::new(false) })
    }

    /// Sends a batch, and returns the status of the answer or the reason for which there is none.
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, &'static str> {
        // Without the request's headers: the library reads some from variables that no setting has checked.
        let (client, url) = (self.client.clone(), request.uri().to_string());
        // Made within the runtime too: a request with a timeout needs its timer from the start.
        let sending = async move { client.post(url).body(request.into_body()).send().await };
        let answer = self.runtime.spawn(sending).await.map_err(|_| "the process ends")?;
        answer.map(|answer| answer.status()).map_err(|error| reason(&error))
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Called by the library's own thread, outside the runtime. Reads nothing of the answer but its status.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request).await;
        let reason = match sent {
            Ok(status) if status.is_success() => None,
            Ok(status) => Some(format!("the collector answers {}", status.as_u16())),
            Err(reason) => Some(reason.to_owned()),
        };
        match reason {
            None if self.is_away.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are exported again");
            }
            Some(reason) if !self.is_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(reason, "traces cannot be exported, and are dropped meanwhile");
            }
            _ => {}
        }
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = sent?;
        Ok(answer)
    }
}

/// Why nothing was sent; never the URL.
fn reason(error: &reqwest::Error) -> &'static str {
    match error {
        error if error.is_timeout() => "the collector takes too long",
        error if error.is_connect() => "the collector cannot be reached",
        _ => "the connection to the collector broke",
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collector").finish_non_exhaustive()
    }
}
