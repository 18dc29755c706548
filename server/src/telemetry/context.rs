//! The trace that a request belongs to, in the headers of the W3C's "Trace Context": `traceparent`, `tracestate`.
//!
//! Anybody can write anything there. What the headers say joins traces and does nothing else.

use http::{HeaderMap, HeaderName};
use opentelemetry::{
    Context as OtelContext,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::random;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The longest value that is read. Everybody has to pass on this much of a `tracestate`; nobody needs more.
const MAX_BYTES: usize = 512;

/// A place in a trace: below it, spans begin.
#[derive(Clone, Debug)]
pub(super) struct TraceContext {
    pub(super) span: SpanContext,
    /// What others keep in the trace, to be passed on. It is a peer's text, and so never a part of a span.
    state: TraceState,
    /// Whether a caller knows of it.
    pub(super) is_known: bool,
}

impl TraceContext {
    /// Reads the headers of a request; `None` where they name no trace.
    pub(super) fn received(headers: &HeaderMap) -> Option<Self> {
        let context =
            TraceContextPropagator::new().extract_with_context(&OtelContext::new(), &Received(headers));
        let span = context.span();
        let span = span.span_context();
        let state = span.trace_state().clone();
        span.is_valid().then(|| Self { span: with_state(span, TraceState::NONE), state, is_known: true })
    }

    /// Begins a trace that nobody records.
    pub(super) fn begun() -> Self {
        let (trace, span) = (TraceId::from_bytes(random::name()), SpanId::from_bytes(random::name()));
        Self::at(SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, false, TraceState::NONE))
    }

    /// The place of a span of ours.
    pub(super) fn at(span: SpanContext) -> Self {
        Self { span, state: TraceState::NONE, is_known: false }
    }

    /// The same trace, at another place of it.
    pub(super) fn moved_to(self, span: SpanContext) -> Self {
        Self { span, ..self }
    }

    /// Writes the headers of a request to somebody else.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let span = with_state(&self.span, self.state.clone());
        let context = OtelContext::new().with_remote_span_context(span);
        TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(headers));
        // The library writes an empty one as well, which nobody should send.
        if headers.get(TRACESTATE).is_some_and(http::HeaderValue::is_empty) {
            headers.remove(TRACESTATE);
        }
    }
}

fn with_state(span: &SpanContext, state: TraceState) -> SpanContext {
    SpanContext::new(span.trace_id(), span.span_id(), span.trace_flags(), span.is_remote(), state)
}

/// The headers of a request: each that is there once and is not too long, which the library does not check.
struct Received<'a>(&'a HeaderMap);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all(key).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Some(value).filter(|value| value.len() <= MAX_BYTES)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn passed_on(lines: &[(&'static str, &str)]) -> Option<(String, Option<String>)> {
        let mut written = HeaderMap::new();
        TraceContext::received(&headers(lines))?.write(&mut written);
        let text = |name| written.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        Some((text("traceparent")?, text("tracestate")))
    }

    fn parent(parent: &str) -> Option<String> {
        passed_on(&[("traceparent", parent)]).map(|(parent, _)| parent)
    }

    #[test]
    fn a_parent_is_taken_as_it_is_written() {
        assert_eq!(parent(PARENT).as_deref(), Some(PARENT));
        let unsampled = PARENT.replace("-01", "-00");
        assert_eq!(parent(&unsampled), Some(unsampled.clone()));
        // Flags that nobody has thought of yet.
        assert_eq!(parent(&PARENT.replace("-01", "-ff")).as_deref(), Some(PARENT));
        assert_eq!(parent(&PARENT.replace("-01", "-fe")), Some(unsampled));
    }

    #[test]
    fn a_parent_of_a_later_version_may_go_on() {
        let later = PARENT.replacen("00", "cc", 1);
        for written in [later.clone(), format!("{later}-"), format!("{later}-what the future-will be like")] {
            assert_eq!(parent(&written).as_deref(), Some(PARENT), "{written}");
        }
        assert_eq!(parent(&format!("{later}.what")), None);
    }

    #[test]
    fn a_parent_that_is_not_well_formed_is_none() {
        for wrong in [
            "",
            "00",
            &PARENT[..52],
            &format!("{PARENT}-00"),
            &format!("{PARENT}000"),
            &format!(" {PARENT} x"),
            &PARENT.to_uppercase(),
            &PARENT.replacen("00", "ff", 1),
            &PARENT.replacen("00", "0g", 1),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &PARENT.replace("b7-", "b7+"),
            &PARENT.replace('-', "_"),
            &PARENT.replace("4736-00f", "47360-0f"),
            &PARENT.replace("-01", "-0x"),
            &format!("{}-{}", PARENT.replacen("00", "cc", 1), "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(parent(wrong), None, "{wrong}");
        }
        assert_eq!(passed_on(&[("traceparent", PARENT), ("traceparent", PARENT)]), None);
        assert_eq!(passed_on(&[("tracestate", "a=1")]), None);
    }

    #[test]
    fn a_state_is_passed_on_where_it_is_well_formed_and_short() {
        let state = |lines: &[&str]| {
            let lines = lines.iter().map(|line| ("tracestate", *line));
            passed_on(&[("traceparent", PARENT)].into_iter().chain(lines).collect::<Vec<_>>()).unwrap().1
        };
        let whole = format!("a={},b={}", "x".repeat(251), "y".repeat(256));
        assert_eq!(whole.len(), MAX_BYTES);
        for right in ["rojo=00f067aa0ba902b7,congo=t61rc", "a=1,1b@c/d*e_f-g=h i", &whole] {
            assert_eq!(state(&[right]).as_deref(), Some(right));
        }
        for wrong in [
            "",
            "a",
            "A=1",
            "a=b=c",
            "@a=1",
            "1b@c23456789012345=d",
            "a=\u{e4}",
            &format!("a={}", "x".repeat(257)),
            &format!("{whole},c=z"),
        ] {
            assert_eq!(state(&[wrong]), None, "{wrong}");
        }
        assert_eq!(state(&["a=1", "b=2"]), None, "there twice");
    }

    #[test]
    fn what_others_keep_in_a_trace_is_no_part_of_a_span() {
        let lines = [("traceparent", PARENT), ("tracestate", "a=1")];
        let received = TraceContext::received(&headers(&lines)).unwrap();
        assert_eq!(received.span.trace_state(), &TraceState::NONE);
        assert_eq!(passed_on(&lines).unwrap().1.as_deref(), Some("a=1"));
    }

    #[test]
    fn a_trace_that_begins_here_differs_each_time_and_is_not_recorded() {
        let [one, other] = [TraceContext::begun(), TraceContext::begun()];
        assert!(one.span.is_valid() && !one.span.is_sampled());
        assert_ne!(one.span.trace_id(), other.span.trace_id());
    }
}
