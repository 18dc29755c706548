//! What was counted, for Prometheus, and how background tasks are doing, on a listener of its own: for the operator alone.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};

/// The text format of Prometheus, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const JSON: &str = "application/json";

/// `/metrics`, a route of the operator's listener; `render` gives the text.
pub fn metrics_router(render: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let render = Arc::new(render);
    let read = async move || {
        // Rendering reads files and writes thousands of lines: whoever logs in does not wait for that.
        let rendered = tokio::task::spawn_blocking(move || render()).await;
        rendered
            .map(|text| ([(CONTENT_TYPE, TEXT)], text))
            .map_err(|_panicked| StatusCode::INTERNAL_SERVER_ERROR)
    };
    Router::new().route("/metrics", get(read))
}

/// `/background`, a route of the operator's listener; `render` gives the statuses of the background tasks, as JSON.
pub fn background_router(render: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let render = Arc::new(render);
    Router::new().route("/background", get(async move || ([(CONTENT_TYPE, JSON)], render())))
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Request,
    };
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn counts_are_rendered_by_no_thread_that_serves() {
        let thread = || format!("{:?}", std::thread::current().id());
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let answer = metrics_router(thread).oneshot(request).await.unwrap();
        assert_eq!(answer.headers()[CONTENT_TYPE], TEXT);
        let rendered_by = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        assert_ne!(rendered_by, thread());
    }
}
