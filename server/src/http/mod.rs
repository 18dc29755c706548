//! The wire: the listener, GraphQL over HTTP, the WebSocket protocol, the provider's callback and health.
//!
//! It knows nothing of users, logins or storage: what it needs of them are the narrow traits of
//! [`HttpParts`]. The invariant: whatever a peer sends, it costs a bounded amount of memory and time, and
//! nothing that it sent stands in a log line.

mod accept;
mod activity;
mod admission;
mod answer;
mod body;
mod browser;
mod callback;
mod callback_request;
mod client_address;
mod counted;
mod document;
mod execution;
mod graphiql;
mod graphql;
mod head;
mod health;
mod host;
mod listener;
mod measured;
mod metrics;
mod occasional;
mod operation;
mod origin;
mod paced;
mod pages;
mod per_address;
mod request_id;
mod requester;
mod router;
mod session_cookie;
mod settings;
mod state;
mod user_agent;
mod websocket;

#[cfg(test)]
mod tests;

pub use admission::Admission;
pub use callback_request::{Callback, CallbackAnswer, Callbacks};
pub use client_address::ClientAddress;
pub use document::{Documents, InputTypes};
pub use execution::{ExecutableSchema, Transport};
pub use health::{Health, Readiness, ReadinessProbe, health_routes};
pub use host::own_hosts_only;
pub use listener::Listener;
pub use metrics::{background_router, metrics_router};
pub use per_address::PerAddress;
pub use request_id::RequestId;
pub use requester::{Authenticated, Authenticator, Unavailable};
pub use router::router;
pub use settings::{
    AdmissionSettings, BodySettings, DocumentLimits, GraphqlSettings, HttpSettings, ListenerSettings,
    OperationRate, Origins, SessionTransport, StrictTransport, TrustedProxies, WebSocketSettings,
};
pub use state::HttpParts;
