//! Spans on their way to a collector: OTLP over HTTP, in batches, off the way of requests.
//!
//! The invariant: whether a collector is there, is slow or is away, no request notices. What does not fit into the queue and
//! what cannot be sent is dropped; that is said once, not each time, and counted.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use http::{HeaderMap, HeaderValue, header};
use opentelemetry::{
    Context as OtelContext, KeyValue,
    trace::{Link, SpanKind, TraceId, TracerProvider as _},
};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{
        common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracer, SdkTracerProvider,
        ShouldSample, SpanData, SpanExporter,
    },
};
use prost::Message as _;
use reqwest::{Client, redirect};
use tokio::runtime::Handle;
use url::Url;

use super::{
    ExportSettings,
    waiting::{Bounded, Waiting, count_not_sent},
};
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
    /// Begins to export. Batches are sent by the runtime in which this is called.
    pub(super) fn start(settings: &ExportSettings) -> anyhow::Result<Self> {
        let resource = Resource::builder_empty()
            .with_service_name("countersign")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new(
                "service.instance.id",
                uuid::Uuid::from_bytes(random::bytes()).to_string(),
            ))
            .build();
        let collector = Collector::new(settings, &resource).context("traces cannot be exported")?;
        let waiting = collector.waiting.clone();
        // All of it is said here, so that no variable of the library's own says it.
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let next = BatchSpanProcessor::builder(collector).with_batch_config(batches).build();
        let processor = Bounded { next, waiting, most: QUEUE };
        let sampler = Sampler::ParentBased(Box::new(OfTraces(settings.sample_ratio)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_span_processor(processor)
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

/// Where spans go.
struct Collector {
    client: Client,
    url: Url,
    runtime: Handle,
    resource: ResourceAttributesWithSchema,
    is_away: Arc<AtomicBool>,
    waiting: Waiting,
}

impl Collector {
    fn new(settings: &ExportSettings, resource: &Resource) -> reqwest::Result<Self> {
        let mut headers: HeaderMap = settings.headers.0.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let client = Client::builder()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .timeout(TIMEOUT)
            // A collector that sends us elsewhere would have the headers sent there.
            .redirect(redirect::Policy::none())
            .referer(false);
        let client = settings.proxy.apply(client)?.build()?;
        let mut url = settings.endpoint.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["v1", "traces"]);
        }
        let (runtime, is_away, waiting) = (Handle::current(), Arc::default(), Waiting::default());
        Ok(Self { client, url, runtime, resource: resource.into(), is_away, waiting })
    }
}

impl SpanExporter for Collector {
    /// Called by a thread of its own, outside the runtime.
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let spans = batch.len();
        self.waiting.leave(spans);
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let request = self.client.post(self.url.clone()).body(body);
        let sent = self.runtime.spawn(async move {
            let answer = request.send().await.map_err(|error| reason(&error))?;
            let status = answer.status();
            if status.is_success() {
                Ok(())
            } else {
                Err(format!("the collector answers {}", status.as_u16()))
            }
        });
        let is_away = self.is_away.clone();
        async move {
            let sent = sent.await.unwrap_or_else(|_| Err("the process ends".to_owned()));
            match &sent {
                Ok(()) if is_away.swap(false, Ordering::Relaxed) => {
                    tracing::info!("traces are exported again");
                }
                Err(reason) if !is_away.swap(true, Ordering::Relaxed) => {
                    tracing::warn!(reason, "traces cannot be exported, and are dropped meanwhile");
                }
                _ => {}
            }
            if sent.is_err() {
                count_not_sent(spans);
            }
            sent.map_err(OTelSdkError::InternalFailure)
        }
    }
}

/// Why nothing was sent; never the URL.
fn reason(error: &reqwest::Error) -> String {
    let reason = match error {
        error if error.is_timeout() => "the collector takes too long",
        error if error.is_connect() => "the collector cannot be reached",
        _ => "the connection to the collector broke",
    };
    reason.to_owned()
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collector").finish_non_exhaustive()
    }
}
