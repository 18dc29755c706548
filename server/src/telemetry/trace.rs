//! Which trace a piece of work belongs to, wherever it is asked: the spans of `tracing` carry it.
//!
//! With an export, the exported spans say where in the trace one is; without one, it is what the caller said, untouched.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
};

use http::HeaderMap;
use opentelemetry::{
    Context as OtelContext,
    trace::{SpanContext, TraceContextExt as _},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Registry, registry::LookupSpan as _};

use super::context::TraceContext;

/// The target of spans that are there for the log alone.
pub(crate) const LOG_ONLY: &str = "countersign::log_only";

/// Whether a trace is named in the log although nobody but us knows of it.
static NAMES_EVERY_TRACE: AtomicBool = AtomicBool::new(false);

pub(super) fn name_every_trace() {
    NAMES_EVERY_TRACE.store(true, Ordering::Relaxed);
}

/// Has the span of a request, which has an empty field `trace_id`, join the trace that the request names; without one,
/// begins a trace.
pub(crate) fn join(span: &Span, headers: &HeaderMap) {
    let received = TraceContext::received(headers);
    if let Some(context) = &received {
        // Refused where nothing is exported.
        let _ = span.set_parent(OtelContext::new().with_remote_span_context(context.span.clone()));
    }
    let context = match (received, exported(span)) {
        (Some(received), Some(span)) => received.moved_to(span),
        (Some(received), None) => received,
        (None, Some(span)) => TraceContext::at(span),
        (None, None) => TraceContext::begun(),
    };
    carry(span, context);
}

/// Says to whom is asked within which trace that is.
pub(crate) fn pass_on(headers: &mut HeaderMap) {
    let span = Span::current();
    let context = match (kept(&span), exported(&span)) {
        (Some(context), Some(span)) => context.moved_to(span),
        (Some(context), None) => context,
        (None, Some(span)) => TraceContext::at(span),
        (None, None) => return,
    };
    context.write(headers);
}

/// The place of an exported span; `None` where it is not exported.
fn exported(span: &Span) -> Option<SpanContext> {
    let context = span.context();
    let span = context.span();
    Some(span.span_context()).filter(|context| context.is_valid()).cloned()
}

/// Has a span keep its place, and name the trace where somebody may look for it.
fn carry(span: &Span, context: TraceContext) {
    if context.is_known || NAMES_EVERY_TRACE.load(Ordering::Relaxed) {
        span.record("trace_id", tracing::field::display(context.span.trace_id()));
    }
    span.with_subscriber(|(id, subscriber)| {
        if let Some(span) = subscriber.downcast_ref::<Registry>().and_then(|registry| registry.span(id)) {
            span.extensions_mut().replace(context);
        }
    });
}

/// What a span or one around it keeps.
fn kept(span: &Span) -> Option<TraceContext> {
    let found = span.with_subscriber(|(id, subscriber)| {
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        span.scope().find_map(|span| span.extensions().get::<TraceContext>().cloned())
    });
    found.flatten()
}

/// The trace of a request, for what goes on long after it: a socket. Its spans still join the trace, and none is open while
/// it waits.
pub(crate) struct Trace(Option<Box<TraceContext>>);

impl Trace {
    /// That of the current span.
    pub(crate) fn current() -> Self {
        Self(kept(&Span::current()).map(Box::new))
    }

    /// Has work join the trace. `make_span` gives what its log lines are to say, and is asked each time that there is something
    /// to do: the span is of the target [`LOG_ONLY`], and has an empty field `trace_id`.
    pub(crate) fn follow<Work, MakeSpan>(self, work: Work, make_span: MakeSpan) -> Following<Work, MakeSpan>
    where
        Work: Future,
        MakeSpan: Fn() -> Span + Unpin,
    {
        Following { work: Box::pin(work), make_span, trace: self }
    }
}

/// Work that follows a request.
pub(crate) struct Following<Work, MakeSpan> {
    work: Pin<Box<Work>>,
    make_span: MakeSpan,
    trace: Trace,
}

impl<Work: Future, MakeSpan: Fn() -> Span + Unpin> Future for Following<Work, MakeSpan> {
    type Output = Work::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let span = (this.make_span)();
        let _attached = this.trace.0.as_deref().map(|trace| {
            carry(&span, trace.clone());
            OtelContext::new().with_remote_span_context(trace.span.clone()).attach()
        });
        span.in_scope(|| this.work.as_mut().poll(context))
    }
}
