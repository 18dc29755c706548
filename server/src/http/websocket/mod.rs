//! Sockets: `graphql-transport-ws` over axum's WebSocket, from the upgrade on.
//!
//! async-graphql's own implementation gives neither the protocol's close codes nor its timeouts. The invariant:
//! a socket that does not read, does not speak or does not end costs only itself, and only so much.

mod close;
mod connection;
mod idle;
mod memory;
mod open;
mod outgoing;
mod pings;
mod protocol;
mod running;

use std::sync::Arc;

use axum::{
    extract::{Extension, FromRequestParts as _, Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use tracing::field;
use zeroize::Zeroizing;

use super::user_agent::browser;
use super::{
    accept::AnswerMedia, answer, client_address::ClientAddress, listener::ConnectionGuard, origin,
    request_id::RequestId, settings::HttpSettings, state::HttpState,
};
use crate::telemetry::{LOG_ONLY, Trace};
use connection::{Connection, Handshake};

/// The one sub-protocol that is spoken (graphql-ws, PROTOCOL.md).
const SUB_PROTOCOL: &str = "graphql-transport-ws";

/// `GET /graphql/ws`.
pub(super) async fn get(
    State(state): State<HttpState>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    let (mut parts, _body) = request.into_parts();
    upgrade(state, id, &mut parts).await
}

/// Whether a request wants to become a socket. Some clients offer other upgrades (`h2c`) with every request.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|protocols| protocols.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
}

/// Turns a request into a socket, or refuses it.
pub(super) async fn upgrade(state: HttpState, id: RequestId, parts: &mut Parts) -> Response {
    if !is_asked_for(&parts.headers) {
        return upgrade_required();
    }
    // Browsers open sockets to whomever a page names, and ask nobody (RFC 6455 §10.2).
    if !state.settings.origins.allow_sender(&parts.headers) {
        return origin::refuse(AnswerMedia::Json, &parts.headers);
    }
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(parts, &state).await else {
        let message = "This is not a WebSocket handshake (RFC 6455, version 13).";
        return answer::refuse(AnswerMedia::Json, StatusCode::BAD_REQUEST, "BAD_REQUEST", message);
    };
    let limits = &state.settings.websocket;
    let upgrade = upgrade
        .protocols([SUB_PROTOCOL])
        .read_buffer_size(limits.read_buffer_bytes)
        .write_buffer_size(limits.write_buffer_bytes)
        // The connection refuses what is larger than the limit with the protocol's code; only past twice
        // that does the library below break off, since then it cannot read on to the peer's farewell.
        .max_message_size(limits.message_limit_bytes * 2)
        .max_frame_size(limits.message_limit_bytes * 2);
    if upgrade.selected_protocol().is_none() {
        let message = "Offer the sub-protocol `graphql-transport-ws`.";
        return answer::refuse(AnswerMedia::Json, StatusCode::BAD_REQUEST, "BAD_REQUEST", message);
    }
    let client = parts.extensions.get::<ClientAddress>().copied();
    let held = client.map(|client| state.sockets.take(client.0));
    if let Some(None) = held {
        return too_many();
    }
    let handshake = Handshake {
        request_id: id,
        client,
        browser: browser(&parts.headers),
        token: token_of_upgrade(&state.settings, &parts.headers)
            .map(|token| Zeroizing::new(token.to_owned())),
        keeps_in_cookie: state.settings.keeps_in_cookie(&parts.headers),
        guard: parts.extensions.get::<Arc<ConnectionGuard>>().cloned(),
    };
    if let (Some(guard), Some(client)) = (&handshake.guard, client) {
        guard.entry.count_for(client.0);
        guard.entry.activity.become_socket();
    }
    // axum spawns the socket's task by itself; the token makes it one of those that shutdown waits for.
    let token = state.tasks.token();
    let trace = Trace::current();
    upgrade.on_upgrade(move |socket| {
        let id = handshake.request_id.clone();
        let served = async move {
            Connection::new(socket, state, handshake).serve().await;
            drop((held, token));
        };
        // Most sockets wait, for minutes: no span is open meanwhile. What is logged names the upgrade.
        trace.follow(served, move || {
            tracing::error_span!(target: LOG_ONLY, "request", request.id = %id, trace_id = field::Empty)
        })
    })
}

/// The token that an upgrade request carries. The `Authorization` header counts from programs alone: a page cannot set it on
/// a socket, so that beside an `Origin` it is something else that the browser or a proxy has added.
fn token_of_upgrade<'a>(settings: &HttpSettings, headers: &'a HeaderMap) -> Option<&'a str> {
    if headers.contains_key(header::ORIGIN) {
        settings.cookie_of(headers)
    } else {
        settings.token_of(headers)
    }
}

fn upgrade_required() -> Response {
    let message = "Open a WebSocket here.";
    let status = StatusCode::UPGRADE_REQUIRED;
    let mut response = answer::refuse(AnswerMedia::Json, status, "UPGRADE_REQUIRED", message);
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response
}

fn too_many() -> Response {
    let message = "Too many sockets are open from this address: close one first.";
    answer::refuse(AnswerMedia::Json, StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_SOCKETS", message)
}
