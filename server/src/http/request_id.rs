//! The outermost layer: every request gets an id, an address, a span, and an answer whatever happens inside, and is counted.
//!
//! The span holds the method and the matched route only: no query string, no header, nothing that a peer
//! chose freely. A panic becomes a 500 that names the request's id and nothing else.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt as _;
use tracing::{Instrument as _, field};

use super::{
    answer, browser,
    client_address::ClientAddress,
    head,
    listener::PeerAddress,
    measured::{InFlight, known},
    state::HttpState,
};
pub use crate::graphql::RequestId;
use crate::telemetry;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs the rest of the router for one request.
pub(super) async fn identify(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let in_flight = InFlight::begin(&request);
    let id = RequestId::from((state.request_id)());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    // Never disabled, whatever is logged: it carries the trace.
    let span = tracing::error_span!(
        "request",
        request.id = %id,
        http.request.method = known(request.method()),
        http.route = route,
        trace_id = field::Empty,
        http.response.status_code = field::Empty,
        otel.name = %format_args!("{} {route}", known(request.method())),
        otel.kind = "server",
        otel.status_code = field::Empty,
    );
    telemetry::join(&span, request.headers());
    request.extensions_mut().insert(id.clone());
    if let Some(PeerAddress(peer)) = request.extensions().get().copied() {
        let client = state.settings.trusted_proxies.client_of(peer, request.headers());
        request.extensions_mut().insert(ClientAddress(client));
    }

    let refusal = head::refusal(&request, state.settings.listener.head_limit_bytes);
    let mut response = if let Some(refusal) = refusal {
        refusal
    } else {
        let handled = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
        handled.unwrap_or_else(|_payload| {
            span.in_scope(|| log_panic("a request", &id));
            answer::internal(&id)
        })
    };

    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let headers = response.headers_mut();
    browser::protect(headers, state.settings.strict_transport);
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
    in_flight.end(status);
    response
}

/// Says that `what` panicked, without what the panic said: that may hold what a peer sent.
pub(super) fn log_panic(what: &str, id: &RequestId) {
    tracing::error!(request.id = %id, "Handling {what} panicked; the peer was told of an internal fault, with the request's id.");
}
