//! How many spans ended, and how many of them the collector received.
//!
//! The library drops what does not fit into its queue and counts it nowhere that others can read. So the service counts both
//! ends: the difference is what waits in the queue, at most a second, and what was dropped.

use std::{fmt, time::Duration};

use metrics::counter;
use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};

/// A processor that counts the spans that ended, or an exporter that counts those it sent.
pub(super) struct Counted<Next>(pub(super) Next);

impl<Next: SpanProcessor> SpanProcessor for Counted<Next> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        counter!("countersign_spans_ended_total").increment(1);
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<Next: SpanExporter> SpanExporter for Counted<Next> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.0.export(batch).await?;
        counter!("countersign_spans_exported_total").increment(spans);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// Shows nothing of the exporter: it may hold headers with a secret.
impl<Next> fmt::Debug for Counted<Next> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Counted").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::{
        error::OTelSdkError,
        trace::{SdkTracerProvider, SimpleSpanProcessor},
    };

    use super::*;

    /// A collector that takes only the spans of this name.
    #[derive(Debug)]
    struct Picky(&'static str);

    impl SpanExporter for Picky {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let is_taken = batch.iter().all(|span| span.name == self.0);
            if is_taken { Ok(()) } else { Err(OTelSdkError::InternalFailure(String::new())) }
        }
    }

    #[test]
    fn spans_that_the_collector_does_not_take_are_the_difference() {
        let recorder = PrometheusBuilder::new().build_recorder();
        // Exports each span at its end, in the same thread: the recorder is the thread's own.
        let processor = SimpleSpanProcessor::new(Counted(Picky("taken")));
        let provider = SdkTracerProvider::builder().with_span_processor(Counted(processor)).build();
        let tracer = provider.tracer("test");
        metrics::with_local_recorder(&recorder, || {
            for name in ["taken", "refused", "taken", "refused", "refused"] {
                tracer.start(name).end();
            }
        });
        let text = recorder.handle().render();
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("countersign_spans_")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.contains(&"countersign_spans_ended_total 5"), "{text}");
        assert!(lines.contains(&"countersign_spans_exported_total 2"), "{text}");
    }
}
