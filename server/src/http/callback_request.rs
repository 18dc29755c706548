//! A provider's callback as it arrived, and the trait that handles it.

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

/// Handles the callbacks of providers.
#[async_trait]
pub trait Callbacks: Send + Sync + 'static {
    /// Whether a provider of that name is configured that calls back.
    fn has(&self, provider: &str) -> bool;

    /// Judges one callback of a provider and brings about its effect. It is not cancelled when the caller hangs up.
    async fn handle(&self, provider: &str, callback: Callback) -> CallbackAnswer;
}
