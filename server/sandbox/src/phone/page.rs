//! The phone in a browser: plain HTML, CSS and ES modules without a build step, embedded in the program. It does what anybody
//! can do with the phone API. Invariant: it loads nothing from elsewhere, and runs nothing that does not stand in a file of
//! the folder `page`.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::routing::get;

use crate::emulator::Emulator;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const PAGE: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// Path, content type and text of each file.
const FILES: [(&str, &str, &str); 8] = [
    ("/", PAGE, include_str!("page/index.html")),
    ("/assets/phone.css", STYLE, include_str!("page/phone.css")),
    ("/assets/icon.svg", IMAGE, include_str!("page/icon.svg")),
    ("/assets/app.js", SCRIPT, include_str!("page/app.js")),
    ("/assets/api.js", SCRIPT, include_str!("page/api.js")),
    ("/assets/elements.js", SCRIPT, include_str!("page/elements.js")),
    ("/assets/requests.js", SCRIPT, include_str!("page/requests.js")),
    ("/assets/codes.js", SCRIPT, include_str!("page/codes.js")),
];

/// The routes of the page.
pub(super) fn router() -> Router<Arc<Emulator>> {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async move { (headers(kind), text) }))
    })
}

fn headers(kind: &'static str) -> [(HeaderName, HeaderValue); 5] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}
