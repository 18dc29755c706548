//! Health, for whoever runs the service: is it alive, and can it serve?
//!
//! Alive says only that the process answers; ready asks the parts that requests need.

use async_trait::async_trait;
use axum::{extract::State, http::StatusCode};

use super::state::HttpState;

/// Whether the service can serve.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Asks the parts that requests need; bounded in time by whoever implements it.
    async fn is_ready(&self) -> bool;
}

pub(super) async fn live() -> &'static str {
    "live\n"
}

/// A server that is about to shut down is no longer ready, so that nobody sends it new work.
pub(super) async fn ready(State(state): State<HttpState>) -> (StatusCode, &'static str) {
    let is_leaving = state.leaving.is_cancelled() || state.shutdown.is_cancelled();
    if !is_leaving && state.readiness.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
