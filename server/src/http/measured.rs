//! Requests, counted and measured.
//!
//! The invariant: no label is anything that a peer chose freely. Routes are those of the router, and methods HTTP's own.

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
};
use metrics::{SharedString, counter, gauge, histogram};
use tokio::time::Instant;

/// A request that is not answered yet. It is counted when it is dropped, so that one whose peer hung up counts too.
pub(super) struct InFlight {
    method: &'static str,
    route: SharedString,
    status: Option<u16>,
    since: Instant,
}

impl InFlight {
    /// A request that has just come.
    pub(super) fn begin(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let route =
            route.map_or(SharedString::const_str("unmatched"), |path| path.as_str().to_owned().into());
        gauge!("countersign_http_requests_in_flight").increment(1);
        Self { method: known(request.method()), route, status: None, since: Instant::now() }
    }

    /// It is answered, and so ends.
    pub(super) fn end(mut self, status: StatusCode) {
        self.status = Some(status.as_u16());
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

/// A method of HTTP's own; a peer may make up any other word.
pub(super) fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
