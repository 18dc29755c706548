//! A provider's callback, as far as the wire goes: method, headers, query and body, passed on unchanged.
//!
//! What they mean, and whether they are authentic, is judged behind [`Callbacks`]. For a provider that is configured the response is 200 or
//! 401 and has no body, since Authy switches a callback off after three HTTP errors in a row. For any other there is nothing here: 404.

use async_trait::async_trait;
use axum::{
    body::Bytes,
    extract::{Extension, Path, Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use metrics::counter;
use tracing::Instrument as _;

use super::{
    body,
    request_id::{RequestId, log_panic},
    router,
    state::HttpState,
};

/// One callback as it came over the wire.
pub struct Callback {
    /// POST or GET (HEAD comes as HEAD).
    pub method: Method,
    /// All headers.
    pub headers: HeaderMap,
    /// The query as it stood in the URL, still encoded; empty without one.
    pub query: String,
    /// The body; empty with GET.
    pub body: Bytes,
}

/// How a callback is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackAnswer {
    /// 200: authentic, and its effect, if it has one, is lasting.
    Accepted,
    /// 401: not authentic; nothing was touched.
    Refused,
}

/// Handles the callbacks of providers.
#[async_trait]
pub trait Callbacks: Send + Sync + 'static {
    /// Whether a provider of that name is configured that calls back.
    fn has(&self, provider: &str) -> bool;

    /// Judges one callback of a provider and brings about its effect. It is not cancelled when the caller hangs up.
    async fn handle(&self, provider: &str, callback: Callback) -> CallbackAnswer;
}

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
