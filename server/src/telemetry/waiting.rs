//! The spans that wait to be sent, and those that are lost, counted.
//!
//! The library drops what does not fit into its queue, and tells nobody how much. So what waits there is counted here, and
//! what would not fit is never given to it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use metrics::counter;
use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

/// How many spans wait. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// So many wait no longer.
    pub(super) fn leave(&self, spans: usize) {
        self.0.fetch_sub(spans, Ordering::AcqRel);
    }

    fn enter(&self, most: usize) -> bool {
        let has_room = self.0.fetch_add(1, Ordering::AcqRel) < most;
        if !has_room {
            self.leave(1);
        }
        has_room
    }
}

/// Counts spans that a collector had and did not take, or could not be given.
pub(super) fn count_not_sent(spans: usize) {
    count_dropped("not_sent", spans);
}

fn count_dropped(reason: &'static str, spans: usize) {
    let spans = u64::try_from(spans).unwrap_or(u64::MAX);
    counter!("countersign_spans_dropped_total", "reason" => reason).increment(spans);
}

/// Gives spans to a processor that holds only so many.
#[derive(Debug)]
pub(super) struct Bounded<Next> {
    pub(super) next: Next,
    /// Whoever takes spans from the processor says so here.
    pub(super) waiting: Waiting,
    pub(super) most: usize,
}

impl<Next: SpanProcessor> SpanProcessor for Bounded<Next> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.enter(self.most) {
            self.next.on_end(span);
        } else {
            count_dropped("queue_full", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    use super::*;

    /// A queue out of which nobody takes anything, and how many it has been given.
    #[derive(Clone, Debug, Default)]
    struct Queue(Arc<AtomicUsize>);

    impl SpanProcessor for Queue {
        fn on_start(&self, _span: &mut Span, _context: &Context) {}

        fn on_end(&self, _span: SpanData) {
            self.0.fetch_add(1, Ordering::AcqRel);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_what_has_left_makes_room() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let (queue, waiting) = (Queue::default(), Waiting::default());
        let bounded = Bounded { next: queue.clone(), waiting: waiting.clone(), most: 2 };
        let provider = SdkTracerProvider::builder().with_span_processor(bounded).build();
        let tracer = provider.tracer("test");
        let after = |spans: usize| {
            metrics::with_local_recorder(&recorder, || {
                (0..spans).for_each(|_| tracer.start("span").end());
            });
            let text = recorder.handle().render();
            let dropped = text.lines().find_map(|line| {
                line.strip_prefix("countersign_spans_dropped_total{reason=\"queue_full\"} ")
            });
            (queue.0.load(Ordering::Acquire), dropped.map(ToOwned::to_owned))
        };
        assert_eq!(after(2), (2, None));
        assert_eq!(after(3), (2, Some("3".to_owned())));
        waiting.leave(1);
        assert_eq!(after(2), (3, Some("4".to_owned())));
    }
}
