//! A provider's callback, as far as the wire goes: method, headers, query and body, passed on unchanged.
//!
//! What they mean, and whether they are authentic, is judged behind [`Callbacks`]. For a provider that is configured the response is 200 or
//! 401 and has no body, since Authy switches a callback off after three HTTP errors in a row. For any other there is nothing here: 404.
//!
//! [`Callbacks`]: super::callback_request::Callbacks

use axum::{
    extract::{Extension, Path, Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use metrics::counter;
use tracing::Instrument as _;

use super::{
    body,
    callback_request::{Callback, CallbackAnswer},
    request_id::{RequestId, log_panic},
    router,
    state::HttpState,
};

/// A callback at the provider's own path.
pub(super) async fn receive(
    state: State<HttpState>,
    id: Extension<RequestId>,
    Path(provider): Path<String>,
    request: Request,
) -> Response {
    respond(state, id, provider, request).await
}

/// A callback of Authy at the path that its console may have from before.
pub(super) async fn receive_authy(
    state: State<HttpState>,
    id: Extension<RequestId>,
    request: Request,
) -> Response {
    respond(state, id, "authy".to_owned(), request).await
}

/// A body that is too large, too slow or broken cannot be verified: 401, not an error of its own.
async fn respond(
    State(state): State<HttpState>,
    Extension(id): Extension<RequestId>,
    provider: String,
    request: Request,
) -> Response {
    if !state.callbacks.has(&provider) {
        return router::not_found().await;
    }
    let (parts, body) = request.into_parts();
    let body = match body::read(body, state.settings.body).await {
        Ok(body) => body,
        Err(error) => {
            // Anybody can send any number of these: the counter is enough.
            tracing::debug!(%error, "callback rejected");
            // Those whose body can be read are counted behind the trait.
            counter!("countersign_callbacks_total", "answer" => "refused").increment(1);
            return StatusCode::UNAUTHORIZED.into_response();
        }
    };
    let callback = Callback {
        method: parts.method,
        headers: parts.headers,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let callbacks = state.callbacks.clone();
    let handled =
        state.tasks.spawn(async move { callbacks.handle(&provider, callback).await }.in_current_span());
    let status = match handled.await {
        Ok(CallbackAnswer::Accepted) => StatusCode::OK,
        Ok(CallbackAnswer::Refused) => StatusCode::UNAUTHORIZED,
        Err(_panicked) => {
            // A fault of ours must not count against an authentic caller; the provider will be asked instead.
            log_panic("a callback", &id);
            StatusCode::OK
        }
    };
    status.into_response()
}
