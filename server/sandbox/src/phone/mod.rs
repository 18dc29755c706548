//! The phone API: what a finger does, what a phone shows, and how the sandbox is played with. It has no key,
//! so it is open to whoever reaches the port. Invariant: no page of another origin can write to it, and no
//! foreign host name reaches it unless the sandbox is exposed.

mod controls;
mod devices;
mod events;
mod page;

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State as Given};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::emulator::Emulator;

/// Bytes of a body.
const MAXIMAL_BODY: usize = 64 * 1024;

/// The routes of the phone API, and of the page that stands on it.
pub(super) fn router(emulator: &Arc<Emulator>) -> Router<Arc<Emulator>> {
    Router::new()
        .merge(page::router())
        .route("/phone/events", get(events::follow))
        .route("/phone/devices", get(devices::list))
        .route("/phone/devices/{authy_id}", get(devices::show).merge(patch(devices::change)))
        .route("/phone/approval_requests/{uuid}", post(devices::answer))
        .route("/phone/defaults", get(controls::show_defaults).merge(put(controls::set_defaults)))
        .route("/phone/callback", get(controls::show_callback).merge(put(controls::set_callback)))
        .route("/phone/callback/trial", post(controls::send_trial))
        .route(
            "/phone/faults",
            get(controls::show_faults).merge(put(controls::set_faults)).delete(controls::clear_faults),
        )
        .route("/phone/calls", get(controls::show_calls).delete(controls::forget_calls))
        .route("/phone/clock", get(controls::show_clock).merge(put(controls::advance_clock)))
        .layer(DefaultBodyLimit::max(MAXIMAL_BODY))
        .layer(from_fn_with_state(Arc::clone(emulator), guard))
}

/// An answer that says no: `{"error": …}`.
pub(super) struct Complaint(pub(super) StatusCode, pub(super) &'static str);

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

/// A body, whatever content type it claims.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Complaint> {
    serde_json::from_slice(body)
        .map_err(|_| Complaint(StatusCode::BAD_REQUEST, "the body is not what this route takes"))
}

async fn guard(
    Given(emulator): Given<Arc<Emulator>>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let response = match complaint(&method, request.headers(), emulator.exposed) {
        Some(complaint) => Complaint(StatusCode::FORBIDDEN, complaint).into_response(),
        None => next.run(request).await,
    };
    let endpoint = route.as_ref().map_or("unknown", MatchedPath::as_str);
    let status = response.status().as_u16();
    // An open page looks whenever something changes: that is no news.
    if method.is_safe() {
        tracing::debug!(%method, endpoint, status, "the sandbox's phone was looked at");
    } else {
        tracing::info!(%method, endpoint, status, "the sandbox's phone answered");
    }
    response
}

/// Why a browser must not do this.
fn complaint(method: &Method, headers: &HeaderMap, exposed: bool) -> Option<&'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(header::HOST).unwrap_or_default();
    if !exposed && !is_loopback(host) {
        return Some("the phone API answers to loopback names only");
    }
    let is_write = !method.is_safe();
    let is_foreign = text(header::ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host));
    (is_write && is_foreign).then_some("another origin must not write to the phone API")
}

/// Whether the value of `Host` names this machine only.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_addresses_are_known() {
        for host in [
            "localhost",
            "localhost:3001",
            "a.localhost:1",
            "127.0.0.1:3001",
            "127.1.2.3",
            "[::1]:3001",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "evil.example", "evil.example:3001", "localhost.evil.example", "10.0.0.1:3001", "[::2]:1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_exposed_phone_still_refuses_writes_of_other_origins() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "phone.example:3001".parse().unwrap());
        headers.insert(header::ORIGIN, "http://phone.example:3001".parse().unwrap());
        assert!(complaint(&Method::PUT, &headers, true).is_none());
        for origin in ["http://evil.example", "https://phone.example:3001", "null"] {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
            assert!(complaint(&Method::PUT, &headers, true).is_some(), "{origin}");
            assert!(complaint(&Method::GET, &headers, true).is_none(), "{origin}");
        }
    }
}
