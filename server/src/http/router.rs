//! Every route of the service, in order.
//!
//! The one invariant: every answer, of a route or not, passes through [`request_id::identify`].

use axum::{
    Router,
    http::StatusCode,
    middleware,
    response::Response,
    routing::{any, get},
};

use super::{
    accept::AnswerMedia,
    answer, callback, graphiql, graphql,
    health::{self, Health},
    origin, pages, request_id,
    state::{HttpParts, HttpState},
    websocket,
};

/// The routes of the service.
pub fn router(parts: HttpParts) -> Router {
    let health = Health {
        probe: parts.readiness.clone(),
        leaving: parts.leaving.clone(),
        shutdown: parts.shutdown.clone(),
    };
    let state = HttpState::from(parts);
    let identified = middleware::from_fn_with_state(state.clone(), request_id::identify);
    // Pages of other origins may be allowed to talk to this, and to nothing else.
    let graphql = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .method_not_allowed_fallback(method_not_allowed)
        .layer((identified.clone(), origin::cors(&state.settings)));
    let pages = if state.settings.pages { pages::router(&state.settings) } else { Router::new() };
    let explorer = if state.settings.graphql.graphiql { graphiql::router() } else { Router::new() };
    Router::new()
        .merge(pages)
        .merge(explorer)
        .merge(health::health_routes(health))
        .route("/graphql/ws", get(websocket::get))
        .route("/callbacks/{provider}", get(callback::receive).post(callback::receive))
        .route("/authy/callback", get(callback::receive_authy).post(callback::receive_authy))
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(identified)
        // With the same layer, which is not put around it once more.
        .merge(graphql)
        .with_state(state)
}

pub(super) async fn not_found() -> Response {
    answer::refuse(AnswerMedia::Json, StatusCode::NOT_FOUND, "NOT_FOUND", "There is nothing here.")
}

async fn method_not_allowed() -> Response {
    let message = "This method is not for here.";
    answer::refuse(AnswerMedia::Json, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}
