//! The trace that a request says it belongs to, as the W3C's "Trace Context" writes it: `traceparent`, `tracestate`.
//!
//! Anybody can say anything there. What is not exactly as the recommendation has it is as good as not said, and what is
//! said joins traces and does nothing else.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::random;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
const MAX_STATES: usize = 32;
/// What everybody has to pass on at least; nobody needs more.
const MAX_STATE_BYTES: usize = 512;

/// A place in a trace: below it, spans begin.
#[derive(Clone, Debug)]
pub(super) struct TraceContext {
    pub(super) span: SpanContext,
    /// What others keep in the trace, to be passed on. It is a peer's text, and so never a part of a span.
    state: Option<HeaderValue>,
    /// Whether a caller knows of it.
    pub(super) is_known: bool,
}

impl TraceContext {
    /// Reads what a request says.
    pub(super) fn received(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let (Some(parent), None) = (parents.next(), parents.next()) else {
            return None;
        };
        Some(Self { span: read_parent(parent.as_bytes())?, state: read_state(headers), is_known: true })
    }

    /// Begins a trace that nobody records.
    pub(super) fn begun() -> Self {
        let (trace, span) = (TraceId::from_bytes(random::name()), SpanId::from_bytes(random::name()));
        Self::at(SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, false, TraceState::NONE))
    }

    /// The place of a span of ours.
    pub(super) fn at(span: SpanContext) -> Self {
        Self { span, state: None, is_known: false }
    }

    /// The same trace, at another place of it.
    pub(super) fn moved_to(self, span: SpanContext) -> Self {
        Self { span, ..self }
    }

    /// Says to somebody else where in which trace they are asked.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let (trace, span) = (self.span.trace_id(), self.span.span_id());
        let flags = u8::from(self.span.is_sampled());
        if let Ok(parent) = HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}")) {
            headers.insert(TRACEPARENT, parent);
            if let Some(state) = &self.state {
                headers.insert(TRACESTATE, state.clone());
            }
        }
    }
}

/// `00-TRACE-SPAN-FLAGS`, in lower case. Later versions may go on behind that.
fn read_parent(parent: &[u8]) -> Option<SpanContext> {
    let (head, rest) = parent.split_at_checked(LENGTH)?;
    let mut parts = std::str::from_utf8(head).ok()?.split('-');
    let version = hex(parts.next()?, 2)?;
    let (trace, span, flags) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
    let goes_on_rightly = if version == "00" { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
    if version == "ff" || !goes_on_rightly || parts.next().is_some() {
        return None;
    }
    // Of the flags, only this one says something.
    let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.is_valid().then_some(context)
}

/// So many digits, in lower case.
fn hex(text: &str, length: usize) -> Option<&str> {
    let is_hex = text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then_some(text)
}

/// `KEY=VALUE,KEY=VALUE`, over any number of headers; nothing where any of it is wrong.
fn read_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let parts: Option<Vec<_>> = headers.get_all(TRACESTATE).iter().map(|part| part.to_str().ok()).collect();
    let members: Vec<_> = parts?
        .into_iter()
        .flat_map(|part| part.split(','))
        .map(|member| member.trim_matches([' ', '\t']))
        .collect();
    let members: Vec<_> = members.into_iter().filter(|member| !member.is_empty()).collect();
    let keys: Option<std::collections::HashSet<_>> = members.iter().map(|member| key_of(member)).collect();
    let is_right = keys?.len() == members.len() && members.len() <= MAX_STATES;
    let state = members.join(",");
    (is_right && !state.is_empty() && state.len() <= MAX_STATE_BYTES)
        .then(|| HeaderValue::try_from(state).ok())
        .flatten()
}

/// The key of a member that is well-formed.
fn key_of(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    let is_value = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    let is_right = !value.is_empty() && value.len() <= 256 && value.bytes().all(is_value);
    let is_key = match key.split_once('@') {
        None => is_word(key, 256) && key.starts_with(|first: char| first.is_ascii_lowercase()),
        Some((tenant, system)) => {
            is_word(tenant, 241)
                && is_word(system, 14)
                && system.starts_with(|first: char| first.is_ascii_lowercase())
        }
    };
    (is_right && is_key).then_some(key)
}

fn is_word(text: &str, longest: usize) -> bool {
    let is_first = |first: char| first.is_ascii_lowercase() || first.is_ascii_digit();
    let is_rest = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    text.len() <= longest && text.starts_with(is_first) && text.bytes().all(is_rest)
}

#[cfg(test)]
mod tests {
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
        Some((text(TRACEPARENT)?, text(TRACESTATE)))
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
            &PARENT[..54],
            &format!("{PARENT}-"),
            &format!("{PARENT}0"),
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
            &PARENT.replace("00f0", "+0f0"),
        ] {
            assert_eq!(parent(wrong), None, "{wrong}");
        }
        assert_eq!(passed_on(&[("traceparent", PARENT), ("traceparent", PARENT)]), None);
        assert_eq!(passed_on(&[("tracestate", "a=1")]), None);
    }

    #[test]
    fn a_state_is_passed_on_where_all_of_it_is_well_formed() {
        let state = |lines: &[&str]| {
            let lines = lines.iter().map(|line| ("tracestate", *line));
            passed_on(&[("traceparent", PARENT)].into_iter().chain(lines).collect::<Vec<_>>()).unwrap().1
        };
        assert_eq!(
            state(&["rojo=00f067aa0ba902b7, ,congo=t61rc"]).as_deref(),
            Some("rojo=00f067aa0ba902b7,congo=t61rc")
        );
        assert_eq!(state(&["a=1", "1b@c/d*e_f-g=h i"]).as_deref(), Some("a=1,1b@c/d*e_f-g=h i"));
        assert_eq!(state(&["1b@c23456789012345=d"]), None, "the system is too long");
        let many =
            |count: usize| (0..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        assert!(state(&[&many(32)]).is_some());
        for wrong in [
            "",
            "a",
            "a=",
            "=a",
            "A=1",
            "a=1,a=2",
            "a=b=c",
            "1a=1",
            "@a=1",
            "a@=1",
            "a=\u{e4}",
            &many(33),
            &format!("a={}", "x".repeat(257)),
        ] {
            assert_eq!(state(&[wrong]), None, "{wrong}");
        }
        let long: Vec<_> = (0..3).map(|number| format!("k{number}={}", "x".repeat(200))).collect();
        assert_eq!(state(&[&long.join(",")]), None);
    }

    #[test]
    fn a_trace_that_begins_here_differs_each_time_and_is_not_recorded() {
        let [one, other] = [TraceContext::begun(), TraceContext::begun()];
        assert!(one.span.is_valid() && !one.span.is_sampled());
        assert_ne!(one.span.trace_id(), other.span.trace_id());
    }
}
