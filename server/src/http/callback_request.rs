//! The provider's callback as the wire hands it on, and who hears it.

use async_trait::async_trait;
use axum::{
    body::Bytes,
    http::{HeaderMap, Method},
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
