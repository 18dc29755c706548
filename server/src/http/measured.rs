//! Requests, counted and measured: the layer around all others.
//!
//! The invariant: no label is anything that a peer chose freely. Routes are those of the router, and methods HTTP's own.

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use metrics::{SharedString, counter, gauge, histogram};
use tokio::time::Instant;

use super::request_id::known;

/// Runs the rest of the router for one request.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let mut in_flight = InFlight::of(&request);
    let response = next.run(request).await;
    in_flight.status = Some(response.status().as_u16());
    response
}

/// A request that is not answered yet. It is counted when it is dropped, so that one whose peer hung up counts too.
struct InFlight {
    method: &'static str,
    route: SharedString,
    status: Option<u16>,
    since: Instant,
}

impl InFlight {
    fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let route =
            route.map_or(SharedString::const_str("unmatched"), |path| path.as_str().to_owned().into());
        gauge!("countersign_http_requests_in_flight").increment(1);
        Self { method: known(request.method()), route, status: None, since: Instant::now() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("countersign_http_requests_in_flight").decrement(1);
        let route = std::mem::take(&mut self.route);
        histogram!("countersign_http_request_seconds", "route" => route.clone()).record(self.since.elapsed());
        let status = self.status.map_or(SharedString::const_str("gone"), |status| status.to_string().into());
        let labels = [("method", SharedString::const_str(self.method)), ("route", route), ("status", status)];
        counter!("countersign_http_requests_total", &labels).increment(1);
    }
}
