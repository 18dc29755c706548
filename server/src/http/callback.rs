//! The provider's callback, as far as the wire goes: method, headers, query and body, handed on untouched.
//!
//! What they mean, and whether they are authentic, is judged behind [`Callbacks`]. The invariant: the answer is
//! 200 or 401 and has no body, since Authy switches a callback off after three HTTP errors in a row.
//!
//! [`Callbacks`]: super::callback_request::Callbacks

use axum::{
    extract::{Extension, Request, State},
    http::StatusCode,
};
use metrics::counter;
use tracing::Instrument as _;

use super::{
    body,
    callback_request::{Callback, CallbackAnswer},
    request_id::{RequestId, log_panic},
    state::HttpState,
};

/// A body that is too large, too slow or broken cannot be verified: 401, not an error of its own.
pub(super) async fn hear(
    State(state): State<HttpState>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> StatusCode {
    let (parts, body) = request.into_parts();
    let body = match body::read(body, state.settings.body).await {
        Ok(body) => body,
        Err(error) => {
            // Anybody can send any number of these: the counter is enough.
            tracing::debug!(%error, "callback rejected");
            // Those whose body can be read are counted behind the trait.
            counter!("countersign_callbacks_total", "answer" => "refused").increment(1);
            return StatusCode::UNAUTHORIZED;
        }
    };
    let callback = Callback {
        method: parts.method,
        headers: parts.headers,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let callbacks = state.callbacks.clone();
    let heard = state.tasks.spawn(async move { callbacks.hear(callback).await }.in_current_span());
    match heard.await {
        Ok(CallbackAnswer::Accepted) => StatusCode::OK,
        Ok(CallbackAnswer::Refused) => StatusCode::UNAUTHORIZED,
        Err(_panicked) => {
            // A fault of ours must not count against an authentic caller; the provider will be asked instead.
            log_panic("a callback", &id);
            StatusCode::OK
        }
    }
}
