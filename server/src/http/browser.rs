//! What answers tell browsers: the headers that keep a page from doing with an answer what it was not meant for.

use axum::http::{HeaderMap, HeaderValue, header};

/// Tells a browser to keep nothing, guess nothing, frame nothing and run nothing; a page brings a policy of its own, and what
/// everybody is given alike may be kept (OWASP, HTTP Headers and REST Security cheat sheets).
pub(super) fn protect(headers: &mut HeaderMap, strict_transport: bool) {
    const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
    const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    if strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
}
