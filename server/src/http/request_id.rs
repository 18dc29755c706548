//! The outermost layer: every request gets an id, an address, a span, and an answer whatever happens inside.
//!
//! The span holds the method and the matched route only: no query string, no header, nothing that a peer
//! chose freely. A panic becomes a 500 that names the request's id and nothing else.

use std::panic::AssertUnwindSafe;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::{answer, client_address::ClientAddress, listener::PeerAddress, state::HttpState};
pub use crate::graphql::RequestId;

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Runs the rest of the router for one request.
pub(super) async fn identify(State(state): State<HttpState>, mut request: Request, next: Next) -> Response {
    let id = RequestId::from((state.request_id)());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!("request", request.id = %id, http.method = known(request.method()), http.route = route);
    request.extensions_mut().insert(id.clone());
    if let Some(PeerAddress(peer)) = request.extensions().get().copied() {
        let client = state.settings.trusted_proxies.client_of(peer, request.headers());
        request.extensions_mut().insert(ClientAddress(client));
    }

    let handled = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = handled.unwrap_or_else(|_payload| {
        span.in_scope(|| log_panic("a request", &id));
        answer::internal(&id)
    });

    let headers = response.headers_mut();
    protect(headers, state.settings.strict_transport);
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(X_REQUEST_ID, id);
    }
    response
}

/// What an answer tells a browser: to keep nothing, guess nothing, frame nothing and run nothing; a page brings a policy of
/// its own (OWASP, HTTP Headers and REST Security cheat sheets).
fn protect(headers: &mut HeaderMap, strict_transport: bool) {
    const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
    const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    if strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
}

/// A method of HTTP's own; a peer may make up any other word.
fn known(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "other",
    }
}

/// Says that `what` panicked, without what the panic said: that may hold what a peer sent.
pub(super) fn log_panic(what: &str, id: &RequestId) {
    tracing::error!(request.id = %id, "Handling {what} panicked; the peer was told of an internal fault, with the request's id.");
}
