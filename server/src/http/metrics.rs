//! What was counted, for Prometheus, on a listener of its own: it is nobody's business but the operator's.

use std::sync::Arc;

use axum::{Router, http::header::CONTENT_TYPE, routing::get};

/// The text format of Prometheus, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The one route of that listener, `/metrics`; `render` gives the text.
pub fn metrics_router(render: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let render = Arc::new(render);
    Router::new().route("/metrics", get(async move || ([(CONTENT_TYPE, TEXT)], render())))
}
