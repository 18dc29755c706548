//! What answers tell browsers: the headers that keep a page from doing with an answer what it was not meant for.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::settings::StrictTransport;

/// Tells a browser to keep nothing, guess nothing, frame nothing and run nothing; a page brings a policy of its own, and what
/// everybody is given alike may be kept (OWASP, HTTP Headers and REST Security cheat sheets).
pub(super) fn protect(headers: &mut HeaderMap, strict_transport: Option<StrictTransport>) {
    const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
    const WITH_SUBDOMAINS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
    const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
    const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    // Neither keeps a page from asking by CORS where that is allowed.
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, SAME_ORIGIN);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, SAME_ORIGIN);
    match strict_transport {
        Some(StrictTransport::Host) => headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS),
        Some(StrictTransport::WithSubdomains) => {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, WITH_SUBDOMAINS)
        }
        None => None,
    };
}
