//! The provider's callback, as far as the wire goes: method, headers, query and body, handed on untouched.
//!
//! What they mean, and whether they are authentic, is judged behind [`Callbacks`]. The invariant: the answer is
//! 200 or 401 and has no body, since Authy switches a callback off after three HTTP errors in a row.

use async_trait::async_trait;
use axum::{
    body::Bytes,
    extract::{Extension, Request, State},
    http::{HeaderMap, Method, StatusCode},
};
use metrics::counter;
use tracing::Instrument as _;

use super::{
    body,
    request_id::{RequestId, log_panic},
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

/// Hears the provider's callbacks.
#[async_trait]
pub trait Callbacks: Send + Sync + 'static {
    /// Judges one callback and brings about its effect. It is not cancelled when the caller hangs up.
    async fn hear(&self, callback: Callback) -> CallbackAnswer;
}

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
